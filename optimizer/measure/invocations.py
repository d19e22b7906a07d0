"""Every single invocation of a ``.tflite``, from the first one on. Runs in stages only.

:mod:`optimizer.measure.latency` says how fast a file is; this shows what such a figure is made of.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from optimizer.measure.interpreter import build, quantize
from optimizer.measure.latency import device_name
from optimizer.measure.latency_process import time_block
from optimizer.stage import Files, Progress

ROUNDS = 30
BLOCK_NS = 4_000_000
"""Rounds of the comparison, and how long one file runs within a round, about, in nanoseconds."""


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Time invocations one by one, then a file against its own copy and against more threads.

    Args:
        params: ``count``: invocations of the series; ``threads``: of the interpreter that is
            compared with one thread; ``repeat``: another number measures anew.
        inputs: ``model`` with ``model.tflite``.
        progress: told before each part and after each round.

    Returns:
        ``invocations.json``: ``load_ns`` (building the interpreter), ``series_ns`` (of a fresh
        interpreter, one thread, input in place, the first invocation first), ``rounds_ns``:
        ``original``, ``copy`` and ``threads`` → median of each round, in alternating order;
        ``threads`` and ``device``.

    Raises:
        StageError: the runtime cannot load the file.
    """
    tflite = inputs["model"]["model.tflite"]
    progress(0.0, "timing every invocation")
    started = time.perf_counter_ns()
    interpreter = _ready(tflite, 1)
    load = time.perf_counter_ns() - started
    series = time_block(interpreter.invoke, int(params["count"]))
    runners = {
        "original": interpreter,
        "copy": _ready(bytes(bytearray(tflite)), 1),
        "threads": _ready(tflite, int(params["threads"])),
    }
    return {
        "invocations.json": json.dumps(
            {
                "load_ns": load,
                "series_ns": series,
                "rounds_ns": _rounds(runners, progress),
                "threads": int(params["threads"]),
                "device": device_name(),
            }
        ).encode()
    }


def _ready(tflite: bytes, threads: int) -> Interpreter:
    interpreter = build(tflite, threads)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(0)
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], quantize(rng.random(details["shape"]), details))
    return interpreter


def _rounds(runners: Mapping[str, Interpreter], progress: Progress) -> dict[str, list[float]]:
    """The median of each round, every runner in turn, forwards and backwards."""
    counts = {}
    for name, runner in runners.items():
        fastest = min(time_block(runner.invoke, 20))
        counts[name] = max(10, BLOCK_NS // max(1, fastest))
    medians: dict[str, list[float]] = {name: [] for name in runners}
    order = list(runners)
    for done in range(ROUNDS):
        progress(done / ROUNDS, f"round {done + 1} of {ROUNDS}")
        for name in order:
            times = time_block(runners[name].invoke, counts[name])
            medians[name].append(float(np.median(times)))
        order.reverse()
    return medians
