"""What a changed model lost on the same samples, with an interval that says what is noise.

Both models are judged by the very same samples, so the difference is known far better than each
of the two figures: only the samples on which the models differ count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from optimizer.data.objective import LOWER_IS_BETTER
from optimizer.measure.accuracy import compared_as
from optimizer.measure.metrics import (
    are_class_scores,
    metrics_of,
    predicted_classes,
    reconstruction_metrics,
)
from optimizer.measure.statistics import Z95

_RESAMPLES = 200
AGREEMENT, DIFFERENCE = "agreement", "mean_abs_difference"
"""What stands in for a metric without labels: the share of samples with the same prediction as
the model as it is, or how far the outputs moved."""
_SHARES = ("accuracy", "subset_accuracy", AGREEMENT)
_Each = Callable[[np.ndarray], np.ndarray]
_Whole = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Yardstick:
    """How one output of changed models is judged.

    Attributes:
        metric: its name.
        higher_is_better: which end of it is good.
        value: of the model as it is.
        scale: standard deviation of that model's outputs, in their unit.
        fall: outputs of a changed model, float32, shape (n, …) → what it lost: ``fall`` in the
            metric's unit, larger being worse, and the ends ``low`` and ``high`` of its 95 %
            interval. ``None`` for what is not a finite number.
    """

    metric: str
    higher_is_better: bool
    value: float
    scale: float
    fall: Callable[[np.ndarray], dict[str, float | None]]


def yardstick(
    task: str,
    reference: np.ndarray,
    targets: np.ndarray | None,
    *,
    threshold: float = 0.5,
    metric: str | None = None,
) -> Yardstick:
    """How to judge one output.

    Figures that are means over samples have a normal interval of the paired differences; shares
    one that does not shrink to nothing when no sample changed (Agresti & Min 2005, Statistics in
    Medicine 24:729-740); others a percentile bootstrap over samples.

    Args:
        task: of the output, one of :data:`optimizer.data.objective.TASKS`.
        reference: outputs of the model as it is, float32, shape (n, …).
        targets: as :class:`optimizer.data.arrays.Arrays` has them; the input for a
            reconstruction; ``None`` without labels, which are then not asked for.
        threshold: what separates two classes: 0.5 for probabilities, 0 for logits.
        metric: the one that a person chose; ``None``, or one that there is not, for the task's.

    Raises:
        InputError: the labels do not fit the outputs.
    """
    scale = float(np.std(reference, dtype=np.float64))
    if targets is None or task == "unlabelled":
        return _unlabelled(reference, threshold, scale)
    known = _metrics(task, reference, targets, threshold)
    name = metric if metric is not None and metric in known else next(iter(known))
    each = _per_sample(task, name, targets, threshold)
    sign = -1.0 if name in LOWER_IS_BETTER else 1.0
    if each is not None:
        fall = _of_means(name, each, reference, sign)
    else:

        def whole(outputs: np.ndarray, rows: np.ndarray) -> float:
            found = _metrics(task, outputs[rows], targets[rows], threshold)
            return float(found[name]) if name in found else math.nan

        fall = _of_whole(whole, reference, sign)
    return Yardstick(name, sign > 0, float(known[name]), scale, fall)


def _metrics(
    task: str, outputs: np.ndarray, targets: np.ndarray, threshold: float
) -> Mapping[str, float]:
    if task == "reconstruction":
        found = reconstruction_metrics(outputs, targets, None)
    else:
        found = metrics_of(task, outputs, targets, threshold)
    return {name: metric.value for name, metric in found.items()}


def _unlabelled(reference: np.ndarray, threshold: float, scale: float) -> Yardstick:
    task = compared_as("unlabelled", reference, [threshold])
    if task == "unlabelled" and are_class_scores(reference):
        task = "multiclass"
    if task == "unlabelled":

        def moved(outputs: np.ndarray) -> np.ndarray:
            return _rows(np.abs(_flat(outputs) - _flat(reference)))

        return Yardstick(DIFFERENCE, False, 0.0, scale, _of_means(DIFFERENCE, moved, reference, -1))
    expected = _decided(task, reference, threshold)

    def same(outputs: np.ndarray) -> np.ndarray:
        return (_decided(task, outputs, threshold) == expected).all(axis=1)

    return Yardstick(AGREEMENT, True, 1.0, scale, _of_means(AGREEMENT, same, reference, 1))


def _decided(task: str, outputs: np.ndarray, threshold: float) -> np.ndarray:
    """What a sample is taken for, shape (n, 1), or with several labels (n, labels)."""
    if task == "multilabel":
        return _flat(outputs) > threshold
    return predicted_classes(task, outputs, threshold)[:, None]


def _per_sample(task: str, name: str, targets: np.ndarray, threshold: float) -> _Each | None:
    """Outputs → a figure for each sample whose mean is the metric; ``None`` if it is no mean."""
    if name == "accuracy":
        labels = targets.reshape(len(targets), -1)[:, 0].astype(np.int64)
        return lambda outputs: predicted_classes(task, outputs, threshold) == labels
    if name in ("subset_accuracy", "label_accuracy"):
        truth = _flat(targets) > 0.5
        pick = np.all if name == "subset_accuracy" else np.mean
        return lambda outputs: pick((_flat(outputs) > threshold) == truth, axis=1)
    if name == "mae":
        return lambda outputs: _rows(np.abs(_flat(outputs) - _flat(targets)))
    if name == "mse":
        return lambda outputs: _rows((_flat(outputs) - _flat(targets)) ** 2)
    return None


def _of_means(
    name: str, each: _Each, reference: np.ndarray, sign: float
) -> Callable[[np.ndarray], dict[str, float | None]]:
    before = each(reference).astype(np.float64)

    def fall(outputs: np.ndarray) -> dict[str, float | None]:
        lost = sign * (before - each(outputs).astype(np.float64))
        value = float(lost.mean())
        if name in _SHARES:
            low, high = _share_interval(lost)
        else:
            half = Z95 * float(lost.std(ddof=1 if len(lost) > 1 else 0)) / math.sqrt(len(lost))
            low, high = value - half, value + half
        return _finite(value, low, high)

    return fall


def _share_interval(lost: np.ndarray) -> tuple[float, float]:
    """Of the difference of two shares over the same samples.

    Args:
        lost: 1 for a sample that was right and is wrong, -1 for the reverse, else 0; shape (n,).
    """
    worse, better, n = float((lost > 0).sum()), float((lost < 0).sum()), len(lost) + 2.0
    middle = (worse - better) / n
    half = Z95 * math.sqrt(worse + better + 1 - (worse - better) ** 2 / n) / n
    return middle - half, middle + half


def _of_whole(
    whole: _Whole, reference: np.ndarray, sign: float
) -> Callable[[np.ndarray], dict[str, float | None]]:
    n = len(reference)
    draws = np.random.default_rng(0).integers(0, n, (_RESAMPLES, n))
    everything = np.arange(n)
    value = whole(reference, everything)
    before = np.array([whole(reference, rows) for rows in draws])

    def fall(outputs: np.ndarray) -> dict[str, float | None]:
        after = np.array([whole(outputs, rows) for rows in draws])
        lost = sign * (before - after)
        lost = lost[np.isfinite(lost)]
        low, high = np.percentile(lost, [2.5, 97.5]) if len(lost) else (math.nan, math.nan)
        return _finite(sign * (value - whole(outputs, everything)), float(low), float(high))

    return fall


def _finite(value: float, low: float, high: float) -> dict[str, float | None]:
    ends: dict[str, Any] = {"fall": value, "low": min(low, value), "high": max(high, value)}
    return {name: end if math.isfinite(end) else None for name, end in ends.items()}


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1).astype(np.float64)


def _rows(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.mean(axis=1))
