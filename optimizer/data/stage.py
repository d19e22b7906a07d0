"""The stage ``prepare_data``: an uploaded file → arrays ready for training and measuring."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from optimizer.data.arrays import ARRAYS_FILE, Arrays
from optimizer.data.facts import dataset_facts, rounding_note
from optimizer.data.formats import read_upload
from optimizer.data.labels import Labels, read_labels
from optimizer.data.options import DataOptions
from optimizer.data.raw import Raw, array_name
from optimizer.data.scaling import scaled
from optimizer.data.split import split_indices
from optimizer.errors import InputError
from optimizer.stage import Files, Progress

PREVIEW_SAMPLES = 32
MAX_VALUES = 2**29
"""Values of all samples together: 2 GiB as float32, as training takes them."""


def prepare_data(
    params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress
) -> Files:
    """Read, check, split and describe a dataset.

    Args:
        params: ``file_name``; ``test_share`` (0 to 1, exclusive) and ``split_seed``, used when
            the file is not split; ``options`` as :class:`optimizer.data.options.DataOptions`.
        inputs: ``file`` with ``data``, the uploaded bytes.
        progress: told after each step.

    Returns:
        ``arrays.npz`` (see :class:`optimizer.data.arrays.Arrays`; uncompressed), ``facts.json``
        and ``preview.npz`` (of the first input and target ``x``: up to 32 test samples, float32;
        ``y`` if there are labels).

    Raises:
        InputError: the file cannot be used; the message says why and what to do.
    """
    progress(0.1, "reading the file")
    options = DataOptions.parse(params.get("options") or {})
    raw = read_upload(inputs["file"]["data"], str(params["file_name"]), options)
    _check_sizes(raw)
    labels = _labels(raw)
    progress(0.5, "checking the samples" if raw.split else "splitting into train and test")
    arrays, labels, split = _arranged(raw, labels, params)
    progress(0.6, "scaling the samples")
    arrays, scaling = scaled(arrays, options.scaling)
    progress(0.7, "describing the data")
    facts = dataset_facts(arrays, labels)
    notes = [note for each in labels for note in each.notes]
    rounding = rounding_note(facts)
    facts |= {
        "format": raw.format,
        "split": split,
        "scaling": scaling,
        "class_names": list(raw.class_names),
        "feature_names": list(raw.feature_names),
        "notes": [*notes, *raw.notes, *([rounding] if rounding else [])],
    }
    return {
        ARRAYS_FILE: arrays.save(),
        "facts.json": json.dumps(facts).encode(),
        "preview.npz": _preview(arrays),
    }


def _check_sizes(raw: Raw) -> None:
    named = [("x", *item) for item in raw.inputs.items()]
    named += [("y", *item) for item in raw.targets.items()]
    for index, part in enumerate(raw.parts):
        first, expected = array_name("x", named[0][1], part), 0
        for kind, name, arrays in named:
            shown, array = array_name(kind, name, part), arrays[index]
            if array.ndim == 0 or len(array) == 0:
                raise InputError(f"{shown} has shape {array.shape}: it contains no samples.")
            expected = expected or len(array)
            if len(array) != expected:
                raise InputError(
                    f"{first} has {expected} samples and {shown} has {len(array)}; there must be "
                    f"one {'label' if kind == 'y' else 'value'} for each sample."
                )
    for name, arrays in raw.inputs.items():
        if len({array.shape[1:] for array in arrays}) > 1:
            both = [array_name("x", name, part) for part in raw.parts]
            raise InputError(
                f"{both[0]} has samples of shape {arrays[0].shape[1:]}, {both[1]} of "
                f"{arrays[1].shape[1:]}; they must be equal."
            )
    values = sum(array.size for arrays in raw.inputs.values() for array in arrays)
    if values > MAX_VALUES:
        raise InputError(
            f"The samples have {values:,} values in all; at most {MAX_VALUES:,} are accepted. "
            "Use fewer samples."
        )


def _labels(raw: Raw) -> list[Labels]:
    """The labels of every target, in the file's parts."""
    return [
        read_labels({array_name("y", name, p): a for p, a in zip(raw.parts, arrays, strict=True)})
        for name, arrays in raw.targets.items()
    ]


def _arranged(
    raw: Raw, labels: list[Labels], params: Mapping[str, Any]
) -> tuple[Arrays, list[Labels], dict[str, Any] | None]:
    """Train and test arrays, their labels in two parts, and how they were split."""
    names = tuple(raw.inputs), tuple(raw.targets)
    x = [tuple(map(_compact, arrays)) for arrays in raw.inputs.values()]
    split = None
    if not raw.split:
        share, seed = float(params["test_share"]), int(params["split_seed"])
        classes = labels[0].parts[0] if labels and labels[0].classes else None
        parts = split_indices(len(x[0][0]), share, seed, classes)
        split = {"seed": seed, "test_share": share, "stratified": classes is not None}
        x = [tuple(whole[part] for part in parts) for (whole,) in x]
        labels = [
            replace(each, parts=tuple(each.parts[0][part] for part in parts)) for each in labels
        ]
    x_train, x_test = zip(*x, strict=True)
    y_train, y_test = (tuple(each.parts[index] for each in labels) for index in (0, 1))
    return Arrays(x_train, y_train, x_test, y_test, *names), labels, split


def _compact(x: np.ndarray) -> np.ndarray:
    """Samples as they are stored: floats as float32, booleans as uint8, integers as they are."""
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):  # a value beyond float32 becomes infinite: reported
            return x.astype(np.float32)
    return x.astype(np.uint8 if x.dtype.kind == "b" else x.dtype.newbyteorder("="))


def _preview(arrays: Arrays) -> bytes:
    n = arrays.samples("test")
    chosen = np.linspace(0, n - 1, min(PREVIEW_SAMPLES, n)).round().astype(np.int64)
    shown = {"x": arrays.x_test[0][chosen].astype(np.float32)}
    if arrays.y_test:
        shown["y"] = arrays.y_test[0][chosen]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **shown)  # type: ignore[arg-type]
    return buffer.getvalue()
