"""The stage ``inspect_profile``: how long each operator of a ``.tflite`` takes.

Measured by difference, see :mod:`optimizer.inspection.profile_process`; the statistics are here.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import StageError
from optimizer.measure.apart import run_apart
from optimizer.measure.flatbuffer import parse
from optimizer.measure.latency import device_name
from optimizer.measure.statistics import bootstrap_interval
from optimizer.measure.weights import constants_passed_on
from optimizer.stage import Files, Progress

TIMEOUT_SECONDS = 900
_OPTIONS = ("threads", "builds", "rounds", "max_seconds")


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Measure the time of each operator.

    Args:
        params: optional ``threads`` (1), ``builds``, ``rounds``, ``max_seconds``; see
            :class:`optimizer.inspection.profile_process.Spec`.
        inputs: ``variant`` with ``model.tflite``.
        progress: told after each build.

    Returns:
        ``inspection.json``: what :func:`profile_of` returns, with ``threads`` and ``device``.

    Raises:
        StageError: the runtime cannot run the file or its beginnings, or crashed.
    """
    data = inputs["variant"]["model.tflite"]
    operators = computing_operators(data)
    if not operators:
        raise StageError("This file has no operator that computes anything.")
    options = {key: params[key] for key in _OPTIONS if key in params}
    progress(0.0, f"timing {len(operators)} operators")
    with tempfile.TemporaryDirectory(prefix="featherweight-") as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(data)
        said = run_apart(
            "optimizer.inspection.profile_process",
            {"path": str(path), "operators": [index + 1 for index in operators], **options},
            TIMEOUT_SECONDS,
            lambda fraction: progress(fraction, f"timing {len(operators)} operators"),
        )
    found = profile_of(said, operators)
    found |= {"threads": int(params.get("threads", 1)), "device": device_name()}
    return {"inspection.json": json.dumps(found).encode()}


def computing_operators(data: bytes) -> list[int]:
    """Indices of the main graph's operators, without those that only decode a constant."""
    graph = parse(data)[0]
    sources = constants_passed_on(graph)
    return [
        index
        for index, operator in enumerate(graph.operators)
        if not (operator.outputs and operator.outputs[0] in sources)
    ]


def profile_of(said: Mapping[str, Any], operators: list[int]) -> dict[str, Any]:
    """Times of pieces from the times of files that were cut short.

    Args:
        said: the answer of :func:`optimizer.inspection.profile_process.measure`.
        operators: indices of those that compute.

    Returns:
        ``pieces``, each with ``operators`` (their indices), ``ms`` (median over builds of what the
        piece adds), ``ci_ms`` (95 %, bootstrap over builds) and ``certain`` (whether the interval
        lies above the noise); ``call_ms``, what calling the runtime costs without any operator;
        ``sum_ms``, all pieces and the call; ``whole_ms``, the uncut file in the same rounds;
        ``agreement``, sum divided by whole; ``noise_ms``, how far two copies of the uncut file
        differ (the largest of 95 % of the builds); ``builds``; ``delegate``.
    """
    cuts = said["cuts"]
    times = np.array(said["build_ns"]) / 1e6  # builds × cuts
    whole = np.array(said["whole_ns"]) / 1e6
    noise = float(np.percentile(np.abs(whole[:, 0] - whole[:, 1]), 95))
    pieces: list[dict[str, Any]] = []
    for number, (start, end) in enumerate(pairwise(cuts)):
        added = times[:, number + 1] - times[:, number]
        low, high = bootstrap_interval(added, lambda values: np.median(values, axis=-1))
        pieces.append(
            {
                "operators": [index for index in operators if start <= index < end],
                "ms": float(np.median(added)),
                "ci_ms": [low, high],
                "certain": bool(low > noise),
            }
        )
    call = float(np.median(times[:, 0]))
    total = call + sum(piece["ms"] for piece in pieces)
    middle = float(np.median(whole))
    return {
        "pieces": pieces,
        "call_ms": call,
        "sum_ms": total,
        "whole_ms": middle,
        "agreement": total / middle,
        "noise_ms": noise,
        "builds": len(times),
        "delegate": said["delegate"],
    }
