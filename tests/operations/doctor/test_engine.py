"""The engine and its cluster: each thing that can be wrong is found, and a remedy is named."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from optimizer.engine.remote import make_certificates
from optimizer.operations.doctor import engine
from optimizer.operations.health import Health
from optimizer.settings import Settings
from tests.operations.doctor.building import says


def test_settings(home):
    assert engine.check_settings(home, {}).level == "ok"
    (home / "settings.json").write_text('{"slots": 0}')
    assert says(engine.check_settings(home, {}), "from 1 to 256; received 0", "settings.json")
    (home / "settings.json").write_text("{")
    assert says(engine.check_settings(home, {}), "cannot be read as JSON")
    (home / "settings.json").unlink()
    loud = {"FEATHERWEIGHT_LOG_LEVEL": "loud"}
    assert says(engine.check_settings(home, loud), "'loud'", "DEBUG, INFO, WARNING, ERROR")


SOUND = Health("ok", "1", "ok", 6, "ready", 1.0, 2, 1)


def test_engine():
    assert engine.check_engine(SOUND).level == "ok"
    idle = replace(SOUND, status="idle", engine="none", queued=0, running=0)
    assert engine.check_engine(idle).level == "note"
    dead = replace(SOUND, status="degraded", engine="none")
    assert says(
        engine.check_engine(dead), "None is alive for 2 queued and 1 running runs", "engine.log"
    )
    silent = replace(SOUND, status="degraded", engine="silent", heartbeat_seconds=90.0)
    assert says(engine.check_engine(silent), "nothing for 90 s", "make stop")
    failing = Health("failing", "1", "The store cannot be read.")
    assert says(engine.check_engine(failing), "cannot be read")


@pytest.fixture
def cluster(tmp_path):
    """Settings of a cluster whose certificates are new."""
    make_certificates(tmp_path / "tls")
    return Settings(scheduler="tls://127.0.0.1:8786", tls=str(tmp_path / "tls"))


def test_certificates(cluster, tmp_path):
    now, tls = datetime.now(UTC), tmp_path / "tls"
    assert engine.check_certificates(Settings(), now).level == "ok"
    assert engine.check_certificates(cluster, now + timedelta(days=1)).level == "ok"
    soon = engine.check_certificates(cluster, now + timedelta(days=350))
    assert says(soon, "ends on", "remote certificates")
    late = engine.check_certificates(cluster, now + timedelta(days=400))
    assert says(late, "out of date since", "copy the folder")
    early = engine.check_certificates(cluster, now - timedelta(days=400))
    assert says(early, "not valid before", "clocks")
    (tls / "key.pem").chmod(0o644)
    assert says(engine.check_certificates(cluster, now), "run code on the cluster", "chmod")
    (tls / "key.pem").chmod(0o600)
    (tls / "ca.pem").write_text("nonsense")
    assert says(engine.check_certificates(cluster, now), "is not a certificate")
    (tls / "cert.pem").unlink()
    assert says(engine.check_certificates(cluster, now), "has no cert.pem")
    bare = Settings(scheduler="tls://127.0.0.1:8786")
    assert says(engine.check_certificates(bare, now), "none are", "FEATHERWEIGHT_TLS")


def test_scheduler(cluster, tmp_path):
    assert engine.check_scheduler(Settings(), engine.reach(Settings())).level == "ok"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = replace(cluster, scheduler=f"tls://127.0.0.1:{closed.getsockname()[1]}")
        found = engine.check_scheduler(nobody, engine.reach(nobody))
        assert says(found, "does not answer", "firewall")
    make_certificates(tmp_path / "other")
    with scheduler(tmp_path / "tls") as port:
        there = replace(cluster, scheduler=f"tls://127.0.0.1:{port}")
        assert engine.check_scheduler(there, engine.reach(there)).level == "ok"
        foreign = replace(there, tls=str(tmp_path / "other"))
        assert says(engine.check_scheduler(foreign, engine.reach(foreign)), "does not answer")


class scheduler:
    """Mutual TLS on a free port, that greets who is let in, as Dask does."""

    def __init__(self, folder):
        import ssl

        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self.context.load_verify_locations(folder / "ca.pem")
        self.context.verify_mode = ssl.CERT_REQUIRED

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return self.socket.getsockname()[1]

    def _serve(self):
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(plain, server_side=True) as secured:
                    secured.sendall(b"hello")
            except OSError:
                plain.close()

    def __exit__(self, *_):
        self.socket.close()
