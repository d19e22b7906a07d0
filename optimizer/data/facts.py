"""``facts.json``: what a prepared dataset is, for people and for the checks against a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from optimizer.data.arrays import Arrays
from optimizer.data.labels import Labels

Facts = Mapping[str, Any]
EXACT_IN_FLOAT32 = 2**24


def dataset_facts(arrays: Arrays, labels: list[Labels]) -> dict[str, Any]:
    """Numbers of samples, and what every input and target is.

    Returns:
        ``train``, ``test``; ``inputs`` (``name``, ``x_shape``, ``x_dtype``, ``x_min``, ``x_max``,
        ``x_mean``, ``x_std``, ``non_finite``) and ``targets`` (``name``, ``y_shape``,
        ``y_dtype``, ``y_kind``, ``classes``, ``class_counts``, ``y_min``, ``y_max``); and the
        fields of the first input and the first target once more, on their own.
    """
    inputs = [
        {"name": name, **_input_facts(train, test)}
        for name, train, test in zip(arrays.input_names, arrays.x_train, arrays.x_test, strict=True)
    ]
    targets = [
        {"name": name, **_target_facts(each)}
        for name, each in zip(arrays.target_names, labels, strict=True)
    ]
    facts: dict[str, Any] = {"train": arrays.samples("train"), "test": arrays.samples("test")}
    facts |= {"inputs": inputs, "targets": targets}
    return single(facts, 0, 0)


def single(data_facts: Facts, input_index: int, target_index: int) -> dict[str, Any]:
    """The facts of one input and one target, in the fields of a dataset that has no more.

    Args:
        data_facts: of the whole dataset; those of an older study have no lists.
        input_index, target_index: which; a target that is not there gives labels ``none``.
    """
    inputs, targets = data_facts.get("inputs"), data_facts.get("targets")
    if inputs is None or targets is None:
        return dict(data_facts)
    target = targets[target_index] if target_index < len(targets) else NO_TARGET
    found = {**data_facts, **inputs[input_index], **target}
    found.pop("name", None)
    return found


def input_names(data_facts: Facts) -> list[str]:
    """What the dataset's inputs are called."""
    return [entry["name"] for entry in data_facts.get("inputs") or [{"name": "x"}]]


def target_names(data_facts: Facts) -> list[str]:
    """What the dataset's targets are called; empty without labels."""
    if data_facts["y_kind"] == "none":
        return []
    return [entry["name"] for entry in data_facts.get("targets") or [{"name": "y"}]]


NO_TARGET: dict[str, Any] = {
    "y_shape": [],
    "y_dtype": None,
    "y_kind": "none",
    "classes": None,
    "class_counts": None,
    "y_min": None,
    "y_max": None,
}


def rounding_note(facts: Facts) -> str | None:
    """A sentence when whole numbers are too large for float32, in which models compute."""
    for entry in facts["inputs"]:
        largest = max(abs(entry["x_min"] or 0), abs(entry["x_max"] or 0))
        if "int" in entry["x_dtype"] and largest > EXACT_IN_FLOAT32:
            return f"Values up to {largest:.0f} are rounded: models compute in float32."
    return None


def _input_facts(train: np.ndarray, test: np.ndarray) -> dict[str, Any]:
    return {
        "x_shape": list(train.shape[1:]),
        "x_dtype": str(train.dtype),
        **_statistics((train, test)),
    }


def _target_facts(labels: Labels) -> dict[str, Any]:
    counts = labels.counts()
    return {
        "y_shape": list(labels.parts[0].shape[1:]),
        "y_dtype": str(labels.parts[0].dtype),
        "y_kind": labels.kind,
        "classes": labels.classes,
        "class_counts": dict(zip(("train", "test"), counts, strict=True)) if counts else None,
        "y_min": min(float(part.min()) for part in labels.parts),
        "y_max": max(float(part.max()) for part in labels.parts),
    }


def _statistics(parts: tuple[np.ndarray, ...]) -> dict[str, Any]:
    """Range, mean and spread of all finite values of x, and how many are not finite."""
    total = total_squared = 0.0
    count, bad, low, high = 0, 0, np.inf, -np.inf
    for part in parts:
        step = max(1, 2**22 // max(1, part[0].size))  # blocks bound the memory of float64 copies
        for start in range(0, len(part), step):
            block = part[start : start + step].astype(np.float64)
            finite = block[np.isfinite(block)]
            bad += block.size - finite.size
            if finite.size:
                low, high = min(low, finite.min()), max(high, finite.max())
                total, total_squared = total + finite.sum(), total_squared + (finite**2).sum()
                count += finite.size
    if not count:
        return {"x_min": None, "x_max": None, "x_mean": None, "x_std": None, "non_finite": bad}
    mean = total / count
    return {
        "x_min": float(low),
        "x_max": float(high),
        "x_mean": float(mean),
        "x_std": float(max(0.0, total_squared / count - mean**2) ** 0.5),
        "non_finite": bad,
    }
