"""What a real server on loopback answers, and what it refuses."""

import json

import pytest

import optimizer
from optimizer.operations.health import Health
from optimizer.store import Store
from tests.serving.servers import RunningApp


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    running = RunningApp(tmp_path_factory.mktemp("answers"))
    yield running
    running.stop()


@pytest.mark.parametrize(
    "path", ["/", "/compare", "/healthz", "/_stcore/health", "/_stcore/host-config", "/media/none"]
)
def test_every_response_has_the_headers(app, path):
    response = app.get(path)
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert response.getheader("X-Frame-Options") == "DENY"
    assert response.getheader("Referrer-Policy") == "same-origin"
    assert response.getheader("Cross-Origin-Opener-Policy") == "same-origin"
    assert "camera=()" in response.getheader("Permissions-Policy")
    policy = response.getheader("Content-Security-Policy")
    assert "frame-ancestors 'none'" in policy
    scripts = policy.partition("script-src")[2].partition(";")[0]
    assert "unsafe-inline" not in scripts
    assert "http" not in scripts
    assert response.getheader("Strict-Transport-Security") is None


def test_behind_tls_it_insists_on_tls(app):
    """uvicorn believes a proxy on this machine; without sign-in it is refused, with the headers."""
    response = app.get("/", X_Forwarded_Proto="https", X_Forwarded_For="203.0.113.9")
    assert response.status == 403
    assert "came through a proxy" in response.text
    assert response.getheader("Strict-Transport-Security").startswith("max-age=")


def test_health_says_how_it_is_and_nothing_else(app):
    response = app.get("/healthz", Host="10.0.0.7")
    assert response.status == 200
    found = json.loads(response.text)
    assert set(found) == set(Health.__dataclass_fields__)
    assert found["status"] == "idle"
    assert found["version"] == optimizer.__version__
    assert found["engine"] == "none"
    assert str(app.home) not in response.text


def test_a_rebound_name_is_refused(app):
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8501", ""):
        response = app.get("/", Host=host)
        assert response.status in (400, 403), host
    for host in ("localhost:8501", "127.0.0.1", "[::1]:8501", "workbench.localhost"):
        assert app.get("/", Host=host).status == 200, host


def test_a_foreign_page_gets_no_socket(app):
    here = f"127.0.0.1:{app.port}"
    assert app.socket_status(Host=here, Origin=f"http://{here}") == 101
    for origin in ("https://evil.example", "http://127.0.0.1:1", "http://localhost", "null"):
        assert app.socket_status(Host=here, Origin=origin) == 403, origin
    assert app.socket_status(Host="evil.example", Origin="http://evil.example") == 403


def test_an_upload_needs_the_token_and_a_session(app):
    path = "/_stcore/upload_file/anybody/1"
    assert app.get(path, method="PUT", body=b"x").status == 403
    cookie = app.get("/_stcore/health").getheader("Set-Cookie").partition(";")[0]
    token = {"Cookie": cookie, "X_Xsrftoken": cookie.partition("=")[2]}
    without_session = app.get(path, method="PUT", body=b"x", **token)
    assert without_session.status == 400
    assert "session" in without_session.text
    foreign = app.get(path, method="PUT", body=b"x", Origin="https://evil.example", **token)
    assert foreign.status == 403


def test_nothing_lists_what_sessions_made(app):
    for path in (
        "/media/",
        "/media",
        "/_stcore/upload_file/",
        "/static/",
        "/media/..%2f..%2fapp.py",
    ):
        response = app.get(path)
        # The pages' own document is served for any address; it holds nothing of a session.
        assert (
            response.status in (301, 400, 403, 404) or "<title>Streamlit</title>" in response.text
        )


def test_a_store_that_cannot_be_read_is_said(tmp_path):
    Store.open(tmp_path).close()
    (tmp_path / "featherweight.db").write_bytes(b"no database at all" * 100)
    for beside in tmp_path.glob("featherweight.db-*"):
        beside.unlink()
    running = RunningApp(tmp_path)
    try:
        response = running.get("/healthz")
        assert response.status == 503
        assert json.loads(response.text)["status"] == "failing"
        assert "cannot be read" in json.loads(response.text)["store"]
        assert str(tmp_path) not in response.text
    finally:
        running.stop()
