"""Each thing that can be wrong with an installation is broken, found, and a remedy is named."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from optimizer import __version__
from optimizer.engine.remote import make_certificates
from optimizer.errors import StageError
from optimizer.operations.doctor import engine, examine, installation, machine
from optimizer.operations.doctor import store as stores
from optimizer.operations.health import Health, health
from optimizer.settings import Settings
from optimizer.store import Store
from optimizer.store.base import utc_now
from optimizer.store.records import EngineState
from optimizer.store.schema import MIGRATIONS
from tests.store.building import build_study, listing

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
GIB = 2**30


def says(check, text, remedy=""):
    """A finding with this in its text and in its remedy."""
    assert check.level == "finding", check
    assert check.remedy, check
    return text in check.text and remedy in check.remedy


@pytest.fixture
def home(tmp_path):
    """A store that no process has open."""
    store = Store.open(tmp_path / "home")
    build_study(store)
    store._db.row("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return tmp_path / "home"


def change(home, statement, *values):
    with sqlite3.connect(home / "featherweight.db") as database:
        database.execute(statement, values)
    database.close()


def test_python():
    assert installation.check_python((3, 11)).level == "ok"
    assert installation.check_python((3, 12)).level == "ok"
    assert says(installation.check_python((3, 13)), "3.13; 3.11 or 3.12", "PYTHON=python3.11")
    assert says(installation.check_python((3, 10)), "3.10")


def test_packages():
    text = (ROOT / "requirements.txt").read_text()
    pins = installation.pinned(text)
    assert pins["tensorflow"].startswith("2.")
    assert installation.check_packages(pins, pins).level == "ok"
    lacking = {name: pin for name, pin in pins.items() if name != "dask"} | {"keras": "2.0"}
    found = installation.check_packages(pins, lacking)
    assert says(found, "dask is missing", "make install")
    assert "keras 2.0 (not 3." in found.text
    assert installation.check_packages({}, {}).level == "note"


def test_libraries_are_imported_in_a_process_of_their_own(tmp_path, monkeypatch):
    (tmp_path / "fails.py").write_text("raise ImportError('libfoo.so.1: cannot open')")
    (tmp_path / "crashes.py").write_text("import os; os.abort()")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path}")
    found = installation.import_libraries(("json", "fails"))
    assert isinstance(found["json"], float)
    assert says(installation.check_libraries(found), "libfoo.so.1", "make install")
    crashed = installation.import_libraries(("crashes",))
    assert says(installation.check_libraries(crashed), "ended with code -6", "AVX")
    assert installation.check_libraries({"tensorflow": 9.5}).level == "ok"


def test_stage_processes(monkeypatch):
    assert installation.check_stage_processes(0.3, "").level == "ok"

    def broken():
        raise StageError("The stage's process ended without a result (exit code 1).")

    monkeypatch.setattr("optimizer.engine.process.preload", broken)
    assert says(examine._stage_processes(), "exit code 1", "ulimit -u")


@dataclass(frozen=True)
class Protection:
    name: str
    holds: bool
    detail: str


def test_confinement():
    network, files = Protection("network", True, "none"), Protection("files", False, "no Landlock")
    assert installation.check_confinement([network]).level == "ok"
    partly = installation.check_confinement([network, files])
    assert partly.level == "note"
    assert "1 of 2 do not hold here: files (no Landlock)" in partly.text
    assert says(installation.check_confinement(None, "it did not start"), "it did not start")


def test_chromium():
    assert installation.check_chromium("/usr/bin/chromium").level == "ok"
    assert "apt-get install chromium" in installation.check_chromium(None).text


def test_memory():
    assert machine.check_memory(16 * GIB, None, 4).level == "ok"
    assert machine.check_memory(16 * GIB, 16 * GIB, 4).level == "ok"
    assert says(machine.check_memory(2 * GIB, None, 1), "at least 3 GiB", "Give the machine")
    assert says(machine.check_memory(64 * GIB, 2 * GIB, 1), "at least 3 GiB")
    limited = machine.check_memory(64 * GIB, 8 * GIB, 32)
    assert says(limited, "container's limit", "FEATHERWEIGHT_SLOTS=4")
    assert machine.check_memory(64 * GIB, 8 * GIB, 4).level == "ok"


def test_the_containers_limit_is_read(tmp_path, monkeypatch):
    file = tmp_path / "memory.max"
    monkeypatch.setattr(examine, "CONTAINER_LIMITS", (tmp_path / "none", file))
    assert examine.container_limit() is None
    file.write_text("max\n")
    assert examine.container_limit() is None
    file.write_text("4294967296\n")
    assert examine.container_limit() == 4 * GIB


def test_cores_and_disk():
    assert machine.check_cores(4).level == "ok"
    assert machine.check_cores(1).level == "note"
    assert machine.check_disk(10**10, "/x").level == "ok"
    assert says(machine.check_disk(10**9, "/x"), "1.0 GB free at /x", "FEATHERWEIGHT_HOME")


def test_clock():
    assert machine.check_clock(NOW, NOW - timedelta(days=1), 0.5).level == "ok"
    assert machine.check_clock(NOW, None, 0).level == "ok"
    behind = machine.check_clock(NOW, NOW + timedelta(hours=2), 0)
    assert says(behind, "entries of 2026-11-26 14:00", "timedatectl")
    assert says(machine.check_clock(datetime(1970, 1, 1, tzinfo=UTC), None, 0), "1970-01-01")
    assert says(machine.check_clock(NOW, None, -600), "600 s off", "local disk")


def test_the_clock_is_compared_with_the_store(home):
    assert examine._clock(home).level == "ok"
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    change(home, "UPDATE variants SET created_at = ?", later)
    assert says(examine._clock(home), "The store has entries of")
    assert not list(home.glob(".clock*"))


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok" if self.path == "/_stcore/health" else b"no")

    def log_message(self, *_):
        pass


def test_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        def close_at_once():
            taken.accept()[0].close()

        closer = threading.Thread(target=close_at_once, daemon=True)
        closer.start()
        found = machine.check_port(port, examine.port_state(port))
        assert says(found, f"{port} is taken", f"make run PORT={port + 100}")
        closer.join()
    assert machine.check_port(port, examine.port_state(port)).level == "ok"
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert examine.port_state(server.server_port) == "ours"
        assert machine.check_port(server.server_port, "ours").level == "ok"
        server.shutdown()


def test_a_sound_store(home):
    assert [stores.check_database(home).level, stores.check_results(home).level] == ["ok"] * 2
    assert [stores.check_stray(home).level] == ["ok"]
    assert stores.check_permissions(home, os.getuid()).level == "ok"


def test_no_store_yet(tmp_path):
    assert stores.check_database(tmp_path).level == "note"
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database(home):
    path = home / "featherweight.db"
    data = bytearray(path.read_bytes())
    data[8192:40_000] = b"\xff" * (40_000 - 8192)
    path.write_bytes(data)
    found = stores.check_database(home)
    assert says(found, "damaged", "restore FILE") or says(found, "cannot be read", "restore FILE")
    path.write_bytes(b"something else" * 1000)
    assert says(stores.check_database(home), "cannot be read", "move")


def test_records_that_refer_to_nothing(home):
    change(home, "UPDATE studies SET model_id = 'gone'")
    assert says(stores.check_database(home), "refer to nothing", "restore FILE")


def test_other_schemas(home):
    change(home, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    assert says(stores.check_database(home), "this version knows up to", "Install")
    change(home, f"PRAGMA user_version = {len(MIGRATIONS) - 1}")
    older = stores.check_database(home)
    assert older.level == "note"
    assert "backup before" in older.text


def test_missing_and_damaged_results(home):
    meta = next((home / "artifacts").glob("*/*/meta.json"))
    file = next(path for path in meta.parent.iterdir() if path != meta)
    content = file.read_bytes()
    file.write_bytes(content + b"x")
    found = stores.check_results(home)
    assert says(found, f"1 of 14 results are missing or damaged: {meta.parent.name[:12]}", "again")
    file.write_bytes(content)
    shutil.rmtree(meta.parent)
    assert says(stores.check_results(home), "1 of 14")
    upload = next((home / "files").glob("*/*"))
    upload.write_bytes(b"other")
    assert says(stores.check_results(home), upload.name[:12], "bring these models")
    upload.unlink()
    assert says(stores.check_results(home), "1 uploaded files")


def test_stray_files_are_noted(home):
    (home / "notes.txt").write_text("x")
    (home / "files" / "ab").mkdir(exist_ok=True)
    (home / "files" / "ab" / ("ab" * 32)).write_bytes(b"x" * 2_000_000)
    (home / "tmp" / ("a" * 32)).write_text("left")
    (home / "engine.log.1").write_text("ours")
    found = stores.check_stray(home)
    assert found.level == "note"
    assert "0 results and 1 uploads (2 MB) unused" in found.text
    assert "1 temporary files" in found.text
    assert "not ours: notes.txt" in found.text


@pytest.mark.parametrize("name", ["", "featherweight.db", "artifacts", "files"])
def test_what_others_could_read(home, name):
    mode = (home / name).stat().st_mode
    (home / name).chmod(mode | 0o044)
    assert says(stores.check_permissions(home, os.getuid()), "Others may reach", "chmod -R go=")
    assert says(stores.check_permissions(home, os.getuid() + 1), "another user", "chown -R")


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


def test_health_of_a_store(home, tmp_path):
    assert health(home).as_dict() == {
        **{"status": "idle", "version": __version__, "store": "ok", "schema": len(MIGRATIONS)},
        **{"engine": "none", "heartbeat_seconds": None, "queued": 0, "running": 0},
    }
    store = Store.open(home)
    run = store.queue_run("variants", "t", study_id=store.list_studies()[0].id)
    assert (health(home).status, health(home).queued) == ("degraded", 1)
    mine = EngineState(os.getpid(), 1.0, utc_now(), "starting")
    store.set_engine_state(mine)
    assert (health(home).status, health(home).engine) == ("ok", "starting")
    with open(home / "engine.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        store.set_engine_state(replace(mine, status="ready"))
        store.claim_run(run.id)
        found = health(home)
        assert (found.status, found.engine, found.running, found.queued) == ("ok", "ready", 1, 0)
        assert found.serving
        long_ago = replace(mine, status="ready", heartbeat_at="2026-01-01T00:00:00+00:00")
        store.set_engine_state(long_ago)
        assert (health(home).status, health(home).engine) == ("degraded", "silent")
        store.set_engine_state(None)
        assert health(home).engine == "starting"
    store.set_engine_state(replace(mine, status="ready"))
    assert (health(home).status, health(home).engine) == ("degraded", "none")
    store.close()
    assert health(tmp_path / "nowhere").status == "idle"
    for beside in home.glob("featherweight.db*"):
        beside.unlink()
    assert (health(home).status, health(home).serving) == ("failing", False)
    (home / "featherweight.db").write_bytes(b"nonsense" * 1000)
    assert health(home).status == "failing"
    assert not any(str(home) in str(value) for value in health(home).as_dict().values())


def test_a_check_that_fails_is_a_finding():
    def broken():
        raise KeyError("x")

    assert says(examine._tried("some", broken), "KeyError", "report")


def doctor(home, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "optimizer", "doctor", *arguments],
        cwd=ROOT,
        env={**os.environ, "FEATHERWEIGHT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command(home):
    before = listing(home)
    done = doctor(home, "--quick", "--json")
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["health"]["status"] == "idle"
    assert [check["name"] for check in found["checks"]] == ["disk", "engine"]
    assert listing(home) == before, "nothing was changed"
    change(home, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    done = doctor(home, "--quick")
    assert done.returncode == 1
    assert "MEND  engine: The store was made by a newer" in done.stdout
    assert "      → " in done.stdout


def test_everything_is_examined(home, monkeypatch):
    """All of it but TensorFlow, which has tests of its own and takes long."""
    monkeypatch.setattr(installation, "import_libraries", lambda: {"tensorflow": 9.0})
    monkeypatch.setattr("optimizer.engine.process.preload", lambda: None)
    monkeypatch.setattr(examine, "find_spec", lambda name: None)
    before = listing(home)
    checks = {check.name: check for check in examine.examine(home, 0)}
    assert {name for name, check in checks.items() if check.text} == set(checks)
    assert set(checks) == {
        *("Python", "packages", "memory", "cores", "disk", "clock", "port", "settings", "store"),
        *("results", "stray files", "permissions", "engine", "scheduler", "certificates"),
        *("TensorFlow", "stage processes", "Chromium"),
    }
    assert checks["results"].level == "ok"
    assert listing(home) == before
    (home / "featherweight.db").write_bytes(b"nonsense" * 1000)
    checks = {check.name: check for check in examine.examine(home, 0)}
    assert checks["store"].level == "finding"
    assert "results" not in checks
