"""All checks together, and the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from optimizer.errors import StageError
from optimizer.operations.doctor import examine, installation
from optimizer.store.schema import MIGRATIONS
from tests.operations.doctor.building import GIB, ROOT, change, says
from tests.store.building import listing


def test_stage_processes(monkeypatch):
    assert installation.check_stage_processes(0.3, "").level == "ok"

    def broken():
        raise StageError("The stage's process ended without a result (exit code 1).")

    monkeypatch.setattr("optimizer.engine.process.preload", broken)
    assert says(examine._stage_processes(), "exit code 1", "ulimit -u")


def test_the_containers_limit_is_read(tmp_path, monkeypatch):
    file = tmp_path / "memory.max"
    monkeypatch.setattr(examine, "CONTAINER_LIMITS", (tmp_path / "none", file))
    assert examine.container_limit() is None
    file.write_text("max\n")
    assert examine.container_limit() is None
    file.write_text("4294967296\n")
    assert examine.container_limit() == 4 * GIB


def test_the_clock_is_compared_with_the_store(home):
    assert examine._clock(home).level == "ok"
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    change(home, "UPDATE variants SET created_at = ?", later)
    assert says(examine._clock(home), "The store has entries of")
    assert not list(home.glob(".clock*"))


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
    before = listing(home)
    checks = {check.name: check for check in examine.examine(home, 0)}
    assert {name for name, check in checks.items() if check.text} == set(checks)
    assert set(checks) == {
        *("Python", "packages", "memory", "cores", "disk", "clock", "port", "settings", "store"),
        *("results", "stray files", "permissions", "engine", "scheduler", "certificates"),
        *("TensorFlow", "stage processes", "confinement", "Chromium"),
    }
    assert checks["results"].level == "ok"
    assert listing(home) == before
    (home / "featherweight.db").write_bytes(b"nonsense" * 1000)
    checks = {check.name: check for check in examine.examine(home, 0)}
    assert checks["store"].level == "finding"
    assert "results" not in checks
