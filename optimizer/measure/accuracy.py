"""How well a ``.tflite`` does on held-out data, and how far it agrees with the baseline."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from optimizer.data.arrays import Arrays, load_arrays
from optimizer.errors import InputError
from optimizer.measure.interpreter import predict
from optimizer.measure.statistics import bootstrap_interval, wilson_interval
from optimizer.stage import Files, Progress

CLASSIFICATION = ("multiclass", "binary")
TASKS = (*CLASSIFICATION, "regression", "reconstruction")


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Measure a variant on the test samples.

    Args:
        params: ``task`` (one of :data:`TASKS`); optional ``from_logits`` (binary only: the
            output is a logit, so 0 rather than 0.5 separates the classes), ``threads``.
        inputs: ``model`` with ``model.tflite``, ``data`` with ``arrays.npz``, and optionally
            ``baseline`` with the ``predictions.npz`` of the float32 baseline.
        progress: told after every batch.

    Returns:
        ``metrics.json`` and ``predictions.npz`` (``outputs``: float32, shape (n, …)).

    Raises:
        InputError: task, labels and outputs do not fit each other.
        StageError: the runtime cannot run the model.
    """
    task, threshold = str(params["task"]), 0.0 if params.get("from_logits") else 0.5
    arrays = load_arrays(inputs["data"])
    progress(0.0, f"evaluating {len(arrays.x_test)} test samples")
    outputs = predict(
        inputs["model"]["model.tflite"],
        arrays.x_test,
        threads=int(params.get("threads", 1)),
        on_batch=lambda done, n: progress(done / n, f"{done} of {n} test samples", samples=done),
    )
    metrics = measure(task, outputs, arrays, threshold)
    baseline = inputs.get("baseline")
    if baseline is not None:
        reference = _read_predictions(baseline["predictions.npz"])
        metrics |= compare(task, outputs, reference, threshold)
    return {
        "metrics.json": json.dumps(metrics).encode(),
        "predictions.npz": _write_predictions(outputs),
    }


def measure(
    task: str, outputs: np.ndarray, arrays: Arrays, threshold: float = 0.5
) -> dict[str, Any]:
    """The task's metric on the test samples, with n and a 95 % interval.

    Accuracy has a Wilson interval, errors a bootstrap interval over samples (seed 0). The
    agreement fields are ``None``; see :func:`compare`.

    Raises:
        InputError: labels are missing, or their shape does not fit the outputs.
    """
    n = len(outputs)
    result: dict[str, Any] = {"task": task, "n": n, "higher_is_better": task in CLASSIFICATION}
    if task in CLASSIFICATION:
        labels = _labels(arrays, n)
        correct = int((predicted_classes(task, outputs, threshold) == labels).sum())
        result |= {"metric": "accuracy", "value": correct / n}
        result["interval"] = list(wilson_interval(correct, n))
    else:
        errors = _errors(task, outputs, arrays)
        result |= {"metric": _ERROR_METRIC[task], "value": float(errors.mean())}
        result["interval"] = list(bootstrap_interval(errors, lambda v: v.mean(axis=-1)))
    return result | {"agreement": None, "agreement_interval": None, "mean_abs_difference": None}


def compare(
    task: str, outputs: np.ndarray, baseline: np.ndarray, threshold: float = 0.5
) -> dict[str, Any]:
    """How far two sets of outputs for the same samples agree.

    Returns:
        For classes ``agreement`` (share of samples with the same predicted class) and its
        Wilson interval; otherwise ``mean_abs_difference``.

    Raises:
        InputError: the baseline's outputs have another shape.
    """
    if outputs.shape != baseline.shape:
        raise InputError(
            f"The baseline's outputs have shape {baseline.shape}, the variant's {outputs.shape}; "
            "they were not made from the same test samples."
        )
    if task not in CLASSIFICATION:
        return {"mean_abs_difference": float(np.abs(outputs - baseline).mean(dtype=np.float64))}
    same = predicted_classes(task, outputs, threshold) == predicted_classes(
        task, baseline, threshold
    )
    count = int(same.sum())
    return {
        "agreement": count / len(same),
        "agreement_interval": list(wilson_interval(count, len(same))),
    }


def predicted_classes(task: str, outputs: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Class index of every sample, shape (n,).

    Args:
        task: ``multiclass`` (largest of C outputs) or ``binary`` (one output per sample above
            the threshold, or the larger of two).
        outputs: float32, shape (n, C), or (n,) or (n, 1) for binary.
        threshold: 0.5 for probabilities, 0 for logits.

    Raises:
        InputError: the outputs do not have that shape.
    """
    flat = outputs.reshape(len(outputs), -1)
    if task == "binary" and flat.shape[1] == 1:
        return (flat[:, 0] > threshold).astype(np.int64)
    if flat.shape[1] < 2 or outputs.ndim > 2 or (task == "binary" and flat.shape[1] != 2):
        raise InputError(
            f"The model's outputs have shape {outputs.shape[1:]} per sample, which does not fit "
            f"the task {task!r}. Choose another task for this study."
        )
    return flat.argmax(axis=1)


_ERROR_METRIC = {"regression": "mae", "reconstruction": "mse"}


def _labels(arrays: Arrays, n: int) -> np.ndarray:
    if arrays.y_test is None:
        raise InputError("Accuracy needs labels, and this dataset has none. Add y_test.")
    labels = arrays.y_test.reshape(len(arrays.y_test), -1)
    if labels.shape != (n, 1):
        raise InputError(
            f"Accuracy needs one class per sample; the labels have shape {arrays.y_test.shape} "
            f"for {n} samples."
        )
    return labels[:, 0].astype(np.int64)


def _errors(task: str, outputs: np.ndarray, arrays: Arrays) -> np.ndarray:
    """Error of every sample, float64, shape (n,): mean absolute, or mean squared."""
    if task not in _ERROR_METRIC:
        raise InputError(f"Unknown task {task!r}. Choose one of {', '.join(TASKS)}.")
    targets = arrays.x_test if task == "reconstruction" else arrays.y_test
    if targets is None:
        raise InputError("Regression needs target values, and this dataset has none. Add y_test.")
    flat, goal = (a.reshape(len(a), -1).astype(np.float64) for a in (outputs, targets))
    if flat.shape != goal.shape:
        raise InputError(
            f"The model gives {flat.shape[1]} values per sample, the targets have {goal.shape[1]}."
        )
    difference = flat - goal
    each = np.abs(difference) if task == "regression" else difference**2
    return each.mean(axis=1)


def _read_predictions(data: bytes) -> np.ndarray:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return file["outputs"]


def _write_predictions(outputs: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, outputs=outputs.astype(np.float32))
    return buffer.getvalue()
