"""Running stages once: from the store when they are there, shared when several runs ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from optimizer.engine.pool import Job, JobResult, Listener, Pool, ProgressEvent
from optimizer.engine.process import MemoryExceededError, StageCall
from optimizer.keys import Source, Stage, StoredResult
from optimizer.stage import Files
from optimizer.store import Store, StoreError
from optimizer.store.artifacts import Signature

_PRIORITIES = {"evaluate": 4, "prune": 3, "cluster": 2, "convert": 1}
"""Which stages begin first: what lists a variant in a moment, then what most others wait for, then
conversions; quantization-aware training, which only one variant waits for, comes last."""


@dataclass
class _Active:
    """A stage under way, and who listens to its progress."""

    task: asyncio.Task[None]
    listeners: list[Listener] = field(default_factory=list)
    last: ProgressEvent | None = None


class StageRunner:
    """Executes single stages whose inputs are in the store, and stores their results.

    Args:
        store: where results go.
        pool: where stages run.
    """

    def __init__(self, store: Store, pool: Pool) -> None:
        self._store, self._pool = store, pool
        self._active: dict[str, _Active] = {}
        self._whole: dict[str, Signature] = {}

    def has(self, stage: Stage) -> bool:
        """Whether the stage's result is in the store, whole: a damaged one is made again.

        Its content is checked once, and again when its files' sizes or times have changed since.
        """
        signature = self._store.artifacts.signature(stage.key)
        if signature and self._whole.get(stage.key) == signature:
            return True
        self._whole.pop(stage.key, None)
        if self._store.artifacts.verify(stage.key):
            self._whole[stage.key] = signature
            return True
        return False

    async def run(self, stage: Stage, listen: Listener) -> None:
        """Run a stage, or join it when it is under way, until its result is in the store.

        Cancelling the awaiting task ends the stage when nobody else waits for it.

        Raises:
            InputError: the stage refused its input.
            StageError: it failed, crashed or was killed.
        """
        active = self._active.get(stage.key)
        if active is None:
            active = _Active(asyncio.create_task(self._execute(stage)))
            self._active[stage.key] = active
        elif active.last is not None:
            listen(active.last)
        active.listeners.append(listen)
        try:
            await asyncio.shield(active.task)
        except asyncio.CancelledError:
            active.listeners.remove(listen)
            if not active.listeners:
                active.task.cancel()
                with suppress(asyncio.CancelledError):
                    await active.task
            raise

    async def _execute(self, stage: Stage) -> None:
        started = time.monotonic()

        def listen(event: ProgressEvent) -> None:
            nonlocal started
            if event.get("started"):
                started = time.monotonic()
            active = self._active.get(stage.key)
            if active is not None:
                active.last = event
                for listener in list(active.listeners):
                    listener(event)

        try:
            result = await self._run(stage, listen)
            meta: dict[str, Any] = {
                "stage": stage.name,
                "seconds": time.monotonic() - started,
                "peak_memory_bytes": result.peak_memory_bytes,
                "params": dict(stage.params),
            }
            await asyncio.to_thread(self._store.artifacts.write, stage.key, result.files, meta)
        finally:
            self._active.pop(stage.key, None)

    async def _run(self, stage: Stage, listen: Listener) -> JobResult:
        """Run a stage in as many slots as it is expected to need, and in all if it needs more."""
        inputs = {name: (source.key, self._reader(source)) for name, source in stage.inputs.items()}
        job = Job(
            stage.key,
            StageCall(stage.function, dict(stage.params), stage.threads, 0),
            inputs,
            stage.resource,
            self._pool.crew.slots_for(stage.memory_bytes) if stage.resource == "train" else 1,
            _PRIORITIES.get(stage.name, 0),
        )
        try:
            return await self._pool.run(job, listen)
        except MemoryExceededError as error:
            most = self._pool.crew.most_slots
            if stage.resource != "train" or job.slots >= most:
                raise
            listen({"waiting": f"{error} It waits to have all {most} slots for itself."})
            return await self._pool.run(replace(job, slots=most), listen)

    def _reader(self, source: Stage | Source | StoredResult) -> Callable[[], Files]:
        if isinstance(source, Source):
            return lambda: {"data": self._store.read_file(source.sha256)}

        def read() -> Files:
            try:
                return self._store.artifacts.read_all(source.key)
            except StoreError:
                self._whole.pop(source.key, None)  # so that whoever needs it next makes it again
                raise

        return read
