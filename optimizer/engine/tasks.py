"""What runs on a Dask worker: stages, each in a process of its own that a cancellation kills."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from distributed import Reschedule, Worker, WorkerPlugin, get_worker

from optimizer.engine.gate import Gate
from optimizer.engine.process import MemoryExceededError, StageCall, run_in_process
from optimizer.errors import CancelledError, InputError, StageError
from optimizer.keys import EXTRA_ROOMS, Resource, code_fingerprint, library_versions
from optimizer.settings import Capacity, Settings, capacity
from optimizer.stage import Files

TOPIC = "featherweight"
"""The Dask event topic of stages' progress: ``{"key", "started"|"fraction", "message", …}``."""
BENCHMARK = "benchmark"
"""The resource of workers that may measure latency."""
_PLENTY = 1e6

Outcome = dict[str, Any]
"""``{"files": …, "peak_memory_bytes": …}``, ``{"refused": text}``, ``{"failed": text, "log":
text}``, or ``{"too_large": text}`` for a stage that used more memory than its slots have.

Errors travel as text: an exception pickled in a stage process would drag TensorFlow along.
"""


def same_build() -> str:
    """The resource that a worker has when its results are the engine's: same code and libraries.

    A stage's key says what it is made with, so a worker with anything else must not make it.
    """
    content = json.dumps([code_fingerprint(*EXTRA_ROOMS), library_versions()], sort_keys=True)
    return f"build-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def worker_resources(room: Capacity, *, benchmark: bool) -> dict[str, float]:
    """What a worker offers: slots for training, one light stage beside them, and its build."""
    offered: dict[str, float] = {"slot": room.slots, "light": 1, same_build(): _PLENTY}
    offered["memory"] = room.memory_bytes  # nothing asks for it: it says what a slot's share is
    return offered | ({BENCHMARK: 1} if benchmark else {})


def task_resources(resource: Resource, slots: int) -> dict[str, float]:
    """What a stage asks of a worker. Being alone there is up to the worker's gate."""
    wanted: dict[Resource, dict[str, float]] = {
        "train": {"slot": slots},
        "light": {"light": 1},
        "quiet": {BENCHMARK: 1},
    }
    return {**wanted[resource], same_build(): 1}


class StagePlugin(WorkerPlugin):
    """Kills a stage's process when its task is released while executing."""

    name = "featherweight-stages"
    idempotent = True

    def setup(self, worker: Worker) -> None:
        """Called by Dask when the plugin arrives on a worker."""
        self.cancelled: dict[str, threading.Event] = {}
        self.gate = Gate()
        offered = worker.state.total_resources
        here = capacity(Settings())
        self.room = replace(
            here,
            slots=int(offered.get("slot", here.slots)),
            memory_bytes=int(offered.get("memory", here.memory_bytes)),
        )

    def transition(self, key: Any, start: str, finish: str, **kwargs: Any) -> None:
        """Called by Dask on the worker's event loop for each change of a task's state."""
        if start == "executing" and finish in ("cancelled", "released", "resumed"):
            event = self.cancelled.get(str(key))
            if event is not None:
                event.set()


def run_stage(
    key: str, call: StageCall, inputs: Mapping[str, Files], resource: Resource, slots: int
) -> Outcome:
    """Run one stage on this worker and report its progress as Dask events.

    Args:
        key: the task's Dask key.
        call: what to run; a memory limit of 0 is the share of its slots.
        inputs: the files of the stages before it.
        resource: ``quiet`` waits until nothing else runs on this worker, and runs alone.
        slots: how many of the worker's slots it occupies.

    Raises:
        Reschedule: the task was cancelled; should it be wanted again, Dask runs it again.
    """
    worker = get_worker()
    plugin: Any = worker.plugins[StagePlugin.name]
    cancelled = plugin.cancelled.setdefault(key, threading.Event())
    limit = call.memory_limit_bytes or _share(plugin.room, resource, slots)

    def report(fraction: float | None, message: str, **numbers: float) -> None:
        event = {"key": key, "fraction": fraction, "message": message, "numbers": numbers}
        worker.log_event(TOPIC, event)

    enter = plugin.gate.alone if resource == "quiet" else plugin.gate.together
    try:
        with enter(cancelled):
            worker.log_event(TOPIC, {"key": key, "started": True, "worker": worker.address})
            bounded = replace(call, memory_limit_bytes=limit)
            result = run_in_process(bounded, inputs, report, cancelled)
        return {"files": result.files, "peak_memory_bytes": result.peak_memory_bytes}
    except CancelledError:
        raise Reschedule from None
    except InputError as error:
        return {"refused": str(error)}
    except MemoryExceededError as error:
        return {"too_large": str(error)}
    except StageError as error:
        return {"failed": str(error), "log": error.log}
    finally:
        plugin.cancelled.pop(key, None)


def _share(room: Capacity, resource: Resource, slots: int) -> int:
    """Bytes that a stage may use: of its slots; reading a file runs beside others with half."""
    if resource == "quiet" or slots >= room.slots:
        return room.memory_bytes
    return room.memory_bytes // 2 if resource == "light" else slots * room.memory_per_slot
