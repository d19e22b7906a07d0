"""The stage ``inspect_predictions``: where a variant is wrong, and what flipped."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optimizer.data.arrays import Arrays, load_arrays
from optimizer.data.objective import split_task
from optimizer.errors import StageError
from optimizer.inspection.flips import compare_output
from optimizer.measure.accuracy import measure, read_predictions
from optimizer.stage import Files, Progress

MAX_SAMPLE_BYTES = 16 * 2**20
"""Bytes of the samples that are kept for the gallery, as float32."""


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Compare a variant's stored predictions with the baseline's and with the truth.

    Args:
        params: as of :func:`optimizer.measure.accuracy.stage`.
        inputs: ``variant`` and ``baseline`` with ``predictions.npz`` and ``metrics.json``;
            ``data`` with ``arrays.npz``.
        progress: told of each step.

    Returns:
        ``inspection.json`` (``inputs``: their names; ``outputs``: for each of them ``name``,
        ``task`` and what :func:`compare_output` finds) and ``samples.npz`` (``index``, and
        ``x_0`` … for each input: the samples that are examples, float32).

    Raises:
        StageError: the stored predictions do not fit the data as they are read now.
    """
    progress(0.1, "reading predictions")
    arrays = load_arrays(inputs["data"])
    before, after = (
        read_predictions(inputs[name]["predictions.npz"]) for name in ("baseline", "variant")
    )
    tasks = split_task(str(params["task"]))
    if len(tasks) != len(after):
        tasks = ["unlabelled"] * len(after)
    names = list(params.get("outputs") or arrays.target_names)
    if len(names) != len(after):
        names = [f"output_{index}" for index in range(len(after))]
    thresholds = [0.0 if logits else 0.5 for logits in params.get("from_logits") or ()]
    thresholds += [0.5] * (len(after) - len(thresholds))
    _check(arrays, tasks, after, names, thresholds, inputs["variant"]["metrics.json"])
    progress(0.5, "comparing predictions")
    truths = _truths(arrays, tasks, names)
    outputs = [
        {"name": name, "task": task} | compare_output(task, first, second, truth, threshold)
        for name, task, first, second, truth, threshold in zip(
            names, tasks, before, after, truths, thresholds, strict=True
        )
    ]
    ends = list(params.get("inputs") or arrays.input_names)
    xs = arrays.inputs_for(ends, "test")
    return {
        "inspection.json": json.dumps({"inputs": ends, "outputs": outputs}).encode(),
        "samples.npz": _samples(xs, outputs),
    }


def _check(
    arrays: Arrays,
    tasks: list[str],
    outputs: Sequence[np.ndarray],
    names: Sequence[str],
    thresholds: Sequence[float],
    recorded: bytes,
) -> None:
    """Predictions may come from an archive, whose data another version may have split."""
    advice = "They were made from other test samples. Run the variant and the baseline again."
    if len(outputs[0]) != arrays.samples("test"):
        raise StageError(
            f"The stored predictions are for {len(outputs[0])} samples; the dataset has "
            f"{arrays.samples('test')} test samples. {advice}"
        )
    metrics = json.loads(recorded)
    found = measure(tasks, outputs, arrays, names, thresholds, metrics.get("metric"))
    value, now = metrics.get("value"), found["value"]
    if value is not None and now is not None and not np.isclose(value, now, rtol=1e-4, atol=1e-6):
        raise StageError(
            f"The stored predictions give {now:.4f} on these test samples, and {value:.4f} was "
            f"recorded. {advice}"
        )


def _truths(
    arrays: Arrays, tasks: Sequence[str], names: Sequence[str]
) -> Sequence[np.ndarray | None]:
    if list(tasks) == ["reconstruction"]:
        return [arrays.x_test[0]]
    if not arrays.y_test or all(task == "unlabelled" for task in tasks):
        return [None] * len(tasks)
    return [
        None if task == "unlabelled" else target
        for task, target in zip(tasks, arrays.targets_for(names, "test"), strict=True)
    ]


def _samples(xs: Sequence[np.ndarray], outputs: Sequence[Mapping[str, Any]]) -> bytes:
    """The samples that are examples, as many as fit; those of each kind in turns."""
    groups = [
        [item["sample"] for item in examples]
        for output in outputs
        for examples in output["examples"].values()
    ]
    most = max((len(group) for group in groups), default=0)
    turns = [group[i] for i in range(most) for group in groups if i < len(group)]
    wanted = list(dict.fromkeys(turns))
    size = sum(4 * x[0].size for x in xs)
    chosen = np.array(wanted[: max(1, MAX_SAMPLE_BYTES // size)], np.int64)
    buffer = io.BytesIO()
    parts = {f"x_{i}": x[chosen].astype(np.float32) for i, x in enumerate(xs)}
    np.savez_compressed(buffer, index=chosen, **parts)  # type: ignore[arg-type]
    return buffer.getvalue()
