"""Latency and peak memory of a ``.tflite``, alone and as a ratio to the baseline.

Files that are to be compared are measured together, in alternating rounds in one process, so
that their order can be trusted. The measuring itself happens in a fresh process
(:mod:`optimizer.measure.latency_process`), the statistics here. The ratio is the median over
rounds of (variant's p50 / baseline's p50), with a bootstrap interval over the rounds. It counts
as significant when the whole interval lies further from 1 than the noise floor: the interval of
the baseline measured against a second copy of itself in the same rounds, and 1 % at least.
"""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import InputError, StageError
from optimizer.measure.apart import run_apart
from optimizer.measure.flatbuffer import parse
from optimizer.measure.statistics import bootstrap_interval
from optimizer.stage import Files, Progress

MIN_NOISE_FLOOR = 0.01
"""Differences below this share are never called significant."""
SECONDS_PER_FILE = 0.4
MANY_FILES, ROUNDS_OF_MANY = 10, 25
"""From so many files on, fewer rounds are enough to order them; see the benchmark of a sweep."""
TIMEOUT_SECONDS, TIMEOUT_SECONDS_PER_FILE = 900, 10


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Measure variants and the baseline together, in turns.

    Args:
        params: ``baseline``, the name of its input; optional ``threads`` (1), ``min_rounds``,
            ``max_rounds``, ``max_seconds``; see
            :class:`optimizer.measure.latency_process.Spec`.
        inputs: name → files with ``model.tflite``.
        progress: told when measuring begins and ends.

    Returns:
        ``latencies.json``: ``{"files": {name: …}}`` with what was measured of each, or
        ``{"error": text}`` for one that the runtime cannot run.

    Raises:
        StageError: the runtime cannot run the baseline, or crashed while measuring.
    """
    baseline = str(params["baseline"])
    names = [baseline, *(name for name in inputs if name != baseline)]
    several = f" of {len(names)} files in turns" if len(names) > 1 else ""
    with tempfile.TemporaryDirectory(prefix="featherweight-") as folder:
        paths = []
        for index, name in enumerate(names):
            path = Path(folder) / f"{index}.tflite"
            path.write_bytes(inputs[name]["model.tflite"])
            paths.append(path)
        progress(0.0, f"measuring latency and peak memory{several}", files=len(names))
        results = _measure(
            paths,
            _bounds(len(paths)) | dict(params),
            lambda fraction: progress(fraction, f"measuring latency{several}", files=len(names)),
        )
    if "error" in results[0]:
        raise StageError(f"The baseline cannot be measured. {results[0]['error']}")
    results[0] |= NOT_COMPARED
    progress(1.0, f"measured latency and peak memory{several}", files=len(names))
    files = dict(zip(names, results, strict=True))
    return {"latencies.json": json.dumps({"files": files}).encode()}


def benchmark_files(paths: Sequence[Path], threads: int = 1) -> list[dict[str, Any]]:
    """Measure several files together in alternating rounds; the first is the baseline.

    Args:
        paths: one or more ``.tflite`` files.
        threads: of each interpreter.

    Returns:
        For each file the fields of ``latency.json``, and ``file`` and ``size_bytes``. The
        baseline itself has no ratio.

    Raises:
        InputError: a file cannot be read, is not a TensorFlow Lite file, or the runtime cannot
            run it.
        StageError: the runtime crashed while measuring.
    """
    sizes = []
    for path in paths:
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"Cannot read {path}: {error.strerror}.") from None
        try:
            parse(data)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        sizes.append(len(data))
    results = _measure(paths, {"threads": threads} | _bounds(len(paths)))
    for path, result in zip(paths, results, strict=True):
        if "error" in result:
            raise InputError(f"{path}: {result['error']} Export it again.")
    results[0] |= NOT_COMPARED
    return [
        {"file": str(path), "size_bytes": size} | result
        for path, size, result in zip(paths, sizes, results, strict=True)
    ]


def _bounds(files: int) -> dict[str, float]:
    """How long a window of so many files may last, and how many rounds it has at most."""
    seconds: dict[str, float] = {"max_seconds": SECONDS_PER_FILE * max(2, files)}
    return seconds | ({"max_rounds": ROUNDS_OF_MANY} if files >= MANY_FILES else {})


NOT_COMPARED = {"ratio": None, "ratio_ci": None, "significant": None}


def _measure(
    paths: Sequence[Path],
    params: Mapping[str, Any],
    on_progress: Callable[[float], None] = lambda fraction: None,
) -> list[dict[str, Any]]:
    """What is known of each file; ``{"error": text}`` for one that cannot be run."""
    options = {key: params[key] for key in _OPTIONS if key in params}
    answer = run_apart(
        "optimizer.measure.latency_process",
        {"paths": [str(path) for path in paths]} | options,
        TIMEOUT_SECONDS + TIMEOUT_SECONDS_PER_FILE * len(paths),
        on_progress,
    )
    if "error" in answer["files"][0]:
        return [answer["files"][0]] * len(paths)
    baseline = np.array(answer["files"][0]["round_p50_ns"])
    floor = noise_floor(np.array(answer["twin_round_p50_ns"]) / baseline)
    shared = {
        "files": len(paths),
        "rounds": len(baseline),
        "noise_floor": floor,
        "threads": int(params.get("threads", 1)),
        "device": device_name(),
    }
    results = []
    for file in answer["files"]:
        if "error" in file:
            results.append(file)
            continue
        rounds = np.array(file.pop("round_p50_ns"))
        results.append(file | compare_rounds(rounds / baseline, floor) | shared)
    return results


_OPTIONS = ("threads", "min_rounds", "max_rounds", "max_seconds")


def noise_floor(twin_ratios: np.ndarray) -> float:
    """The furthest from 1 that the baseline's interval against its own copy reaches.

    Args:
        twin_ratios: one ratio per round, shape (rounds,).
    """
    low, high = _median_interval(twin_ratios)
    return max(MIN_NOISE_FLOOR, 1 - low, high - 1)


def compare_rounds(ratios: np.ndarray, floor: float) -> dict[str, Any]:
    """``ratio``, ``ratio_ci`` (95 %) and ``significant`` from one ratio per round."""
    low, high = _median_interval(ratios)
    return {
        "ratio": float(np.median(ratios)),
        "ratio_ci": [low, high],
        "significant": bool(high < 1 - floor or low > 1 + floor),
    }


def _median_interval(ratios: np.ndarray) -> tuple[float, float]:
    return bootstrap_interval(ratios, lambda values: np.median(values, axis=-1))


def device_name() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
