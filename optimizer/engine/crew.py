"""What is known of the workers: how much runs at once, how much room there is, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optimizer.engine.cluster import WorkerFacts
from optimizer.errors import StageError
from optimizer.keys import Resource


@dataclass(frozen=True)
class Crew:
    """The workers that are connected now.

    Attributes:
        where: the scheduler they are connected to, in words.
        workers: also those that cannot be used.
    """

    where: str
    workers: Sequence[WorkerFacts] = ()

    @property
    def usable(self) -> list[WorkerFacts]:
        """The workers whose results are the engine's."""
        return [worker for worker in self.workers if worker.usable]

    @property
    def slots(self) -> int:
        """How many training stages may run at once on all usable workers."""
        return sum(worker.slots for worker in self.usable)

    @property
    def most_slots(self) -> int:
        """The slots of the largest usable worker."""
        return max((worker.slots for worker in self.usable), default=1)

    def slots_for(self, memory_bytes: int) -> int:
        """How many slots a stage takes that needs so much memory.

        Raises:
            StageError: no worker has so much.
        """
        usable = [worker for worker in self.usable if worker.slots]
        if not usable or not all(worker.memory_bytes for worker in usable):
            return 1
        largest = max(usable, key=lambda worker: worker.memory_bytes)
        if memory_bytes > largest.memory_bytes:
            raise StageError(
                f"The stage is expected to need {memory_bytes / 2**30:.1f} GiB of memory; the "
                f"largest worker gives stages {largest.memory_bytes / 2**30:.1f} GiB. Use a "
                "smaller dataset or model, or a machine with more memory."
            )
        shares = [worker.memory_bytes / worker.slots for worker in usable]
        return min(largest.slots, max(1, -(-memory_bytes // int(min(shares)))))

    def missing(self, resource: Resource) -> str:
        """Why no worker can run a stage, or nothing."""
        if not self.workers:
            return f"waits for a worker: none is connected to {self.where}"
        if not self.usable:
            return (
                f"waits for a worker: the {len(self.workers)} connected to {self.where} have other "
                "versions of Featherweight or of its libraries, or were started in another way"
            )
        if resource == "quiet" and not any(worker.benchmark for worker in self.usable):
            return "waits for a worker that may measure latency (started with --benchmark)"
        return ""
