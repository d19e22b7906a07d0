"""On which addresses the app listens, whatever way it is started: real servers."""

import socket
import sys

import pytest

from tests.serving.servers import RunningApp, ended, free_port, streamlit

EVERYWHERE = "0.0.0.0"


def own_address():
    """An address of this machine that others could reach; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return probe.getsockname()[0]


@pytest.mark.parametrize("way", ["flag", "environment"])
def test_it_ends_when_bound_elsewhere(tmp_path, way):
    arguments = ["--server.address", EVERYWHERE] if way == "flag" else []
    more = {"STREAMLIT_SERVER_ADDRESS": EVERYWHERE} if way == "environment" else {}
    command = streamlit("--server.port", str(free_port()), *arguments)
    code, output = ended(tmp_path, command, **more)
    assert code == 2
    assert "does not listen on 0.0.0.0: nobody has to sign in" in output
    assert "FEATHERWEIGHT_ALLOW_OPEN=1" in output
    assert "Traceback" not in output


def test_broken_secrets_end_it_instead_of_letting_everybody_in(tmp_path):
    secrets = tmp_path / "secrets.toml"
    secrets.write_text('[auth]\nredirect_uri = "http://127.0.0.1/oauth2callback"\ncookie_sec')
    code, output = ended(tmp_path, streamlit("--secrets.files", str(secrets)))
    assert code == 2
    assert "it is not known who may come in" in output


def test_another_server_cannot_open_it(tmp_path):
    """The gate looks at the address that was called, which uvicorn's own options decide."""
    address, port = own_address(), free_port()
    command = [sys.executable, "-m", "uvicorn", "app:app", "--host", EVERYWHERE]
    app = RunningApp(tmp_path, command=[*command, "--port", str(port)], port=port)
    try:
        assert app.get("/healthz").status == 200
        refused = app.get("/", host=address)
        assert refused.status == 403
        assert "answers its own machine only" in refused.text
    finally:
        app.stop()


def test_shared_studies_alone_may_be_open(tmp_path):
    app = RunningApp(tmp_path, "--server.address", EVERYWHERE, FEATHERWEIGHT_SHARED_ONLY="1")
    try:
        assert app.get("/", host=own_address()).status == 200
    finally:
        app.stop()
