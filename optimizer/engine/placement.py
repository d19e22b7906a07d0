"""Which worker runs what: the queue of stages, and the room on each worker.

Dask assigns a task that needs a resource to a worker at once, whether that worker has any of it
free, so one worker's queue grows while another idles. Here a stage waits until a worker has
room for it and is then sent to that one.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from optimizer.engine.cluster import WorkerFacts
from optimizer.keys import Resource


@dataclass
class _Load:
    """A worker, and what it is busy with.

    Attributes:
        lost: done when the worker is gone.
    """

    facts: WorkerFacts
    lost: asyncio.Future[None]
    slots_taken: int = 0
    light_taken: bool = False
    reserved: bool = False


@dataclass(order=True)
class _Waiting:
    """A stage that waits for room; the first in order goes first."""

    rank: tuple[int, int]
    resource: Resource = field(compare=False)
    slots: int = field(compare=False)
    found: asyncio.Future[_Load] = field(compare=False)


@dataclass(frozen=True)
class Place:
    """Where a stage may run.

    Attributes:
        address: of the worker.
        lost: done when the worker is gone.
    """

    address: str
    lost: asyncio.Future[None]


class Placement:
    """The room on the usable workers and the queue before them. Belongs to one event loop."""

    def __init__(self) -> None:
        self._loads: dict[str, _Load] = {}
        self._waiting: list[_Waiting] = []
        self._numbers = itertools.count()

    def update(self, workers: Sequence[WorkerFacts]) -> None:
        """Take note of which workers there are now; whoever ran on one that is gone is told."""
        usable = {worker.address: worker for worker in workers if worker.usable}
        for address in set(self._loads) - set(usable):
            self._loads.pop(address).lost.set_result(None)
        loop = asyncio.get_running_loop()
        for address in set(usable) - set(self._loads):
            self._loads[address] = _Load(usable[address], loop.create_future())
        self._serve()

    @property
    def waiting(self) -> int:
        """How many stages wait for room."""
        return len(self._waiting)

    async def acquire(self, resource: Resource, slots: int, priority: int) -> Place:
        """Wait for room. Give the place back with :meth:`release`."""
        found: asyncio.Future[_Load] = asyncio.get_running_loop().create_future()
        entry = _Waiting((-priority, next(self._numbers)), resource, slots, found)
        self._waiting.append(entry)
        self._waiting.sort()
        self._serve()
        try:
            load = await found
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
            elif found.done() and not found.cancelled():
                self._give_back(found.result(), resource, slots)
            self._serve()
            raise
        return Place(load.facts.address, load.lost)

    def release(self, place: Place, resource: Resource, slots: int) -> None:
        """Give back what :meth:`acquire` gave."""
        load = self._loads.get(place.address)
        if load is not None and load.lost is place.lost:
            self._give_back(load, resource, slots)
            self._serve()

    def _give_back(self, load: _Load, resource: Resource, slots: int) -> None:
        if resource == "train":
            load.slots_taken -= slots
        elif resource == "light":
            load.light_taken = False
        else:
            load.reserved = False

    def _serve(self) -> None:
        """Give room to those that wait, in their order; nobody overtakes who needs the same."""
        blocked: set[Resource] = set()
        for entry in list(self._waiting):
            if entry.resource in blocked or entry.found.done():
                continue
            load = self._room(entry)
            if load is None:
                blocked.add(entry.resource)
                continue
            if entry.resource == "train":
                load.slots_taken += entry.slots
            elif entry.resource == "light":
                load.light_taken = True
            else:
                load.reserved = True  # nothing new begins there; what runs is waited for there
            self._waiting.remove(entry)
            entry.found.set_result(load)

    def _room(self, entry: _Waiting) -> _Load | None:
        """The emptiest worker with room for a stage."""
        free = [load for load in self._loads.values() if not load.reserved]
        if entry.resource == "quiet":
            free = [load for load in free if load.facts.benchmark]
        elif entry.resource == "light":
            free = [load for load in free if not load.light_taken]
        else:
            free = [load for load in free if load.facts.slots - load.slots_taken >= entry.slots]
        return min(free, key=lambda load: load.slots_taken / max(1, load.facts.slots), default=None)
