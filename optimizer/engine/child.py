"""The stage process: confines itself, reads what to do, runs the function, says what came of it."""

from __future__ import annotations

import errno
import importlib
import os
import pickle
import signal
import struct
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from optimizer.confinement import Limits, confine, kernel, problems
from optimizer.confinement.limits import os_error_sentence
from optimizer.confinement.variables import stage_variables
from optimizer.engine.messages import Kind, frame
from optimizer.errors import InputError, StageError
from optimizer.stage import Files
from optimizer.tf_environment import configure

CALL_LENGTH = struct.Struct("<I")
_PROGRESS_SECONDS = 0.1
_OUT_OF_MEMORY = "The stage ran out of memory. Try a smaller batch size or a smaller model."


def run(order: Mapping[str, Any], inputs: int, results: int, log: int) -> None:
    """Be a stage process.

    Args:
        order: ``folder`` and ``limits``.
        inputs, results, log: descriptors: what to do comes in, what came of it goes out, and
            where to print.
    """
    inputs, results = _keep_only(inputs, results, log)
    limits, folder = Limits(**order["limits"]), Path(order["folder"])
    _settle(folder)
    process_id = _process_id()
    confine(limits, folder)
    tell = _Teller(results)
    may_start = limits.processes > 0 or "filter" in problems
    tell.say("hello", process_id=process_id, may_start=may_start)
    # From here on there are bytes of people's files in this process.
    try:
        tell.say("done", files=_result(inputs, tell))
    except InputError as error:
        tell.say("refused", text=str(error))
    except StageError as error:
        tell.say("failed", text=str(error), log=error.log or traceback.format_exc())
    except MemoryError:
        tell.say("too_large", text=_OUT_OF_MEMORY, log=traceback.format_exc())
    except Exception as error:
        tell.say(*_failure(error, limits), log=traceback.format_exc())
    sys.stdout.flush()
    sys.stderr.flush()


def _failure(error: Exception, limits: Limits) -> tuple[Kind, str]:
    """What to say of an exception that is not meant for a person."""
    if isinstance(error, OSError):
        if error.errno == errno.ENOMEM:
            return "too_large", _OUT_OF_MEMORY
        sentence = os_error_sentence(error, limits)
        if sentence:
            return "failed", sentence
    if type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
        return "too_large", _OUT_OF_MEMORY
    first = (str(error).strip().splitlines() or [""])[0][:300]
    return "failed", f"The stage failed: {type(error).__name__}: {first}"


def _result(inputs: int, tell: _Teller) -> Files:
    with open(inputs, "rb") as source:
        (length,) = CALL_LENGTH.unpack(source.read(CALL_LENGTH.size))
        call = pickle.loads(source.read(length))  # noqa: S301 - the engine's own words
        files: dict[str, Files] = {
            name: {file: source.read(size) for file, size in listed}
            for name, listed in call["inputs"]
        }
    _set_threads(call["threads"])
    module, _, name = call["function"].partition(":")
    function: Callable[..., Files] = getattr(importlib.import_module(module), name)
    return function(call["params"], files, tell.progress)


def _keep_only(inputs: int, results: int, log: int) -> tuple[int, int]:
    """Close every descriptor but three; the log takes the place of the standard streams."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.set_inheritable(inputs, False)
    os.set_inheritable(results, False)
    kept = {0, 1, 2, inputs, results}
    try:
        listed = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        listed = list(range(256))
    for descriptor in listed:
        if descriptor not in kept:
            with suppress(OSError):
                os.close(descriptor)
    return inputs, results


def _settle(folder: Path) -> None:
    """A session, a folder and an environment of its own; an end with the fork server."""
    server = os.getppid()
    os.setsid()
    if sys.platform == "linux":
        with suppress(OSError):
            kernel.control(kernel.SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    else:
        threading.Thread(target=_end_with, args=(server,), daemon=True).start()
    if os.getppid() != server:
        os._exit(1)
    os.umask(0o077)
    os.chdir(folder)
    environment = stage_variables(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = str(folder)


def _process_id() -> int:
    """This process's number as the engine sees it: in its own namespace it has another one."""
    try:
        return int(os.readlink("/proc/self"))
    except (OSError, ValueError):
        return os.getpid()


def _end_with(server: int) -> None:
    while os.getppid() == server:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)


def _set_threads(threads: int) -> None:
    if not threads:
        return
    configure()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


class _Teller:
    """Tells the engine; progress a few times a second at most."""

    def __init__(self, results: int) -> None:
        self._results = results
        self._last = 0.0

    def say(self, kind: Kind, text: str = "", **fields: Any) -> None:
        """Write a message and wait until the engine has taken it."""
        for part in frame(kind, text=text, **fields):
            left = memoryview(part)
            while left:
                left = left[os.write(self._results, left) :]

    def progress(self, fraction: float | None, message: str, **numbers: float) -> None:
        """See :class:`optimizer.stage.Progress`."""
        now = time.monotonic()
        if now - self._last >= _PROGRESS_SECONDS or fraction == 1.0:
            self._last = now
            self.say("progress", message, fraction=fraction, numbers=numbers)
