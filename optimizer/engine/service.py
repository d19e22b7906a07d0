"""The engine: takes runs from the store, executes them, and says how it is."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict

from optimizer.engine.execution import Execution
from optimizer.engine.lock import EngineLock, EngineRunningError, started_at
from optimizer.engine.pool import Pool
from optimizer.engine.process import preload
from optimizer.engine.runner import StageRunner
from optimizer.errors import FeatherweightError, StageError
from optimizer.logs.events import about, event
from optimizer.run_progress import RESUMED
from optimizer.settings import Settings, capacity
from optimizer.store import Store, StoreError
from optimizer.store.base import utc_now
from optimizer.store.records import EngineState, EngineStatus, Run

_POLL_SECONDS = 0.1
HEARTBEAT_SECONDS = 2.0
_RETRY_SECONDS = 1.0
MOST_VAIN_RESUMES = 5
"""How often a run is resumed at most without a stage of it being done in between: whatever ends
the engine that often is the run itself, or would not let it be done either."""
STOPPED = "The engine is stopped; the next one goes on from the last finished stage."
_log = logging.getLogger(__name__)
__all__ = ["Engine", "EngineRunningError"]


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
        self._status: EngineStatus = "warming"
        self._detail = "starting"

    async def serve(self, finished: Callable[[], bool] = lambda: False) -> None:
        """Work until ``finished()`` or until cancelled.

        Raises:
            EngineRunningError: another engine holds this store's lock.
            StoreError: the store cannot be written at the start, or is damaged.
        """
        with EngineLock(self._store.home):
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
                await self._work(finished)
            finally:
                beat.cancel()
                await self._stop()

    async def _work(self, finished: Callable[[], bool]) -> None:
        """Take runs and cancel them as the store says, until ``finished()``.

        A disk that is full or a store that another process keeps busy ends no engine: it goes on
        when that is over.
        """
        seen = -1
        while not finished():
            try:
                version = self._store.version()
                if version != seen:
                    self._take_runs()
                    self._cancel_runs()
                    seen = version
            except StoreError as error:
                if error.damaged:
                    raise
                event(_log, "store_refused", level=logging.ERROR, error=error)
                await asyncio.sleep(_RETRY_SECONDS)
            await asyncio.sleep(_POLL_SECONDS)

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
            vain = _vain_resumes(self._store.read_log(run.id))
            if vain >= MOST_VAIN_RESUMES and not run.cancel_requested:
                error = (
                    f"The engine ended {vain + 1} times while this run was under way, and no stage "
                    "of it was done in between. Free memory or make the recipe smaller, look at "
                    "the run's log and at engine.log, then run it again: what is done is kept."
                )
                Execution(self._store, self._runner, run, self._threads).record_failure(error)
                continue
            self._store.append_log(run.id, f"{utc_now()} {RESUMED}\n")
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
                try:
                    with about(run=run.id, study=run.study_id):
                        execution.record_cancellation()
                except StoreError as error:  # it stays as it is, and the next engine cancels it
                    event(_log, "cancel_lost", level=logging.ERROR, error=error, run=run.id)

        task.add_done_callback(ended)

    async def _guard(self, run: Run, execution: Execution) -> None:
        """What ends one run must not end the others, and is recorded as soon as that can be."""
        event(_log, "run_started", kind=run.kind, variants=len(run.variant_ids), text=run.title)
        started = time.monotonic()
        ending: FeatherweightError | None = None
        try:
            await execution.run()
        except FeatherweightError as error:
            ending = error
        except Exception as error:
            event(_log, "run_broke", level=logging.ERROR, error=error)
            ending = StageError(
                f"An internal error ended this run: {type(error).__name__}: {error}"
            )
        while True:
            try:
                if ending is not None:
                    execution.record_failure(str(ending))
                state = self._store.get_run(run.id).state
                break
            except StoreError as error:
                event(_log, "ending_lost", level=logging.ERROR, error=error, text=str(ending))
                await asyncio.sleep(_RETRY_SECONDS)
        level = logging.INFO if ending is None else logging.WARNING
        seconds = time.monotonic() - started
        said = None if ending is None else str(ending)
        event(_log, f"run_{state}", level=level, seconds=seconds, text=said)

    def _cancel_runs(self) -> None:
        for run_id, task in list(self._active.items()):
            if self._store.get_run(run_id).cancel_requested:
                task.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            try:
                self._say(self._status, self._where() if self._status == "ready" else self._detail)
            except StoreError as error:
                event(_log, "beat_lost", level=logging.ERROR, error=error)

    def _say(self, status: EngineStatus, detail: str) -> None:
        self._status, self._detail = status, detail
        workers = [asdict(worker) for worker in self._pool.crew.workers]
        pid, slots = os.getpid(), self._pool.crew.slots
        state = EngineState(pid, started_at(pid), utc_now(), status, detail, slots, workers)
        self._store.set_engine_state(state)

    async def _stop(self) -> None:
        """End what runs; runs stay marked running, and the next engine resumes them."""
        for run_id in self._active:
            with suppress(StoreError):
                self._store.append_log(run_id, f"{utc_now()} {STOPPED}\n")
        tasks = list(self._active.values())
        event(_log, "engine_stopping", runs=len(tasks))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Dask's parts complain of each other while they are closed; that is no error of ours.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        await self._pool.stop()
        try:
            self._store.set_engine_state(None)
        except StoreError as error:
            event(_log, "state_lost", level=logging.ERROR, error=error)


def _vain_resumes(log: str) -> int:
    """How often a run was resumed since a stage of it was done or somebody stopped the engine."""
    resumed = 0
    for line in reversed(log.splitlines()):
        if ": done in " in line or STOPPED in line:
            break
        resumed += RESUMED in line
    return resumed
