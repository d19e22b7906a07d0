"""Runs stages on a Dask cluster; knows nothing of recipes or the store."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distributed import Future

from optimizer.engine.cluster import Event, WorkerFacts, open_cluster
from optimizer.engine.crew import Crew
from optimizer.engine.placement import Place, Placement
from optimizer.engine.process import MemoryExceededError, StageCall
from optimizer.engine.tasks import Outcome, run_stage, task_resources
from optimizer.errors import FeatherweightError, InputError, StageError
from optimizer.keys import Resource
from optimizer.settings import Capacity, Settings
from optimizer.stage import Files

ProgressEvent = dict[str, Any]
Listener = Callable[[ProgressEvent], None]
_HELD_BYTES = 512 * 2**20
_LOOK_SECONDS = 1.0
_ATTEMPTS = 3
"""How often a stage is begun at most when its worker or the scheduler is lost."""
_RECONNECT_SECONDS = 120.0


@dataclass(frozen=True)
class Job:
    """A stage to run.

    Attributes:
        key: the stage's content key.
        call: what to run; a memory limit of 0 is its slots' share of the worker's memory.
        inputs: input name → its content key, and how to read it when no worker holds it.
        resource: what the stage occupies.
        slots: how many slots, where it trains.
        priority: of those that wait the highest begins first.
    """

    key: str
    call: StageCall
    inputs: Mapping[str, tuple[str, Callable[[], Files]]]
    resource: Resource
    slots: int = 1
    priority: int = 0


@dataclass(frozen=True)
class JobResult:
    """What a stage returned, and the most memory that its process held."""

    files: Files
    peak_memory_bytes: int


class _LostError(Exception):
    """The worker that ran a stage, or the scheduler, is gone."""


class Pool:
    """Runs stages on the cluster that the settings say.

    Args:
        settings: where stages run.
        room: what this machine gives, when they run here.
        folder: where Dask may keep temporary files.

    Attributes:
        crew: the workers as they are known now.
    """

    def __init__(self, settings: Settings, room: Capacity, folder: Path) -> None:
        self._settings, self._room, self._folder = settings, room, folder
        self._attempts = itertools.count(1)
        self._name = secrets.token_hex(4)
        self._listeners: dict[str, Listener] = {}
        self._held: OrderedDict[str, tuple[Future, int]] = OrderedDict()
        self._connecting, self._holding = asyncio.Lock(), asyncio.Lock()
        self._placement = Placement()
        self.crew = Crew("this machine")

    async def start(self) -> None:
        """Start or join the cluster on this event loop.

        Raises:
            InputError: the certificates cannot be read.
            StageError: the scheduler does not answer.
        """
        await self._open()
        self._look = asyncio.create_task(self._keep_looking())

    async def stop(self) -> None:
        """Close everything; running stages are killed."""
        if hasattr(self, "_look"):
            self._look.cancel()
            await self._cluster.close()

    async def run(self, job: Job, listen: Listener) -> JobResult:
        """Run a stage and wait for its files. Cancelling the awaiting task kills the stage.

        A stage whose worker is lost is run again.

        Args:
            job: what to run.
            listen: told of each progress event, on the event loop.

        Raises:
            InputError: the stage refused its input.
            MemoryExceededError: it used more memory than its slots have.
            StageError: it failed, crashed or was killed, or its workers or the scheduler were lost.
            StoreError: an input cannot be read.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                outcome = await self._attempt(job, listen)
                break
            except _LostError as lost:
                self._held.clear()  # what the worker held is lost with it
                if attempt == _ATTEMPTS:
                    raise StageError(
                        f"The stage was begun {attempt} times, and each time its worker was lost. "
                        "Look at the workers' logs; a stage that needs more memory than the "
                        "machine has ends like this.",
                        log=str(lost),
                    ) from None
                listen({"waiting": "its worker was lost; it is run again"})
                await self._reconnect()
        if "refused" in outcome:
            raise InputError(outcome["refused"])
        if "too_large" in outcome:
            raise MemoryExceededError(outcome["too_large"])
        if "failed" in outcome:
            raise StageError(outcome["failed"], log=outcome["log"])
        return JobResult(outcome["files"], outcome["peak_memory_bytes"])

    async def _attempt(self, job: Job, listen: Listener) -> Outcome:
        """Begin a stage where there is room, and wait for what becomes of it.

        Raises:
            _LostError: its worker or the scheduler is gone.
        """
        watch = asyncio.create_task(self._say_why_waiting(job, listen))
        try:
            place = await self._placement.acquire(job.resource, job.slots, job.priority)
        finally:
            watch.cancel()
        try:
            return await self._attempt_at(place, job, listen)
        finally:
            self._placement.release(place, job.resource, job.slots)

    async def _attempt_at(self, place: Place, job: Job, listen: Listener) -> Outcome:
        # A key of its own for each attempt: Dask would answer a retry with the last outcome.
        key = f"{job.key}-{self._name}-{next(self._attempts)}"
        self._listeners[key] = listen
        result: asyncio.Task[Outcome] | None = None
        try:
            held = {name: await self._hold(*source) for name, source in job.inputs.items()}
            future = self._cluster.client.submit(
                run_stage,
                *(key, self._bounded(job.call), held, job.resource, job.slots),
                key=key,
                workers=[place.address],
                resources=task_resources(job.resource, job.slots),
                pure=False,
            )
            result = asyncio.create_task(_outcome(future))
            either: set[asyncio.Future[Any]] = {result, place.lost}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not result.done():
                raise _LostError(f"{place.address} is gone")
            return result.result()
        except asyncio.CancelledError:
            if result is not None:
                cancel = self._cluster.client.cancel([future], force=True, reason="cancelled")
                with suppress(OSError):
                    await asyncio.shield(cancel)
            raise
        except FeatherweightError:
            raise  # an input that cannot be read is no worker's fault
        except (OSError, TimeoutError, RuntimeError) as error:
            raise _LostError(repr(error)) from None
        finally:
            self._listeners.pop(key, None)
            if result is not None:
                result.cancel()
                future.release()

    def _bounded(self, call: StageCall) -> StageCall:
        minutes = self._settings.stage_minutes
        return replace(call, processor_minutes=minutes) if minutes else call

    async def _say_why_waiting(self, job: Job, listen: Listener) -> None:
        """While no worker could run the stage, say so."""
        said = ""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            reason = (
                self.crew.missing(job.resource)
                if self._cluster.connected
                else f"waits for the scheduler {self.crew.where}, which does not answer"
            )
            if reason and reason != said:
                listen({"waiting": reason})
            said = reason

    def _know(self, workers: list[WorkerFacts]) -> None:
        self.crew = Crew(self._cluster.where, workers)
        self._placement.update(workers)

    async def _keep_looking(self) -> None:
        """Know the workers, who come and go, and join the scheduler again when it was lost."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            with suppress(OSError, TimeoutError, FeatherweightError):
                if self._cluster.connected:
                    self._know(await self._cluster.workers())
                else:
                    self._know([])
                    await self._join_again()

    async def _join_again(self) -> None:
        """One attempt to join the scheduler, unless another attempt has just succeeded.

        Raises:
            StageError: it does not answer.
        """
        async with self._connecting:
            if self._cluster.connected:
                return
            await self._cluster.close()
            await self._open()

    async def _open(self) -> None:
        """Start or join the cluster.

        Raises:
            InputError: the certificates cannot be read.
            StageError: the scheduler does not answer.
        """
        self._cluster = await open_cluster(self._settings, self._room, self._folder)
        self._know(await self._cluster.begin(self._on_event))

    async def _reconnect(self) -> None:
        """Wait until a scheduler that was lost is back.

        Raises:
            StageError: it stays away.
        """
        deadline = time.monotonic() + _RECONNECT_SECONDS
        while not self._cluster.connected:
            try:
                await self._join_again()
            except StageError as error:
                if time.monotonic() > deadline:
                    raise StageError(
                        f"The stage's scheduler was lost and has stayed away for "
                        f"{_RECONNECT_SECONDS:.0f} s. {error}",
                        log=error.log,
                    ) from None
                await asyncio.sleep(_LOOK_SECONDS)

    async def _hold(self, key: str, read: Callable[[], Files]) -> Future:
        """The input on the cluster, sent there once and kept while there is room."""
        async with self._holding:
            known = self._held.get(key)
            if known is not None and known[0].status == "finished":
                self._held.move_to_end(key)
                return known[0]
            files = await asyncio.to_thread(read)
            size = sum(len(content) for content in files.values())
            # In a list: scatter takes a dict for several values and their Dask keys.
            (future,) = await self._cluster.client.scatter([files], hash=False)
            self._held[key] = (future, size)
            while len(self._held) > 1 and sum(s for _, s in self._held.values()) > _HELD_BYTES:
                self._held.popitem(last=False)
            return future

    def _on_event(self, event: Event) -> None:
        message = event[1]
        listener = self._listeners.get(message.get("key", ""))
        if listener is None:
            return
        if message.get("started") and self._settings.scheduler:
            message = {**message, "where": f" on {message['worker']}"}
        listener(message)


async def _outcome(future: Future) -> Outcome:
    """What became of a task.

    Raises:
        _LostError: its worker, its inputs or the scheduler are gone. A stage's own failure is
            an outcome, so whatever Dask raises is that.
    """
    try:
        outcome: Outcome = await future.result()
    except Exception as error:
        raise _LostError(repr(error)) from None
    return outcome
