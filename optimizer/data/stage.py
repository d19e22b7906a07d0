"""The stage ``prepare_data``: an uploaded file → arrays ready for training and measuring."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from optimizer.data.arrays import ARRAYS_FILE, Arrays
from optimizer.data.labels import Labels, read_labels
from optimizer.data.npz import inspect_upload, read_arrays
from optimizer.data.split import split_indices
from optimizer.errors import InputError
from optimizer.stage import Files, Progress

PREVIEW_SAMPLES = 32
MAX_VALUES = 2**29
"""Values of all samples together: 2 GiB as float32, as training takes them."""
_EXACT_IN_FLOAT32 = 2**24


def prepare_data(
    params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress
) -> Files:
    """Read, check, split and describe a dataset.

    Args:
        params: ``file_name``; ``test_share`` (0 to 1, exclusive) and ``split_seed``, used when
            the file is not split.
        inputs: ``file`` with ``data``, the uploaded bytes.
        progress: told after each step.

    Returns:
        ``arrays.npz`` (see :class:`optimizer.data.arrays.Arrays`; uncompressed), ``facts.json``
        and ``preview.npz`` (``x``: up to 32 test samples, float32; ``y`` if there are labels).

    Raises:
        InputError: the file cannot be used; the message says why and what to do.
    """
    data = inputs["file"]["data"]
    summary = inspect_upload(data, str(params["file_name"]))
    progress(0.1, "reading the arrays")
    raw = read_arrays(data)
    _check_sizes(raw)
    targets = {key: array for key, array in raw.items() if key.startswith("y")}
    labels = read_labels(targets) if targets else None
    progress(0.5, "splitting into train and test" if "x" in raw else "checking the samples")
    arrays, labels, split = _arranged(raw, labels, params)
    progress(0.7, "describing the data")
    notes = list(labels.notes) if labels else []
    if summary.ignored:
        notes.append(f"Not used from the file: {', '.join(summary.ignored)}.")
    return {
        ARRAYS_FILE: arrays.save(),
        "facts.json": json.dumps(_facts(arrays, labels, split, notes)).encode(),
        "preview.npz": _preview(arrays),
    }


def _check_sizes(raw: Mapping[str, np.ndarray]) -> None:
    for key, array in raw.items():
        if array.ndim == 0 or len(array) == 0:
            raise InputError(f"{key} has shape {array.shape}: it contains no samples.")
    for part in ("", "_train", "_test"):
        x, y = raw.get(f"x{part}"), raw.get(f"y{part}")
        if x is not None and y is not None and len(x) != len(y):
            raise InputError(
                f"x{part} has {len(x)} samples and y{part} has {len(y)}; there must be one label "
                "for each sample."
            )
    if "x_train" in raw and raw["x_train"].shape[1:] != raw["x_test"].shape[1:]:
        raise InputError(
            f"x_train has samples of shape {raw['x_train'].shape[1:]}, x_test of "
            f"{raw['x_test'].shape[1:]}; they must be equal."
        )
    values = sum(array.size for key, array in raw.items() if key.startswith("x"))
    if values > MAX_VALUES:
        raise InputError(
            f"The samples have {values:,} values in all; at most {MAX_VALUES:,} are accepted. "
            "Use fewer samples."
        )


def _arranged(
    raw: Mapping[str, np.ndarray], labels: Labels | None, params: Mapping[str, Any]
) -> tuple[Arrays, Labels | None, dict[str, Any] | None]:
    """Train and test arrays, their labels in two parts, and how they were split."""
    if "x" not in raw:
        y = labels.parts if labels else (None, None)
        arrays = Arrays(_compact(raw["x_train"]), y[0], _compact(raw["x_test"]), y[1])
        return arrays, labels, None
    share, seed = float(params["test_share"]), int(params["split_seed"])
    x, y_all = _compact(raw["x"]), labels.parts[0] if labels else None
    classes = y_all if labels and labels.classes else None
    train, test = split_indices(len(x), share, seed, classes)
    split = {"seed": seed, "test_share": share, "stratified": classes is not None}
    if labels is None or y_all is None:
        return Arrays(x[train], None, x[test], None), None, split
    labels = Labels(labels.kind, (y_all[train], y_all[test]), labels.classes, labels.notes)
    return Arrays(x[train], labels.parts[0], x[test], labels.parts[1]), labels, split


def _compact(x: np.ndarray) -> np.ndarray:
    """Samples as they are stored: floats as float32, booleans as uint8, integers as they are."""
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):  # a value beyond float32 becomes infinite: reported
            return x.astype(np.float32)
    return x.astype(np.uint8 if x.dtype.kind == "b" else x.dtype.newbyteorder("="))


def _facts(
    arrays: Arrays, labels: Labels | None, split: dict[str, Any] | None, notes: list[str]
) -> dict[str, Any]:
    counts = labels.counts() if labels else None
    y, parts = arrays.y_train, labels.parts if labels else ()
    statistics = _statistics(arrays)
    largest = max(abs(statistics["x_min"] or 0), abs(statistics["x_max"] or 0))
    if arrays.x_train.dtype.kind in "iu" and largest > _EXACT_IN_FLOAT32:
        notes.append(f"Values up to {largest:.0f} are rounded: models compute in float32.")
    return {
        "format": "npz",
        "train": len(arrays.x_train),
        "test": len(arrays.x_test),
        "x_shape": list(arrays.x_train.shape[1:]),
        "x_dtype": str(arrays.x_train.dtype),
        "y_shape": [] if y is None else list(y.shape[1:]),
        "y_dtype": None if y is None else str(y.dtype),
        "y_kind": labels.kind if labels else "none",
        "classes": labels.classes if labels else None,
        "class_counts": dict(zip(("train", "test"), counts, strict=True)) if counts else None,
        **statistics,
        "y_min": min((float(part.min()) for part in parts), default=None),
        "y_max": max((float(part.max()) for part in parts), default=None),
        "split": split,
        "notes": notes,
    }


def _statistics(arrays: Arrays) -> dict[str, Any]:
    """Range, mean and spread of all finite values of x, and how many are not finite."""
    total = total_squared = 0.0
    count, bad, low, high = 0, 0, np.inf, -np.inf
    for part in (arrays.x_train, arrays.x_test):
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


def _preview(arrays: Arrays) -> bytes:
    count = min(PREVIEW_SAMPLES, len(arrays.x_test))
    chosen = np.linspace(0, len(arrays.x_test) - 1, count).round().astype(np.int64)
    shown = {"x": arrays.x_test[chosen].astype(np.float32)}
    if arrays.y_test is not None:
        shown["y"] = arrays.y_test[chosen]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **shown)  # type: ignore[arg-type]
    return buffer.getvalue()
