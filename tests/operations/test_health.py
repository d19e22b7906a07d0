"""The health of a store, as ``/healthz`` and the doctor tell it."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace

from optimizer import __version__
from optimizer.operations.health import health
from optimizer.store import Store
from optimizer.store.base import utc_now
from optimizer.store.records import EngineState
from optimizer.store.schema import MIGRATIONS


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
