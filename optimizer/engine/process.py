"""Running one stage in an isolated, killable process, forked from a server with TensorFlow.

A segfault, a failed allocation or a kill from outside ends that stage with a sentence and
nothing else; cancelling is a kill of all it started; memory is given back. What the process may
use and reach is in :mod:`optimizer.confinement`, and nothing it sends is trusted.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import pickle
import selectors
import signal
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optimizer.confinement import Limits
from optimizer.confinement.limits import file_sentence, processor_sentence
from optimizer.engine.child import CALL_LENGTH
from optimizer.engine.forks import Fork, Forks
from optimizer.engine.messages import Message, MessageError, Reader
from optimizer.engine.watch import MemoryExceededError, Watch
from optimizer.errors import CancelledError, InputError, StageError
from optimizer.settings import DEFAULT_STAGE_MINUTES
from optimizer.stage import Files, Progress

__all__ = ["MemoryExceededError", "StageCall", "StageResult", "preload", "run_in_process"]

_POLL_SECONDS = 0.05
_PIECE_BYTES = 2**20
_LOG_BYTES = 20_000
_PROGRESS_SECONDS, _MOST_WHOLE = 0.02, 100
_STARTS_PROCESSES = {
    "optimizer.measure.latency:stage": 8,
    "optimizer.inspection.profile:stage": 8,
}
"""Stages that measure in processes of their own, and how many; all others can start none."""
_forks = Forks()


@dataclass(frozen=True)
class StageCall:
    """What a stage process is asked to do.

    Attributes:
        function: ``module:function``; see :mod:`optimizer.stage`.
        params: the stage's parameters.
        threads: processor threads TensorFlow may use; 0 for a stage without TensorFlow.
        memory_limit_bytes: resident memory at which the process is ended.
        processor_minutes: processor time at which it is ended.
    """

    function: str
    params: Mapping[str, Any]
    threads: int
    memory_limit_bytes: int
    processor_minutes: int = DEFAULT_STAGE_MINUTES

    @property
    def limits(self) -> Limits:
        """All that the process may use."""
        return Limits(
            self.memory_limit_bytes,
            processor_seconds=60 * self.processor_minutes,
            processes=_STARTS_PROCESSES.get(self.function, 0),
        )


@dataclass(frozen=True)
class StageResult:
    """What a stage process left.

    Attributes:
        files: what the stage returned.
        peak_memory_bytes: the most resident memory that was seen while it ran.
    """

    files: Files
    peak_memory_bytes: int


def preload() -> None:
    """Start the fork server and wait until its imports are done (some 10 to 15 s the first time).

    Raises:
        StageError: the stage processes cannot import what they need.
    """
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
    *,
    limits: Limits | None = None,
    forks: Forks = _forks,
) -> StageResult:
    """Run a stage in a process of its own and wait for it.

    Args:
        call: what to do.
        inputs: the files of the stages before it.
        progress: told of the stage's progress.
        cancelled: looked at all the time.
        limits: what it may use; by default the call's.
        forks: what forks it.

    Raises:
        CancelledError: ``cancelled`` was set; the process was killed, with all it started.
        InputError: the stage refused its input.
        MemoryExceededError: it exceeded its memory limit.
        StageError: it failed, crashed, was killed, or exceeded another limit.
    """
    limits = limits or call.limits
    scratch = forks.start()
    with scratch.folder() as folder, tempfile.TemporaryFile(dir=scratch.path, buffering=0) as log:
        fcntl.fcntl(log, fcntl.F_SETFL, fcntl.fcntl(log, fcntl.F_GETFL) | os.O_APPEND)
        fork = forks.fork(folder, limits.dump(), log.fileno())
        try:
            talk = _Conversation(fork, limits, progress, cancelled, folder, log.fileno())
            return talk.hold(_call_as_bytes(call, inputs))
        finally:
            fork.close()


def _call_as_bytes(call: StageCall, inputs: Mapping[str, Files]) -> list[bytes]:
    """What the stage process reads, in pieces; large files are not copied."""
    listed = [(name, [(f, len(c)) for f, c in files.items()]) for name, files in inputs.items()]
    head = pickle.dumps(
        {
            "function": call.function,
            "params": dict(call.params),
            "threads": call.threads,
            "inputs": listed,
        }
    )
    contents = [content for files in inputs.values() for content in files.values()]
    return [CALL_LENGTH.pack(len(head)), head, *contents]


class _Conversation:
    """Writes to a stage process, reads what it says, and watches it, all in turns."""

    def __init__(
        self,
        fork: Fork,
        limits: Limits,
        progress: Progress,
        cancelled: threading.Event,
        folder: Path,
        log: int,
    ) -> None:
        self._fork, self._limits, self._progress = fork, limits, progress
        self._cancelled, self._folder, self._log = cancelled, folder, log
        self._reader = Reader(min(limits.result_bytes, limits.memory_bytes))
        self._watch: Watch | None = None
        self._next_progress, self._said_whole = 0.0, 0

    def hold(self, call: list[bytes]) -> StageResult:
        """Tell the stage what to do and wait for what becomes of it; see :func:`run_in_process`."""
        waiting = [memoryview(part) for part in call if part]
        os.set_blocking(self._fork.inputs, False)
        os.set_blocking(self._fork.results, False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._fork.results, selectors.EVENT_READ)
            while True:
                if self._cancelled.is_set():
                    raise CancelledError("Cancelled.")
                if self._watch is not None:
                    self._watch.look()
                ready = {key.fd for key, _ in selector.select(_POLL_SECONDS)}
                if self._fork.inputs in ready and not self._write(waiting):
                    selector.unregister(self._fork.inputs)
                    self._fork.close_inputs()
                if self._fork.results in ready:
                    greeted = self._watch is not None
                    result = self._read()
                    if result is not None:
                        return result
                    if self._watch is not None and not greeted:
                        # Only now: so it has been looked at at least once before it can end.
                        selector.register(self._fork.inputs, selectors.EVENT_WRITE)

    def _write(self, waiting: list[memoryview]) -> bool:
        """Write a piece; whether there is more."""
        try:
            written = os.write(self._fork.inputs, waiting[0][:_PIECE_BYTES])
        except BlockingIOError:
            return True
        except BrokenPipeError:  # it has ended, or closed its side: reading tells more
            return False
        waiting[0] = waiting[0][written:]
        if not waiting[0]:
            waiting.pop(0)
        return bool(waiting)

    def _read(self) -> StageResult | None:
        try:
            data = os.read(self._fork.results, _PIECE_BYTES)
        except BlockingIOError:
            return None
        if not data:
            self._fork.wait(1.0)
            raise self._ended()
        try:
            for message in self._reader.feed(data):
                result = self._hear(message)
                if result is not None:
                    return result
        except MessageError as error:
            raise StageError(
                f"The stage's process sent what is no result ({error}) and was ended. The file it "
                "read may be a hostile one; do not use it.",
                log=self._printed(),
            ) from None
        return None

    def _hear(self, message: Message) -> StageResult | None:
        if (message.kind == "hello") != (self._watch is None):
            raise MessageError("a greeting at the wrong time")
        if message.kind == "hello":
            self._watch = Watch(message, self._limits, self._folder, self._log)
            self._watch.look()
        elif message.kind == "progress":
            now = time.monotonic()
            self._said_whole += message.fraction == 1.0
            whole = message.fraction == 1.0 and self._said_whole <= _MOST_WHOLE
            if now >= self._next_progress or whole:  # a flood of it must not reach the engine
                self._next_progress = now + _PROGRESS_SECONDS
                self._progress(message.fraction, message.text, **message.numbers)
        elif message.kind == "done":
            assert self._watch is not None
            return StageResult(message.files, self._watch.peak_memory_bytes)
        elif message.kind == "refused":
            raise InputError(message.text)
        elif message.kind == "too_large":
            raise MemoryExceededError(message.text, log=message.log)
        else:
            raise StageError(message.text, log=message.log)
        return None

    def _ended(self) -> StageError:
        """What to say of a stage process that ended without a word."""
        log, code = self._printed(), self._fork.exit_code
        if self._fork.alive:
            return StageError(
                "The stage's process closed the way to its result and was ended. The file it read "
                "may be a hostile one; do not use it.",
                log=log,
            )
        seconds = self._watch.processor_seconds if self._watch else 0.0
        if code == -signal.SIGXCPU or (
            code == -signal.SIGKILL and seconds >= self._limits.processor_seconds
        ):
            return StageError(processor_sentence(self._limits), log=log)
        if code == -signal.SIGXFSZ:
            return StageError(file_sentence(self._limits), log=log)
        if code in (-signal.SIGABRT, -signal.SIGSEGV) and "std::bad_alloc" in log:
            return MemoryExceededError(
                "The stage ran out of memory. Try a smaller batch size or a smaller model.", log=log
            )
        return StageError(_ending(code), log=log)

    def _printed(self) -> str:
        size = os.fstat(self._log).st_size
        return os.pread(self._log, _LOG_BYTES, max(0, size - _LOG_BYTES)).decode(errors="replace")


def _ending(exit_code: int | None) -> str:
    """A sentence for a stage process that ended without a word."""
    if exit_code is None:
        return "The stage's process was lost: the one that starts them has ended. Run it again."
    if exit_code < 0:
        number = -exit_code
        named = number in {known.value for known in signal.Signals}
        name = signal.Signals(number).name if named else f"signal {number}"
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
