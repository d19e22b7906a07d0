"""What changed between two sets of predictions for the same samples: counts and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optimizer.data.objective import CLASSIFICATION
from optimizer.measure.metrics import are_class_scores, predicted_classes

EXAMPLES = 24
"""Samples kept of each kind of change at most."""
MAX_CLASSES = 200
"""Classes of a confusion matrix at most; of more, only the counts are kept."""
MAX_POINTS = 1000
"""Samples kept for a scatter chart at most."""
BINS = 40
RIGHT_TO_WRONG, WRONG_TO_RIGHT, WRONG_TO_WRONG, CHANGED = (
    "right_to_wrong",
    "wrong_to_right",
    "wrong_to_wrong",
    "changed",
)
WORSE, BETTER = "worse", "better"


def compare_output(
    task: str,
    before: np.ndarray,
    after: np.ndarray,
    truth: np.ndarray | None,
    threshold: float = 0.5,
) -> dict[str, Any]:
    """Compare a variant's predictions with the baseline's, for one output.

    Args:
        task: one of :data:`optimizer.data.objective.TASKS`; for ``reconstruction`` the truth is
            the input.
        before, after: the outputs, float32, shape (n, …).
        truth: classes, 0 or 1 per label, or real values; ``None`` without labels.
        threshold: what separates two classes.

    Returns:
        ``kind``: ``classes``, ``labels`` (0 or 1 in several columns) or ``values``; and what
        :func:`_classes`, :func:`_labels` and :func:`_values` return for each.
    """
    if task in CLASSIFICATION:
        found = [predicted_classes(task, outputs, threshold) for outputs in (before, after)]
        truth = None if truth is None else truth.reshape(len(truth)).astype(np.int64)
        scores = [
            _scores(outputs, each) for outputs, each in zip((before, after), found, strict=True)
        ]
        width = before.reshape(len(before), -1).shape[1]
        return _classes(found[0], found[1], scores, truth, max(2, width))
    if task == "unlabelled" and are_class_scores(before):
        found = [outputs.argmax(axis=1) for outputs in (before, after)]
        scores = [
            _scores(outputs, each) for outputs, each in zip((before, after), found, strict=True)
        ]
        return _classes(found[0], found[1], scores, None, before.shape[1])
    if task == "multilabel" and truth is not None:
        return _labels(before > threshold, after > threshold, truth > 0.5)
    return _values(before, after, truth)


def _scores(outputs: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """What the model gave its predicted class, where that is a probability; shape (n,)."""
    flat = outputs.reshape(len(outputs), -1)
    if are_class_scores(flat):
        chosen: np.ndarray = flat[np.arange(len(flat)), classes]
        return chosen
    if flat.shape[1] == 1 and flat.min() >= 0 and flat.max() <= 1:
        return np.where(classes == 1, flat[:, 0], 1 - flat[:, 0])
    return None


def _classes(
    before: np.ndarray,
    after: np.ndarray,
    scores: Sequence[np.ndarray | None],
    truth: np.ndarray | None,
    classes: int,
) -> dict[str, Any]:
    """``n``, ``classes``, ``confusion`` (``before`` and ``after``: rows are the truth, columns
    the prediction; ``None`` without labels or for too many classes), ``counts`` and ``examples``
    of each kind of change; an example has ``sample``, ``truth``, ``before``, ``after`` and the
    ``before_score`` and ``after_score`` of the predicted class.
    """
    if truth is not None:
        classes = max(classes, int(truth.max()) + 1)
    confusion = None
    if truth is not None and classes <= MAX_CLASSES:
        confusion = {
            name: np.bincount(truth * classes + found, minlength=classes**2)
            .reshape(classes, classes)
            .tolist()
            for name, found in (("before", before), ("after", after))
        }
    groups = _groups(before != after, _right(before, truth), _right(after, truth))
    first, second = scores

    def example(sample: int) -> dict[str, Any]:
        return {
            "sample": sample,
            "truth": None if truth is None else int(truth[sample]),
            "before": int(before[sample]),
            "after": int(after[sample]),
            "before_score": None if first is None else float(first[sample]),
            "after_score": None if second is None else float(second[sample]),
        }

    surest = np.zeros(len(after)) if second is None else second
    return {
        "kind": "classes",
        "n": len(before),
        "classes": classes,
        "confusion": confusion,
        **_kept(groups, surest, example),
    }


def _labels(before: np.ndarray, after: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """``n``, ``tables`` (for each label ``[true positives, false positives, false negatives,
    true negatives]`` ``before`` and ``after``), and as for classes; a prediction is the list of
    labels, and right when all are.
    """
    changed = (before != after).reshape(len(before), -1).any(axis=1)
    right = [(found == truth).reshape(len(truth), -1).all(axis=1) for found in (before, after)]

    def example(sample: int) -> dict[str, Any]:
        parts = {"truth": truth, "before": before, "after": after}
        return {"sample": sample} | {
            name: np.flatnonzero(values[sample]).tolist() for name, values in parts.items()
        }

    return {
        "kind": "labels",
        "n": len(before),
        "tables": {
            name: np.stack(
                [
                    (found & truth).sum(axis=0),
                    (found & ~truth).sum(axis=0),
                    (~found & truth).sum(axis=0),
                    (~found & ~truth).sum(axis=0),
                ],
                axis=1,
            ).tolist()
            for name, found in (("before", before), ("after", after))
        },
        **_kept(_groups(changed, *right), np.zeros(len(before)), example),
    }


def _values(before: np.ndarray, after: np.ndarray, truth: np.ndarray | None) -> dict[str, Any]:
    """``n``, ``labelled``, ``edges`` and the ``before`` and ``after`` counts of errors (without
    labels ``after`` counts differences from the baseline), ``points`` (``sample``, ``truth``,
    ``before``, ``after``) for outputs of one value, and ``counts`` and ``examples`` of the samples
    whose error grew and shrank (without labels: that differ at all), the largest changes first,
    with their mean absolute errors.
    """
    first, second = (part.reshape(len(part), -1).astype(np.float64) for part in (before, after))
    goal = first if truth is None else truth.reshape(len(truth), -1).astype(np.float64)
    errors = [(first - goal), (second - goal)]
    edges = np.histogram_bin_edges(np.concatenate([each.ravel() for each in errors]), BINS)
    size = [np.abs(each).mean(axis=1) for each in errors]
    growth = size[1] - size[0]

    def example(sample: int) -> dict[str, Any]:
        return {
            "sample": sample,
            "before_error": float(size[0][sample]),
            "after_error": float(size[1][sample]),
            **(
                {
                    "truth": None if truth is None else float(goal[sample, 0]),
                    "before": float(first[sample, 0]),
                    "after": float(second[sample, 0]),
                }
                if first.shape[1] == 1
                else {}
            ),
        }

    largest = np.argsort(-growth, kind="stable")
    order = {WORSE: largest, BETTER: largest[::-1], CHANGED: largest}
    groups = {CHANGED: growth > 0} if truth is None else {WORSE: growth > 0, BETTER: growth < 0}
    points = np.linspace(0, len(first) - 1, min(MAX_POINTS, len(first))).round().astype(np.int64)
    return {
        "kind": "values",
        "n": len(first),
        "labelled": truth is not None,
        "edges": edges.tolist(),
        "before": np.histogram(errors[0], edges)[0].tolist(),
        "after": np.histogram(errors[1], edges)[0].tolist(),
        "mean_errors": [float(each.mean()) for each in size],
        "points": (
            {
                "truth": goal[points, 0].tolist(),
                "before": first[points, 0].tolist(),
                "after": second[points, 0].tolist(),
            }
            if first.shape[1] == 1
            else None
        ),
        "counts": {kind: int(group.sum()) for kind, group in groups.items()},
        "examples": {
            kind: [example(int(i)) for i in order[kind][: EXAMPLES // 2] if group[i]]
            for kind, group in groups.items()
        },
    }


def _right(found: np.ndarray, truth: np.ndarray | None) -> np.ndarray | None:
    return None if truth is None else found == truth


def _groups(
    changed: np.ndarray, right_before: np.ndarray | None, right_after: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Kind of change → which samples changed so."""
    if right_before is None or right_after is None:
        return {CHANGED: changed}
    return {
        RIGHT_TO_WRONG: right_before & ~right_after,
        WRONG_TO_RIGHT: ~right_before & right_after,
        WRONG_TO_WRONG: changed & ~right_before & ~right_after,
    }


def _kept(groups: Mapping[str, np.ndarray], surest: np.ndarray, example: Any) -> dict[str, Any]:
    """``counts`` of each kind, and ``examples``: those of which the variant is surest."""
    order = np.argsort(-surest, kind="stable")
    return {
        "counts": {name: int(group.sum()) for name, group in groups.items()},
        "examples": {
            name: [example(int(i)) for i in order[group[order]][:EXAMPLES]]
            for name, group in groups.items()
        },
    }
