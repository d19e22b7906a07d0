"""Running one stage in an isolated, killable process, forked from a server with TensorFlow.

A segfault, a failed allocation or a kill from outside ends that stage with a sentence and
nothing else; cancelling is a kill of the process group; memory is given back.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from optimizer.errors import CancelledError, InputError, StageError
from optimizer.stage import Files, Progress
from optimizer.tf_environment import configure

_POLL_SECONDS = 0.05
_PROGRESS_SECONDS = 0.1
_LOG_BYTES = 20_000
_starting = threading.Lock()
_context = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class StageCall:
    """What a stage process is asked to do.

    Attributes:
        function: ``module:function``; see :mod:`optimizer.stage`.
        params: the stage's parameters.
        threads: processor threads TensorFlow may use.
        memory_limit_bytes: resident memory at which the process is ended.
    """

    function: str
    params: Mapping[str, Any]
    threads: int
    memory_limit_bytes: int


@dataclass(frozen=True)
class StageResult:
    """What a stage process left.

    Attributes:
        files: what the stage returned.
        peak_memory_bytes: the most resident memory that was seen while it ran.
    """

    files: Files
    peak_memory_bytes: int


class MemoryExceededError(StageError):
    """A stage used more memory than it was given."""


def preload() -> None:
    """Start the fork server and wait until its imports are done (some 10 to 15 s the first time).

    Raises:
        StageError: the stage processes cannot import what they need.
    """
    # The fork server looks for modules in its own path, not in this process's.
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    _context.set_forkserver_preload(["optimizer.engine.preload"])
    call = StageCall("optimizer.engine.process:ready", {}, 1, 8 * 2**30)
    run_in_process(call, {}, lambda *_, **__: None, threading.Event())


def ready(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """A stage that only shows that stage processes start with their imports in place."""
    importlib.import_module("optimizer.engine.preload")
    return {}


def run_in_process(
    call: StageCall,
    inputs: Mapping[str, Files],
    progress: Progress,
    cancelled: threading.Event,
) -> StageResult:
    """Run a stage in a process of its own and wait for it.

    Raises:
        CancelledError: ``cancelled`` was set; the process group was killed.
        InputError: the stage refused its input.
        MemoryExceededError: it exceeded its memory limit.
        StageError: it failed, crashed or was killed.
    """
    with tempfile.TemporaryDirectory(prefix="featherweight-stage-") as folder:
        receiver, sender = _context.Pipe()
        process = _context.Process(target=_child, args=(sender, call, folder), daemon=True)
        with _without_main():
            process.start()
        sender.close()
        try:
            return _converse(process, receiver, call, inputs, progress, cancelled, Path(folder))
        finally:
            _kill(process)
            receiver.close()


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the program's own script: a forkserver child would run it again from its top."""
    main = sys.modules["__main__"]
    with _starting:
        hidden = {name: main.__dict__.pop(name, None) for name in ("__file__", "__spec__")}
        main.__spec__ = None
        try:
            yield
        finally:
            main.__dict__.update({k: v for k, v in hidden.items() if k == "__spec__" or v})


def _converse(
    process: Any,
    receiver: Connection,
    call: StageCall,
    inputs: Mapping[str, Files],
    progress: Progress,
    cancelled: threading.Event,
    folder: Path,
) -> StageResult:
    peak = 0
    try:
        receiver.send(inputs)
        while True:
            if cancelled.is_set():
                raise CancelledError("Cancelled.")
            peak = max(peak, _checked_memory(process.pid, call.memory_limit_bytes))
            if not receiver.poll(_POLL_SECONDS):
                continue
            kind, *content = receiver.recv()
            if kind == "progress":
                fraction, message, numbers = content
                progress(fraction, message, **numbers)
            elif kind == "done":
                return StageResult(content[0], peak)
            else:
                raise InputError(content[0]) if kind == "refused" else StageError(*content)
    except (EOFError, ConnectionError):
        process.join(timeout=5)
        raise StageError(_ending(process.exitcode), log=_read_log(folder)) from None


def _ending(exit_code: int | None) -> str:
    """A sentence for a stage process that ended without a word."""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        cause = {
            "SIGKILL": "it was killed from outside, or the machine ran out of memory",
            "SIGSEGV": "a crash in native code",
            "SIGABRT": "native code gave up",
            "SIGTERM": "it was asked to end from outside",
        }.get(name, "it received a signal")
        return (
            f"The stage's process ended with {name}: {cause}. Run it again, or try another recipe."
        )
    return f"The stage's process ended without a result (exit code {exit_code}). Run it again."


def _checked_memory(pid: int, limit_bytes: int) -> int:
    """Resident bytes of a process; 0 when it has ended.

    Raises:
        MemoryExceededError: they are more than its limit.
    """
    with suppress(psutil.NoSuchProcess):
        used: int = psutil.Process(pid).memory_info().rss
        if used > limit_bytes:
            raise MemoryExceededError(
                f"The stage used {used / 2**30:.1f} GiB of memory, more than its limit of "
                f"{limit_bytes / 2**30:.1f} GiB. Try a smaller batch size or a smaller model."
            )
        return used
    return 0


def _kill(process: Any) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if process.exitcode is None:
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join(timeout=5)


def _read_log(folder: Path) -> str:
    with suppress(OSError):
        return (folder / "log").read_bytes()[-_LOG_BYTES:].decode(errors="replace")
    return ""


def _child(connection: Connection, call: StageCall, folder: str) -> None:
    """The stage process: receives the inputs, runs the function, sends what came of it."""
    os.setsid()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.chdir(folder)
    tempfile.tempdir = os.environ["TMPDIR"] = folder
    log = os.open("log", os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    inputs = connection.recv()
    try:
        _set_threads(call.threads)
        module, _, name = call.function.partition(":")
        function: Callable[..., Files] = getattr(importlib.import_module(module), name)
        connection.send(("done", function(call.params, inputs, _Sender(connection))))
    except InputError as error:
        connection.send(("refused", str(error)))
    except StageError as error:
        connection.send(("failed", str(error), error.log or traceback.format_exc()))
    except MemoryError:
        connection.send(("failed", "The stage ran out of memory.", traceback.format_exc()))
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0][:300]
        message = f"The stage failed: {type(error).__name__}: {first}"
        connection.send(("failed", message, traceback.format_exc()))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.killpg(os.getpid(), signal.SIGKILL)


def _set_threads(threads: int) -> None:
    configure()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


class _Sender:
    """Sends a stage's progress to its parent, a few times a second at most."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = 0.0

    def __call__(self, fraction: float | None, message: str, **numbers: float) -> None:
        now = time.monotonic()
        if now - self._last >= _PROGRESS_SECONDS or fraction == 1.0:
            self._last = now
            self._connection.send(("progress", fraction, message, numbers))
