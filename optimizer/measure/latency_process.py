"""Times ``.tflite`` files against each other in a process of its own, without TensorFlow.

``python -m optimizer.measure.latency_process SPEC`` takes the fields of :class:`Spec` as JSON
and prints one line of JSON. See :mod:`optimizer.measure.latency` for what becomes of it.

What is timed is one ``Interpreter.invoke()`` as called from Python, input already in place;
the call and the clock add about a microsecond. Each round times every file for at least
:data:`BLOCK_NS`, first in one order and then, in the next round, in the reverse (A B, B A), so
that a processor that slowly gets faster or slower favours none. Interpreters are built anew
several times, in changing order, because two copies of one model differ by some tenths of a
per cent by where in memory they happen to lie. A second copy of the first file, the *twin*,
runs along: how far it seems to differ from itself is the noise floor of this measurement.

Each file is first run in a fork, which tells its peak memory, and whether the runtime can run
it at all: one that it refuses or crashes on is left out and does not end the others.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from optimizer.measure.apart import answer
from optimizer.measure.interpreter import quantize

BLOCK_NS = 6_000_000
"""Shortest time that one file runs before the next has its turn, in nanoseconds."""
MAX_BLOCK = 5_000
TRIAL_CPU_SECONDS = 120
BUILDS = 5
"""How often the interpreters are built anew within a measurement."""


@dataclass(frozen=True)
class Spec:
    """What to measure.

    Attributes:
        paths: the files; the first is the baseline.
        threads: of each interpreter.
        min_rounds: rounds at least, however long they take.
        max_rounds: rounds at most, however short they are.
        max_seconds: rounds between the two are as many as fit into this time.
    """

    paths: tuple[str, ...]
    threads: int = 1
    min_rounds: int = 10
    max_rounds: int = 40
    max_seconds: float = 0.8


def measure(
    spec: Spec, on_progress: Callable[[float], None] = lambda fraction: None
) -> dict[str, Any]:
    """Peak memory and times of every file.

    Args:
        spec: what to measure.
        on_progress: told the share of the rounds that are done, now and then.

    Returns:
        ``{"files": [FILE, …], "twin_round_p50_ns": […]}`` with FILE = ``{"peak_memory_bytes",
        "delegate", "runs", "p50_ms", "p90_ms", "p99_ms", "round_p50_ns": [one per round]}``, or
        ``{"error": why it cannot be run}``, in the order of ``spec.paths``. When the first
        cannot be run, nothing is timed.
    """
    trials = [_try_in_fork(path, spec.threads) for path in spec.paths]
    if "error" in trials[0]:
        return {"files": trials, "twin_round_p50_ns": []}
    sound = [index for index, trial in enumerate(trials) if "error" not in trial]
    chosen = replace(spec, paths=tuple(spec.paths[index] for index in sound))
    times, delegates = _times(chosen, on_progress)
    for index, delegate, rounds in zip(sound, delegates, times[1:], strict=True):
        percentiles = np.percentile(np.concatenate(rounds), [50, 90, 99]) / 1e6
        trials[index] |= (
            dict(zip(("p50_ms", "p90_ms", "p99_ms"), percentiles.tolist(), strict=True))
            | {"runs": sum(map(len, rounds)), "round_p50_ns": _medians(rounds)}
            | {"delegate": delegate}
        )
    return {"files": trials, "twin_round_p50_ns": _medians(times[0])}


def _medians(rounds: list[list[int]]) -> list[float]:
    return [float(np.median(times)) for times in rounds]


def loaded(path: str, threads: int) -> Interpreter:
    """An interpreter of a file, with input in place, that has run once."""
    interpreter = Interpreter(path, num_threads=threads)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(0)
    for details in interpreter.get_input_details():
        # values in [0, 1) are also a valid index for a model that begins with an embedding
        interpreter.set_tensor(details["index"], quantize(rng.random(details["shape"]), details))
    interpreter.invoke()
    return interpreter


def _times(
    spec: Spec, on_progress: Callable[[float], None]
) -> tuple[list[list[list[int]]], list[str]]:
    """Per runner, per round, the nanoseconds of every invocation; and the files' delegates.

    Runner 0 is the twin of the first file, runner i + 1 is file i.
    """
    paths = (spec.paths[0], *spec.paths)
    times: list[list[list[int]]] = [[] for _ in paths]
    order = list(range(len(paths)))
    delegates: list[str] = []
    rounds = spec.max_rounds
    while len(times[0]) < rounds:
        runners = {i: loaded(paths[i], spec.threads) for i in order}
        counts = {i: _invocations(runners[i]) for i in order}
        if not delegates:
            delegates = [delegate_of(runners[i + 1]) for i in range(len(spec.paths))]
            round_seconds = sum(_time_round(runners, counts, order)) / 1e9
            affordable = int(spec.max_seconds / round_seconds)
            rounds = min(spec.max_rounds, max(spec.min_rounds, affordable))
        for _ in range(-(-rounds // BUILDS)):
            for i in order:
                times[i].append(time_block(runners[i].invoke, counts[i]))
            order.reverse()
            on_progress(min(1.0, len(times[0]) / rounds))
        order = order[1:] + order[:1]
    return times, delegates


def _time_round(
    runners: dict[int, Interpreter], counts: dict[int, int], order: list[int]
) -> list[int]:
    return [sum(time_block(runners[i].invoke, counts[i])) for i in order]


def _invocations(interpreter: Interpreter) -> int:
    """Invocations that take about :data:`BLOCK_NS`, after warming up for as long."""
    fastest, spent = 2**62, 0
    while spent < BLOCK_NS:
        (took,) = time_block(interpreter.invoke, 1)
        fastest, spent = min(fastest, took), spent + took
    return max(1, min(MAX_BLOCK, -(-BLOCK_NS // max(1, fastest))))


def time_block(invoke: Callable[[], None], count: int) -> list[int]:
    """Nanoseconds of each of so many calls."""
    clock = time.perf_counter_ns
    times = [0] * count
    for i in range(count):
        start = clock()
        invoke()
        times[i] = clock() - start
    return times


def delegate_of(interpreter: Interpreter) -> str:
    """What the operators were handed to: ``XNNPACK`` or ``none``."""
    operators = interpreter._get_ops_details()
    return "XNNPACK" if any(op["op_name"] == "DELEGATE" for op in operators) else "none"


def _try_in_fork(path: str, threads: int) -> dict[str, Any]:
    """What loading and running the file adds to a process, or why it cannot be run.

    The runtime's own code is paged in by a first run that does not count.

    Returns:
        ``{"peak_memory_bytes": …}``, ``None`` where the system does not tell (no Linux /proc),
        or ``{"error": text}``.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _limit_trial()
            os.write(writer, json.dumps(_run_and_weigh(path, threads)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read()
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return {
                "error": "The TensorFlow Lite runtime needs more than "
                f"{TRIAL_CPU_SECONDS} s of processor time to run this model once."
            }
        name = f"{signal.Signals(number).name}, {signal.strsignal(number)}"
        return {"error": f"The TensorFlow Lite runtime crashed on this model ({name})."}
    found: dict[str, Any] = json.loads(text or b'{"error": "It ended without a word."}')
    return found


def _limit_trial() -> None:
    """A file may be made to run for ever, or to take all memory: the trial ends instead.

    Where the system knows no such limit, or has a lower one already, that one stays.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit, soft, hard in (
        (resource.RLIMIT_CPU, TRIAL_CPU_SECONDS, TRIAL_CPU_SECONDS + 5),
        (resource.RLIMIT_AS, memory, memory),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(limit, (soft, hard))


def _run_and_weigh(path: str, threads: int) -> dict[str, Any]:
    def use() -> None:
        interpreter = loaded(path, threads)
        for _ in range(3):
            interpreter.invoke()

    try:
        use()
    except (ValueError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [""])[0][:300]
        return {"error": f"The TensorFlow Lite runtime cannot run this model: {first}"}
    try:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # sets the high-water mark VmHWM back to the present size
        before = _status_bytes("VmRSS")
        use()
        return {"peak_memory_bytes": max(0, _status_bytes("VmHWM") - before)}
    except (OSError, AttributeError):
        return {"peak_memory_bytes": None}


def _status_bytes(name: str) -> int:
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    raise OSError(f"{name} is not in /proc/self/status")


def main() -> None:
    """Measure what the first argument asks for; see :func:`optimizer.measure.apart.answer`."""
    answer(lambda fields, progress: measure(_spec(fields), progress))


def _spec(fields: dict[str, Any]) -> Spec:
    return Spec(**(fields | {"paths": tuple(fields["paths"])}))


if __name__ == "__main__":
    main()
