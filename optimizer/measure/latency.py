"""Latency and peak memory of a ``.tflite``, alone and as a ratio to the baseline.

The measuring itself happens in a fresh process (:mod:`optimizer.measure.latency_process`), the
statistics here. The ratio is the median over rounds of (variant's p50 / baseline's p50), with
a bootstrap interval over the rounds. It counts as significant when the whole interval lies
further from 1 than the noise floor: the interval of the baseline measured against a second
copy of itself in the same rounds, and 1 % at least.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import InputError, StageError
from optimizer.measure.flatbuffer import parse
from optimizer.measure.statistics import bootstrap_interval
from optimizer.stage import Files, Progress

MIN_NOISE_FLOOR = 0.01
"""Differences below this share are never called significant."""
SECONDS_PER_FILE = 0.4
TIMEOUT_SECONDS = 900


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Measure a variant, against the baseline if there is one.

    Args:
        params: optional ``threads`` (1), ``min_rounds``, ``max_rounds``, ``max_seconds``; see
            :class:`optimizer.measure.latency_process.Spec`.
        inputs: ``model`` and optionally ``baseline``, each with ``model.tflite``.
        progress: told when measuring begins and ends.

    Returns:
        ``latency.json``.

    Raises:
        StageError: the runtime cannot run a file, or crashed.
    """
    with tempfile.TemporaryDirectory(prefix="featherweight-") as folder:
        paths = []
        for name in ("baseline", "model"):
            if name in inputs:
                path = Path(folder) / f"{name}.tflite"
                path.write_bytes(inputs[name]["model.tflite"])
                paths.append(path)
        progress(0.0, "measuring latency and peak memory")
        results = _measure(paths, params)
    progress(1.0, "measured latency and peak memory", p50_ms=results[-1]["p50_ms"])
    result = results[-1] if "baseline" in inputs else results[-1] | _NOT_COMPARED
    return {"latency.json": json.dumps(result).encode()}


def benchmark_files(paths: Sequence[Path], threads: int = 1) -> list[dict[str, Any]]:
    """Measure several files together in alternating rounds; the first is the baseline.

    Args:
        paths: one or more ``.tflite`` files.
        threads: of each interpreter.

    Returns:
        For each file the fields of ``latency.json``, and ``file`` and ``size_bytes``. The
        baseline itself has no ratio.

    Raises:
        InputError: a file cannot be read or is not a TensorFlow Lite file.
        StageError: the runtime cannot run a file, or crashed.
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
    seconds = SECONDS_PER_FILE * max(2, len(paths))
    results = _measure(paths, {"threads": threads, "max_seconds": seconds})
    results[0] |= _NOT_COMPARED
    return [
        {"file": str(path), "size_bytes": size} | result
        for path, size, result in zip(paths, sizes, results, strict=True)
    ]


_NOT_COMPARED = {"ratio": None, "ratio_ci": None, "significant": None}


def _measure(paths: Sequence[Path], params: Mapping[str, Any]) -> list[dict[str, Any]]:
    options = {key: params[key] for key in _OPTIONS if key in params}
    answer = _run_process({"paths": [str(path) for path in paths]} | options)
    baseline = np.array(answer["files"][0]["round_p50_ns"])
    floor = noise_floor(np.array(answer["twin_round_p50_ns"]) / baseline)
    results = []
    for file in answer["files"]:
        rounds = np.array(file.pop("round_p50_ns"))
        results.append(
            file
            | compare_rounds(rounds / baseline, floor)
            | {"rounds": len(rounds), "noise_floor": floor}
            | {"threads": int(params.get("threads", 1)), "device": device_name()}
        )
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


def _run_process(spec: dict[str, Any]) -> dict[str, Any]:
    """Run :mod:`optimizer.measure.latency_process` and read its answer."""
    root = str(Path(__file__).resolve().parents[2])
    search_path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    reader, writer = os.pipe()
    try:
        process = subprocess.run(  # noqa: S603 - our own module, no shell
            [
                *(sys.executable, "-m", "optimizer.measure.latency_process"),
                json.dumps(spec | {"lifeline": reader}),
            ],
            env=os.environ | {"PYTHONPATH": search_path},
            pass_fds=(reader,),
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StageError(
            f"Measuring latency took longer than {TIMEOUT_SECONDS // 60} minutes and was stopped."
        ) from None
    finally:
        os.close(reader)
        os.close(writer)
    return _answer(process)


def _answer(process: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    log = process.stderr.decode(errors="replace")
    if process.returncode < 0:
        number = -process.returncode
        raise StageError(
            "The TensorFlow Lite runtime crashed while measuring this model "
            f"({signal.Signals(number).name}, {signal.strsignal(number)}).",
            log,
        )
    if process.returncode or not process.stdout:
        raise StageError("Measuring latency ended without a result.", log)
    answer: dict[str, Any] = json.loads(process.stdout)
    if "error" in answer:
        raise StageError("The TensorFlow Lite runtime cannot run this model.", answer["error"])
    return answer
