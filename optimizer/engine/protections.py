"""Which protections of stage processes hold on this machine, found by trying what is forbidden."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from optimizer.engine.forks import Forks
from optimizer.engine.process import StageCall, run_in_process
from optimizer.stage import ignore_progress

_PROBE = "optimizer.engine.probe"


@dataclass(frozen=True)
class Protection:
    """One protection.

    Attributes:
        name: a word or two.
        holds: whether a stage process on this machine has it.
        detail: what it is, or why it is not there.
    """

    name: str
    holds: bool
    detail: str


def report() -> list[Protection]:
    """Start a process as stages are started, let it try what it must not, and say what happened.

    Takes about half a second; TensorFlow is not imported.

    Raises:
        StageError: such a process cannot be started.
    """
    forks = Forks(preload=_PROBE)
    with tempfile.TemporaryDirectory(prefix="featherweight-") as folder:
        outside = Path(folder) / "secret"
        outside.write_bytes(b"secret")
        params = {"outside": str(outside), "process_id": os.getpid()}
        call = StageCall(f"{_PROBE}:stage", params, 0, 2**30)
        try:
            result = run_in_process(call, {}, ignore_progress, threading.Event(), forks=forks)
        finally:
            forks.stop()
    return [Protection(**found) for found in json.loads(result.files["found.json"])]
