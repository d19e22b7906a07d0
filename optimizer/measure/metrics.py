"""What one output of a model is worth on held-out samples, by task: numbers from arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from optimizer.errors import InputError
from optimizer.measure.statistics import bootstrap_interval, wilson_interval

Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Metric:
    """A figure and how to find its 95 % interval, which is not always asked for."""

    value: float
    interval: Callable[[], Interval]


def metrics_of(
    task: str, outputs: np.ndarray, targets: np.ndarray | None, threshold: float = 0.5
) -> dict[str, Metric]:
    """Every metric of a task, the proposed headline first.

    Args:
        task: one of :data:`optimizer.data.objective.TASKS`; not ``reconstruction``, which has
            :func:`reconstruction_metrics`.
        outputs: float32, shape (n, …).
        targets: as :class:`optimizer.data.arrays.Arrays` has them; ``None`` without labels.
        threshold: what separates two classes: 0.5 for probabilities, 0 for logits.

    Raises:
        InputError: labels are missing, or do not fit the outputs.
    """
    if task == "unlabelled":
        return {}
    if targets is None:
        raise InputError(
            f"The task {task} needs labels, and this dataset has none. Add y_test, or choose the "
            "task unlabelled."
        )
    return _BY_TASK[task](outputs, targets, threshold)


def reconstruction_metrics(
    outputs: np.ndarray, x: np.ndarray, anomalies: np.ndarray | None
) -> dict[str, Metric]:
    """``mse``, and ``auc``: how well the error of a sample tells the anomalous ones.

    Args:
        outputs, x: float32, shape (n, …), of equal size per sample.
        anomalies: 0 or 1 for every sample, shape (n,), or ``None``.
    """
    errors = (_difference(outputs, x) ** 2).mean(axis=1)
    found = {"mse": _mean(errors)}
    if anomalies is not None and anomalies.ndim == 1 and set(np.unique(anomalies)) == {0, 1}:
        found["auc"] = _auc_metric(errors, anomalies)
    return found


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


def are_class_scores(outputs: np.ndarray) -> bool:
    """Whether every row is a distribution over at least two classes, as a softmax gives."""
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        return False
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=0.01))


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve, from ranks with ties shared (Mann-Whitney).

    Args:
        scores: shape (n,), higher for the positive.
        positive: 0 or 1, shape (n,), both present.

    Returns:
        The chance that a positive sample scores higher than a negative one.
    """
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse]
    ones = int(positive.sum())
    zeros = len(positive) - ones
    return float((ranks[positive == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _multiclass(outputs: np.ndarray, targets: np.ndarray, threshold: float) -> dict[str, Metric]:
    labels, found = _labels(targets, len(outputs)), predicted_classes("multiclass", outputs)
    classes = np.union1d(labels, found)

    def f1(chosen: np.ndarray) -> float:
        truth, given = labels[chosen], found[chosen]
        hits = np.bincount(truth[truth == given], minlength=classes[-1] + 1)[classes]
        size = [np.bincount(part, minlength=classes[-1] + 1)[classes] for part in (truth, given)]
        total = size[0] + size[1]
        return float((2 * hits[total > 0] / total[total > 0]).mean())

    return {"accuracy": _share(labels == found), "f1_macro": _of_samples(f1, len(labels))}


def _binary(outputs: np.ndarray, targets: np.ndarray, threshold: float) -> dict[str, Metric]:
    labels = _labels(targets, len(outputs))
    found = {"accuracy": _share(predicted_classes("binary", outputs, threshold) == labels)}
    if 0 < labels.sum() < len(labels):
        flat = outputs.reshape(len(outputs), -1)
        scores = flat[:, 0] if flat.shape[1] == 1 else flat[:, 1] - flat[:, 0]
        found["auc"] = _auc_metric(scores, labels)
    return found


def _multilabel(outputs: np.ndarray, targets: np.ndarray, threshold: float) -> dict[str, Metric]:
    if outputs.shape != targets.shape:
        raise InputError(
            f"The model's outputs have shape {outputs.shape[1:]} per sample, the labels "
            f"{targets.shape[1:]}; for several labels per sample they must be equal."
        )
    given, truth = outputs > threshold, targets > 0.5
    hits, all_given, all_true = ((part).sum(axis=1) for part in (given & truth, given, truth))
    equal = given == truth

    def f1(chosen: np.ndarray) -> float:
        total = all_given[chosen].sum() + all_true[chosen].sum()
        return float(2 * hits[chosen].sum() / total) if total else 1.0

    return {
        "f1_micro": _of_samples(f1, len(outputs)),
        "subset_accuracy": _share(equal.all(axis=1)),
        "label_accuracy": _mean(equal.mean(axis=1)),
    }


def _regression(outputs: np.ndarray, targets: np.ndarray, threshold: float) -> dict[str, Metric]:
    difference = _difference(outputs, targets)
    found = {"mae": _mean(np.abs(difference).mean(axis=1))}
    goal = targets.reshape(len(targets), -1).astype(np.float64)

    def r2(chosen: np.ndarray) -> float:
        spread = ((goal[chosen] - goal[chosen].mean(axis=0)) ** 2).sum()
        return float(1 - (difference[chosen] ** 2).sum() / spread) if spread else 0.0

    if np.ptp(goal, axis=0).any():
        found["r2"] = _of_samples(r2, len(goal))
    return found


_BY_TASK: Mapping[str, Callable[[np.ndarray, np.ndarray, float], dict[str, Metric]]] = {
    "multiclass": _multiclass,
    "binary": _binary,
    "multilabel": _multilabel,
    "regression": _regression,
}


def _share(right: np.ndarray) -> Metric:
    count, n = int(right.sum()), len(right)
    return Metric(count / n, lambda: wilson_interval(count, n))


def _mean(each: np.ndarray) -> Metric:
    return Metric(float(each.mean()), lambda: bootstrap_interval(each, lambda v: v.mean(axis=-1)))


def _of_samples(value: Callable[[np.ndarray], float], n: int) -> Metric:
    """A figure that is a function of which samples are looked at."""

    def rows(drawn: np.ndarray) -> np.ndarray:
        return np.array([value(row.astype(np.int64)) for row in drawn])

    everything = np.arange(n)
    return Metric(value(everything), lambda: bootstrap_interval(everything, rows))


def _auc_metric(scores: np.ndarray, positive: np.ndarray) -> Metric:
    def of(chosen: np.ndarray) -> float:
        part = positive[chosen]
        return auc(scores[chosen], part) if 0 < part.sum() < len(part) else 0.5

    return _of_samples(of, len(scores))


def _labels(targets: np.ndarray, n: int) -> np.ndarray:
    labels = targets.reshape(len(targets), -1)
    if labels.shape != (n, 1):
        raise InputError(
            f"Accuracy needs one class per sample; the labels have shape {targets.shape} "
            f"for {n} samples."
        )
    return labels[:, 0].astype(np.int64)


def _difference(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Output minus target, float64, shape (n, values per sample)."""
    flat, goal = (a.reshape(len(a), -1).astype(np.float64) for a in (outputs, targets))
    if flat.shape != goal.shape:
        raise InputError(
            f"The model gives {flat.shape[1]} values per sample, the targets have {goal.shape[1]}."
        )
    return flat - goal
