"""The engine: takes runs from the store, executes them, and says how it is."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO

import psutil

from optimizer.engine.execution import Execution
from optimizer.engine.pool import Pool
from optimizer.engine.process import preload
from optimizer.engine.runner import StageRunner
from optimizer.errors import FeatherweightError
from optimizer.logs.events import about, event
from optimizer.settings import Settings, capacity
from optimizer.store import Store
from optimizer.store.base import utc_now
from optimizer.store.records import EngineState, EngineStatus, Run

_POLL_SECONDS = 0.1
HEARTBEAT_SECONDS = 2.0
_log = logging.getLogger(__name__)


class EngineRunningError(FeatherweightError):
    """Another engine works on this store already."""


class Engine:
    """Executes the runs of one store.

    Args:
        store: the store.
        settings: where and how stages run; by default those of the store.

    Raises:
        InputError: a setting cannot be used.
    """

    def __init__(self, store: Store, settings: Settings | None = None) -> None:
        self._store = store
        settings = settings or Settings.load(store.home)
        room = capacity(settings)
        self._threads = room.threads
        self._preloads = settings.scheduler is None
        self._pool = Pool(settings, room, store.home / "tmp")
        self._runner = StageRunner(store, self._pool)
        self._active: dict[str, asyncio.Task[None]] = {}

    async def serve(self, finished: Callable[[], bool] = lambda: False) -> None:
        """Work until ``finished()`` or until cancelled.

        Raises:
            EngineRunningError: another engine holds this store's lock.
        """
        with _lock(self._store.home / "engine.lock"):
            beat = asyncio.create_task(self._beat())
            try:
                self._say("warming", "starting")
                await self._pool.start()
                if self._preloads:
                    self._say("warming", "importing TensorFlow")
                    await asyncio.to_thread(preload)
                self._say("ready", self._where())
                event(_log, "engine_ready", text=self._where())
                self._recover()
                seen = -1
                while not finished():
                    version = self._store.version()
                    if version != seen:
                        self._take_runs()
                        self._cancel_runs()
                        seen = version
                    await asyncio.sleep(_POLL_SECONDS)
            finally:
                beat.cancel()
                await self._stop()

    def _where(self) -> str:
        """Where stages run and how many, in words."""
        threads = f"{self._threads} thread{'s' * (self._threads != 1)} each"
        crew = self._pool.crew
        if self._preloads:
            return f"On this machine, {crew.slots} at a time, {threads}"
        return (
            f"On {crew.where}: {len(crew.usable)} of {len(crew.workers)} workers usable, "
            f"{crew.slots} stages at a time, {threads}"
        )

    def _recover(self) -> None:
        """Start again what an engine that died left running; finished stages are in the store."""
        for run in self._store.running_runs():
            self._store.append_log(run.id, f"{utc_now()} Resumed after the engine restarted.\n")
            event(_log, "run_resumed", run=run.id, study=run.study_id, kind=run.kind)
            self._start(run)

    def _take_runs(self) -> None:
        for queued in self._store.next_queued_runs(limit=32):
            run = self._store.claim_run(queued.id)
            if run is not None:
                self._start(run)

    def _start(self, run: Run) -> None:
        with about(run=run.id, study=run.study_id):
            execution = Execution(self._store, self._runner, run, self._threads)
            task = asyncio.create_task(self._guard(run, execution), name=run.id)
        self._active[run.id] = task

        def ended(task: asyncio.Task[None]) -> None:
            self._active.pop(run.id, None)
            if task.cancelled():
                with about(run=run.id, study=run.study_id):
                    execution.record_cancellation()

        task.add_done_callback(ended)

    async def _guard(self, run: Run, execution: Execution) -> None:
        """A defect of ours in one run must not end the others."""
        event(_log, "run_started", kind=run.kind, variants=len(run.variant_ids), text=run.title)
        started = time.monotonic()
        try:
            await execution.run()
            ended = self._store.get_run(run.id)
            level = logging.WARNING if ended.state == "failed" else logging.INFO
            seconds = time.monotonic() - started
            event(_log, f"run_{ended.state}", level=level, seconds=seconds, text=ended.error)
        except Exception as error:
            event(_log, "run_broke", level=logging.ERROR, error=error)
            text = f"An internal error ended this run: {type(error).__name__}: {error}"
            self._store.update_run(run.id, state="failed", error=text)

    def _cancel_runs(self) -> None:
        for run_id, task in list(self._active.items()):
            if self._store.get_run(run_id).cancel_requested:
                task.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            state = self._store.engine_state()
            if state is not None:
                ready = state.status == "ready"
                self._say(state.status, self._where() if ready else state.detail)

    def _say(self, status: EngineStatus, detail: str = "") -> None:
        started = psutil.Process().create_time()
        workers = [asdict(worker) for worker in self._pool.crew.workers]
        state = EngineState(
            os.getpid(), started, utc_now(), status, detail, self._pool.crew.slots, workers
        )
        self._store.set_engine_state(state)

    async def _stop(self) -> None:
        """End what runs; runs stay marked running, and the next engine resumes them."""
        tasks = list(self._active.values())
        event(_log, "engine_stopping", runs=len(tasks))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Dask's parts complain of each other while they are closed; that is no error of ours.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        await self._pool.stop()
        self._store.set_engine_state(None)


class _lock:  # noqa: N801 - reads as a statement: with _lock(path)
    """Holds a file lock for as long as the engine lives; the kernel frees it at any death."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        self._file = self._path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise EngineRunningError("Another engine works on this store already.") from None

    def __exit__(self, *_: object) -> None:
        assert self._file is not None
        self._file.close()
