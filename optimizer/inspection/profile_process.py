"""Times the operators of a ``.tflite`` in a process of its own, without TensorFlow.

The runtime hands most operators to XNNPACK as one piece, and its Python interface tells no times
inside it. So the file is cut short after each operator in turn (:func:`first_operators`), and all
of these files run in alternating rounds; what one takes longer than the one before it is that
operator's time, in its place, with the caches as the operators before it left them. Interpreters
are built anew several times in changing order, because where in memory a copy lies changes its
time a little; a *build* is one such set, and a difference's spread over the builds is its noise.
The file itself runs along twice, uncut: it tells what the differences should add up to, and how
far two equal things differ.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from optimizer.inspection.rewrite import first_operators
from optimizer.measure.apart import OnProgress, answer
from optimizer.measure.latency_process import MAX_BLOCK, delegate_of, loaded, time_block

BLOCK_NS = 3_000_000
"""Shortest time that one file runs before the next has its turn, in nanoseconds."""
MAX_PIECES = 80
"""Pieces that a model is cut into at most; longer ones have several operators to a piece."""
MAX_BYTES = 10**9
"""Of all files at once, roughly: half of each is a copy that XNNPACK packs anew."""


@dataclass(frozen=True)
class Spec:
    """What to measure.

    Attributes:
        path: of the file.
        operators: after how many operators it may be cut, ascending; the last is all of them.
        threads: of each interpreter.
        builds: how often the interpreters are built.
        rounds: rounds in each build.
        max_seconds: pieces are made larger until a measurement takes about so long at most.
    """

    path: str
    operators: list[int]
    threads: int = 1
    builds: int = 8
    rounds: int = 3
    max_seconds: float = 90.0


def measure(spec: Spec, on_progress: OnProgress) -> dict[str, Any]:
    """Times of a file that is cut after so many operators.

    Returns:
        ``{"cuts": [0, …], "build_ns": [[…], …], "whole_ns": [[a, b], …], "delegate"}``: for each
        build the median of each cut, and of the two uncut copies.
    """
    data = Path(spec.path).read_bytes()
    whole = loaded(spec.path, spec.threads)
    cuts = [0, *_pieces(spec, len(data), min(time_block(whole.invoke, 5)))]
    delegate = delegate_of(whole)
    builds: list[list[float]] = []
    with tempfile.TemporaryDirectory(prefix="featherweight-") as folder:
        paths = []
        for number, count in enumerate(cuts):
            path = Path(folder) / f"{number}.tflite"
            path.write_bytes(first_operators(data, count))
            paths.append(str(path))
        paths += [spec.path, spec.path]
        order = list(range(len(paths)))
        for build in range(spec.builds):
            builds.append(_build(spec, paths, order))
            order = [order[-1], *order[:-1]]
            on_progress((build + 1) / spec.builds)
    return {
        "cuts": cuts,
        "build_ns": [times[:-2] for times in builds],
        "whole_ns": [times[-2:] for times in builds],
        "delegate": delegate,
    }


def _pieces(spec: Spec, size: int, whole_ns: int) -> list[int]:
    """After how many operators to cut: after each, unless that takes too long or too much."""
    turns = spec.builds * (spec.rounds + 2)  # two to warm up and to count
    by_time = int(2 * spec.max_seconds * 1e9 / (turns * max(whole_ns, BLOCK_NS)))
    most = max(2, min(MAX_PIECES, by_time, MAX_BYTES // max(1, size)))
    if len(spec.operators) <= most:
        return spec.operators
    chosen = np.linspace(0, len(spec.operators) - 1, most + 1).round().astype(int)[1:]
    return [spec.operators[index] for index in sorted(set(chosen.tolist()))]


def _build(spec: Spec, paths: list[str], order: list[int]) -> list[float]:
    """The median nanoseconds of each file in one build, in the order of the paths."""
    runners = {index: loaded(paths[index], spec.threads) for index in order}
    counts = {index: _invocations(runners[index]) for index in order}
    times: list[list[int]] = [[] for _ in paths]
    for number in range(spec.rounds):
        for index in order if number % 2 == 0 else reversed(order):
            times[index] += time_block(runners[index].invoke, counts[index])
    return [float(np.median(each)) for each in times]


def _invocations(interpreter: Interpreter) -> int:
    """Invocations that take about :data:`BLOCK_NS`, after a few to warm up."""
    fastest = min(time_block(interpreter.invoke, 3))
    return max(1, min(MAX_BLOCK, -(-BLOCK_NS // max(1, fastest))))


if __name__ == "__main__":
    answer(lambda fields, progress: measure(Spec(**fields), progress))
