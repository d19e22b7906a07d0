"""Several sessions on one study while a sweep seems to run: no error, nothing left behind.

``make bench ARGS=load`` is the same with 30 sessions, a real sweep and 10,000 variants, and takes
the times; here nothing is timed.
"""

import asyncio
import os
import threading
from dataclasses import replace

import pytest

from benchmarks.client import Session
from benchmarks.crowd import crowd
from benchmarks.footprint import footprint, processes_of
from benchmarks.load import crowd_of_sessions, settled
from benchmarks.server import server
from optimizer.bundled import ensure_sample_study
from optimizer.store import RunStage, Store

SESSIONS, VARIANTS = 4, 500
PAGES = ("compare", "explore", "variant", "optimize", "runs", "storage")
SESSION_MB = 15
"""What a session may add to the app's memory at most; about 2 are usual."""

SPARE_HANDLES = 9
"""Three connections to the database, of threads that are just ending; there were some hundred."""


class Sweep:
    """Writes to the store what a sweep writes, from a thread of its own."""

    def __init__(self, store, study):
        self.store, self._end = store, threading.Event()
        self.variants = store.list_variants(study.id)[-40:]
        ids = [variant.id for variant in self.variants]
        self.run = store.queue_run("variants", "a sweep", study_id=study.id, variant_ids=ids)
        store.claim_run(self.run.id)
        self._thread = threading.Thread(target=self._work)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        self.store.request_cancel(self.run.id)

    def _work(self):
        step = 0
        while not self._end.wait(0.05):
            variant = self.variants[step % len(self.variants)]
            fraction = (step % 10) / 10
            stage = RunStage(
                self.run.id, f"{step // 10 % 60:064x}", "prune", "Prune", (variant.id,)
            )
            self.store.put_stage(
                replace(stage, state="running", fraction=fraction, message="epoch")
            )
            if step % 10 == 9:
                self.store.update_variant(variant.id, results=variant.results, state="running")
            step += 1
        self.store.close()


@pytest.fixture
def many(tmp_path):
    store = Store.open(tmp_path)
    ensure_sample_study(store)
    (study,) = store.list_studies()
    crowd(store, study, VARIANTS)
    assert store.get_study(study.id).done_count == VARIANTS
    yield store, study
    store.close()


async def stay(address, query):
    """A visitor who looks at the sweep for a while."""
    async with Session(address) as session:
        assert (await session.open("runs", query)).errors == []
        for _ in range(3):
            await session.renewed()


def test_sessions_beside_a_sweep_leave_nothing_behind(many, tmp_path):
    store, study = many
    environment = {
        **os.environ,
        "FEATHERWEIGHT_HOME": str(tmp_path),
        "FEATHERWEIGHT_NO_ENGINE": "1",
    }
    query = f"study={study.id}"
    log = tmp_path / "server.log"

    def visit(count):
        seen = asyncio.run(
            crowd_of_sessions(address, query, count, pages=PAGES, thinking=(0.05, 0.2))
        )
        assert seen.errors() == []
        assert seen.lost == 0
        assert len(seen.visits) == count * len(PAGES)

    with server(environment, "--server.disconnectedSessionTTL", "1", log=log) as (address, pid):
        visit(1)  # what is made once per server is there
        before = settled(address, query, pid)
        with Sweep(store, study):
            visit(SESSIONS)
            asyncio.run(stay(address, query))
            most = footprint(pid)
        after = settled(address, query, pid)
    assert most.memory_mb - before.memory_mb < SESSIONS * SESSION_MB
    assert after.memory_mb - before.memory_mb < SESSIONS * SESSION_MB / 2
    assert after.handles <= before.handles + SPARE_HANDLES
    assert after.threads <= before.threads + 2
    assert after.children == before.children == 0
    assert processes_of(tmp_path) == []
    assert "Traceback" not in log.read_text()
