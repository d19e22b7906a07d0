"""An engine whose stages take no time: real runs, plans and records, results from the sample."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from optimizer.bundled import ensure_sample_study
from optimizer.engine.cluster import WorkerFacts
from optimizer.engine.crew import Crew
from optimizer.engine.pool import Job, JobResult, Listener
from optimizer.engine.runner import StageRunner
from optimizer.engine.service import Engine
from optimizer.errors import StageError
from optimizer.stage import Files
from optimizer.store import Store, Study
from tests.store.building import build_study

LATENCY = {
    **{"p50_ms": 0.02, "p90_ms": 0.03, "p99_ms": 0.05, "ratio": 0.9, "ratio_ci": [0.8, 1.0]},
    **{"significant": True, "runs": 100, "rounds": 10, "threads": 1, "device": "some", "files": 2},
    **{"delegate": "XNNPACK", "peak_memory_bytes": 1_000_000},
}


class InstantPool:
    """In place of the processes that stages run in.

    Args:
        store: with the sample study, whose files the stages return.
        held: says which stages wait until :meth:`release`.
        broken: says which stages fail.
    """

    def __init__(
        self,
        store: Store,
        held: Callable[[Job], bool] = lambda job: False,
        broken: Callable[[Job], bool] = lambda job: False,
    ) -> None:
        self.crew = Crew("this machine", [WorkerFacts("here", 2, True, True, 2**34)])
        self.executed: list[str] = []
        self.waiting: set[str] = set()
        self._store, self._held, self._broken = store, held, broken
        self._released = asyncio.Event()

    async def start(self) -> None:
        """Nothing has to start."""

    async def stop(self) -> None:
        """Nothing runs."""

    def release(self) -> None:
        """Let the stages go on that were held."""
        self._released.set()

    async def run(self, job: Job, listen: Listener) -> JobResult:
        """As :meth:`optimizer.engine.pool.Pool.run`."""
        listen({"started": True, "worker": "here"})
        if self._held(job):
            self.waiting.add(job.key)
            await self._released.wait()
        if self._broken(job):
            raise StageError("The stage broke.", log="Traceback: password=hunter2")
        self.executed.append(job.key)
        return JobResult(self._files(job), 1_000_000)

    def _files(self, job: Job) -> Files:
        if job.resource == "quiet":
            files = {key: LATENCY for _, (key, _) in job.inputs.items()}
            return {"latencies.json": json.dumps({"files": files}).encode()}
        baseline = self._store.baseline(self._store.list_studies()[0].id)
        assert baseline is not None
        for room, stage in (("techniques.conversion", "convert"), ("measure.accuracy", "evaluate")):
            if room in job.call.function:
                return self._store.artifacts.read_all(baseline.stages[stage])
        return {"model.keras": job.key.encode(), "facts.json": b"{}"}


class Works:
    """An engine at work in this process: ``async with Works(store, pool): …``."""

    def __init__(self, store: Store, pool: InstantPool) -> None:
        self._engine = Engine(store)
        parts: Any = self._engine
        parts._pool, parts._preloads = pool, False
        parts._runner = StageRunner(store, parts._pool)
        self._finished = False

    async def __aenter__(self) -> Works:
        self._task = asyncio.create_task(self._engine.serve(finished=lambda: self._finished))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._finished = True
        await self._task


async def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.02)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with the bundled sample study."""
    monkeypatch.setenv("FEATHERWEIGHT_HOME", str(tmp_path / "home"))
    opened = Store.open(tmp_path / "home")
    ensure_sample_study(opened)
    yield opened
    opened.close()


@pytest.fixture
def study(store: Store) -> Study:
    return store.list_studies()[0]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of a store that no process has open."""
    store = Store.open(tmp_path / "home")
    build_study(store)
    store._db.row("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return tmp_path / "home"
