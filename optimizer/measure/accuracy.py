"""How well a ``.tflite`` does on held-out data, and how far it agrees with the baseline."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optimizer.data.arrays import Arrays, load_arrays
from optimizer.data.objective import CLASSIFICATION, LOWER_IS_BETTER, split_task
from optimizer.errors import InputError
from optimizer.measure.interpreter import Ends, predict
from optimizer.measure.metrics import (
    Metric,
    are_class_scores,
    metrics_of,
    predicted_classes,
    reconstruction_metrics,
)
from optimizer.measure.statistics import wilson_interval
from optimizer.stage import Files, Progress


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Measure a variant on the test samples.

    Args:
        params: ``task``, one per output joined by ``+``; optional ``metric``, the headline that a
            person chose for the first output; ``from_logits``, for each output whether 0 rather
            than 0.5 separates two classes; ``inputs`` and ``outputs``, the model's names, the
            dataset's where they are not given; ``threads``.
        inputs: ``model`` with ``model.tflite`` (and ``conversion.json``, which says in what
            order the file has its inputs and outputs), ``data`` with ``arrays.npz``, and
            optionally ``baseline`` with the ``predictions.npz`` of the float32 baseline.
        progress: told after every batch.

    Returns:
        ``metrics.json`` and ``predictions.npz`` (``outputs``: float32, shape (n, …), and
        ``outputs_1`` … for a model with several).

    Raises:
        InputError: task, labels and outputs do not fit each other.
        StageError: the runtime cannot run the model.
    """
    tasks = split_task(str(params["task"]))
    arrays = load_arrays(inputs["data"])
    names = list(params.get("outputs") or arrays.target_names or ("output",))
    thresholds = [0.0 if logits else 0.5 for logits in params.get("from_logits") or ()]
    progress(0.0, f"evaluating {arrays.samples('test')} test samples")
    outputs = predict(
        inputs["model"]["model.tflite"],
        arrays.inputs_for(params.get("inputs") or arrays.input_names, "test"),
        ends_of(inputs["model"]),
        threads=int(params.get("threads", 1)),
        on_batch=lambda done, n: progress(done / n, f"{done} of {n} test samples", samples=done),
    )
    metrics = measure(tasks, outputs, arrays, names, thresholds, params.get("metric"))
    baseline = inputs.get("baseline")
    if baseline is not None:
        reference = read_predictions(baseline["predictions.npz"])
        metrics |= compare_all(tasks, outputs, reference, names, thresholds)
    return {
        "metrics.json": json.dumps(metrics).encode(),
        "predictions.npz": _write_predictions(outputs),
    }


def measure(
    tasks: list[str],
    outputs: Sequence[np.ndarray],
    arrays: Arrays,
    names: Sequence[str] = ("output",),
    thresholds: Sequence[float] = (),
    headline: str | None = None,
) -> dict[str, Any]:
    """The tasks' metrics on the test samples, with n and a 95 % interval of the headline.

    Shares have a Wilson interval, other figures a bootstrap interval over samples (seed 0). The
    agreement fields are ``None``; see :func:`compare`.

    Args:
        tasks: of each output.
        outputs: of each output, float32, shape (n, …).
        arrays: the dataset.
        names: of the model's outputs.
        thresholds: of each output, see :func:`predicted_classes`; 0.5 where not given.
        headline: metric of the first output to put first; ``None`` for the task's own.

    Raises:
        InputError: labels are missing, or their shape does not fit the outputs.
    """
    task = "+".join(tasks)
    if len(tasks) != len(outputs):
        if tasks != ["unlabelled"]:
            raise InputError(
                f"The study has {len(tasks)} tasks ({task}) and the model "
                f"{len(outputs)} outputs. Make a study with one task for each output."
            )
        tasks = tasks * len(outputs)
    if len(names) != len(outputs):
        names = [f"output_{index}" for index in range(len(outputs))]
    found = _all_metrics(tasks, outputs, arrays, names, thresholds)
    first = found[0]
    metric = headline if headline in first else next(iter(first), "accuracy")
    chosen = first.get(metric)
    interval = chosen.interval() if chosen else None
    values = {metric: chosen.value if chosen else None}
    values |= {name: each.value for name, each in first.items() if name != metric}
    for name, others in zip(names[1:], found[1:], strict=True):
        values |= {f"{name}.{key}": each.value for key, each in others.items()}
    return {
        "task": task,
        "n": len(outputs[0]),
        "metric": metric,
        "value": values[metric],
        "interval": list(interval) if interval else None,
        "higher_is_better": metric not in LOWER_IS_BETTER,
        "metrics": values,
        "agreement": None,
        "agreement_interval": None,
        "mean_abs_difference": None,
    }


def _all_metrics(
    tasks: Sequence[str],
    outputs: Sequence[np.ndarray],
    arrays: Arrays,
    names: Sequence[str],
    thresholds: Sequence[float],
) -> list[dict[str, Metric]]:
    if list(tasks) == ["reconstruction"]:
        anomalies = arrays.y_test[0] if len(arrays.y_test) == 1 else None
        return [reconstruction_metrics(outputs[0], arrays.x_test[0], anomalies)]
    labelled = any(task != "unlabelled" for task in tasks) and bool(arrays.y_test)
    targets = arrays.targets_for(names, "test") if labelled else [None] * len(tasks)
    return [
        metrics_of(task, output, target, _at(thresholds, i))
        for i, (task, output, target) in enumerate(zip(tasks, outputs, targets, strict=True))
    ]


def compare(
    task: str, outputs: np.ndarray, baseline: np.ndarray, threshold: float = 0.5
) -> dict[str, Any]:
    """How far two sets of outputs for the same samples agree.

    Returns:
        For classes, and without labels for what looks like scores of classes, ``agreement``
        (share of samples with the same predicted class) and its Wilson interval; for several
        labels per sample the share of samples with the same labels; otherwise
        ``mean_abs_difference``.

    Raises:
        InputError: the baseline's outputs have another shape.
    """
    if outputs.shape != baseline.shape:
        raise InputError(
            f"The baseline's outputs have shape {baseline.shape}, the variant's {outputs.shape}; "
            "they were not made from the same test samples."
        )
    if task == "multilabel":
        same = ((outputs > threshold) == (baseline > threshold)).reshape(len(outputs), -1).all(1)
    elif task in CLASSIFICATION:
        same = predicted_classes(task, outputs, threshold) == predicted_classes(
            task, baseline, threshold
        )
    elif task == "unlabelled" and are_class_scores(baseline):
        same = outputs.argmax(axis=1) == baseline.argmax(axis=1)
    else:
        return {"mean_abs_difference": float(np.abs(outputs - baseline).mean(dtype=np.float64))}
    count = int(same.sum())
    return {
        "agreement": count / len(same),
        "agreement_interval": list(wilson_interval(count, len(same))),
    }


def compare_all(
    tasks: Sequence[str],
    outputs: Sequence[np.ndarray],
    baseline: Sequence[np.ndarray],
    names: Sequence[str],
    thresholds: Sequence[float],
) -> dict[str, Any]:
    """:func:`compare` of every output: the first one's fields, the others' under their names."""
    each = list(tasks) if len(tasks) == len(outputs) else ["unlabelled"] * len(outputs)
    found = [
        compare(compared_as(task, reference, thresholds[i:]), output, reference, _at(thresholds, i))
        for i, (task, output, reference) in enumerate(zip(each, outputs, baseline, strict=True))
    ]
    others = {
        f"{name}.{key}": fields[key]
        for name, fields in zip(names[1:], found[1:], strict=True)
        for key in ("agreement", "mean_abs_difference")
        if key in fields
    }
    return found[0] | ({"agreement_by_output": others} if others else {})


def compared_as(task: str, outputs: np.ndarray, thresholds: Sequence[float]) -> str:
    """Without labels, what a sigmoid's outputs are: they have a threshold other than that of 0."""
    probabilities = task == "unlabelled" and list(thresholds[:1]) == [0.5]
    if not probabilities or outputs.ndim > 2 or are_class_scores(outputs):
        return task
    return "binary" if outputs.size == len(outputs) else "multilabel"


def _at(thresholds: Sequence[float], index: int) -> float:
    return thresholds[index] if index < len(thresholds) else 0.5


def ends_of(files: Files) -> Ends:
    """The order of a converted model's inputs and outputs, from its ``conversion.json``."""
    conversion = json.loads(files["conversion.json"]) if "conversion.json" in files else {}
    return Ends(tuple(conversion.get("inputs", ())), tuple(conversion.get("outputs", ())))


def read_predictions(data: bytes) -> list[np.ndarray]:
    """The outputs in a ``predictions.npz``, in the model's order."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return [file[name] for name in file.files]


def _write_predictions(outputs: Sequence[np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    named = {
        f"outputs_{i}" if i else "outputs": part.astype(np.float32)
        for i, part in enumerate(outputs)
    }
    np.savez_compressed(buffer, **named)  # type: ignore[arg-type]
    return buffer.getvalue()
