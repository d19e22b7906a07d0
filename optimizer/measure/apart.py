"""Measurements in a fresh process of their own, without TensorFlow and without its threads.

:func:`run_apart` is the parent's side, :func:`answer` the child's. They talk in lines of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from optimizer.errors import StageError

_LOG_BYTES = 20_000
OnProgress = Callable[[float], None]


def run_apart(
    module: str, spec: Mapping[str, Any], seconds: float, on_progress: OnProgress
) -> dict[str, Any]:
    """Run ``python -m module SPEC`` and read its answer, the last line it prints.

    Args:
        module: one whose ``main`` calls :func:`answer`.
        spec: what to measure; JSON-able.
        seconds: after which it is stopped.
        on_progress: told the share that is done, now and then.

    Raises:
        StageError: it crashed, took too long, or says that it failed.
    """
    root = str(Path(__file__).resolve().parents[2])
    search_path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    reader, writer = os.pipe()
    try:
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-m", module, json.dumps({**spec, "lifeline": reader})],
                env=os.environ | {"PYTHONPATH": search_path},
                pass_fds=(reader,),
                stdout=subprocess.PIPE,
                stderr=errors,
            )
            timer = threading.Timer(seconds, process.kill)
            timer.start()
            try:
                said = _listen(process, on_progress)
            finally:
                expired = not timer.is_alive()
                timer.cancel()
            errors.seek(0)
            log = errors.read()[-_LOG_BYTES:].decode(errors="replace")
    finally:
        os.close(reader)
        os.close(writer)
    if expired:
        minutes = round(seconds / 60)
        raise StageError(f"Measuring latency took longer than {minutes} minutes and was stopped.")
    return checked_answer(process.returncode, said, log)


def checked_answer(exit_code: int, said: dict[str, Any], log: str) -> dict[str, Any]:
    """The answer of a process that ended well.

    Raises:
        StageError: it crashed, or ended without an answer.
    """
    if exit_code < 0:
        number = -exit_code
        raise StageError(
            "The TensorFlow Lite runtime crashed while measuring this model "
            f"({signal.Signals(number).name}, {signal.strsignal(number)}).",
            log,
        )
    if exit_code or not said or "progress" in said:
        raise StageError("Measuring latency ended without a result.", log)
    if "error" in said:
        raise StageError("The TensorFlow Lite runtime failed while measuring.", said["error"])
    return said


def answer(measure: Callable[[dict[str, Any], OnProgress], dict[str, Any]]) -> None:
    """Measure what the first argument asks for, and end with the parent.

    Prints lines of JSON: ``{"progress": share}`` and at last the result, or ``{"error": …}``.

    Args:
        measure: from the fields of the argument to the result; told of progress.
    """
    fields = json.loads(sys.argv[1])
    lifeline = fields.pop("lifeline", None)
    if lifeline is not None:
        threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    to_parent = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what native code prints must not end up in the answer

    def say(message: dict[str, Any]) -> None:
        to_parent.write(json.dumps(message) + "\n")
        to_parent.flush()

    try:
        say(measure(fields, lambda fraction: say({"progress": fraction})))
    except (ValueError, RuntimeError) as error:
        say({"error": str(error)})
    to_parent.close()


def _end_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)  # returns when the parent, which holds the other end, is gone
    os._exit(1)


def _listen(process: subprocess.Popen[bytes], on_progress: OnProgress) -> dict[str, Any]:
    said: dict[str, Any] = {}
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            said = json.loads(line)
            if "progress" in said:
                on_progress(said["progress"])
    process.wait()
    return said
