"""What runs on a Dask worker: stages, each in a process of its own that a cancellation kills."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from distributed import Reschedule, Worker, WorkerPlugin, get_worker

from optimizer.engine.process import StageCall, run_in_process
from optimizer.errors import CancelledError, InputError, StageError
from optimizer.stage import Files

TOPIC = "featherweight"
"""The Dask event topic of stages' progress: ``{"key", "started"|"fraction", "message", …}``."""

Outcome = dict[str, Any]
"""``{"files": …}``, ``{"refused": text}`` or ``{"failed": text, "log": text}``.

Errors travel as text: an exception pickled in a stage process would drag TensorFlow along.
"""


class StagePlugin(WorkerPlugin):
    """Kills a stage's process when its task is released while executing."""

    name = "featherweight-stages"
    idempotent = True

    def setup(self, worker: Worker) -> None:
        """Called by Dask when the plugin arrives on a worker."""
        self.cancelled: dict[str, threading.Event] = {}

    def transition(self, key: Any, start: str, finish: str, **kwargs: Any) -> None:
        """Called by Dask on the worker's event loop for each change of a task's state."""
        if start == "executing" and finish in ("cancelled", "released", "resumed"):
            event = self.cancelled.get(str(key))
            if event is not None:
                event.set()


def run_stage(key: str, call: StageCall, inputs: Mapping[str, Files]) -> Outcome:
    """Run one stage on this worker and report its progress as Dask events.

    Args:
        key: the task's Dask key.
        call: what to run.
        inputs: the files of the stages before it.

    Raises:
        Reschedule: the task was cancelled; should it be wanted again, Dask runs it again.
    """
    worker = get_worker()
    plugin: Any = worker.plugins[StagePlugin.name]
    cancelled = plugin.cancelled.setdefault(key, threading.Event())
    worker.log_event(TOPIC, {"key": key, "started": True})

    def report(fraction: float | None, message: str, **numbers: float) -> None:
        event = {"key": key, "fraction": fraction, "message": message, "numbers": numbers}
        worker.log_event(TOPIC, event)

    try:
        return {"files": run_in_process(call, inputs, report, cancelled)}
    except CancelledError:
        raise Reschedule from None
    except InputError as error:
        return {"refused": str(error)}
    except StageError as error:
        return {"failed": str(error), "log": error.log}
    finally:
        plugin.cancelled.pop(key, None)
