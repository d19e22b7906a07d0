"""A table's columns → samples and labels, with a sentence about whatever was decided."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from optimizer.data.options import DataOptions
from optimizer.data.raw import Raw
from optimizer.data.tables import Column, describe_columns, propose_labels
from optimizer.errors import InputError

MAX_SEQUENCE = 100_000
_LISTED = 5


def table_raw(frame: pd.DataFrame, options: DataOptions, file_format: str) -> Raw:
    """Samples of shape (features,), (steps,) for sequences, or the model's own; and labels.

    Numbers stay as they are, true and false become 1 and 0, categories are one-hot, text and
    dates are left out; rows with a missing value too.

    Raises:
        InputError: a column that was named is not there, or nothing is left to learn from.
    """
    columns = {column.name: column for column in describe_columns(frame)}
    labels = _chosen(columns, options)
    notes: list[str] = []
    features = _features(columns, labels, options, notes)
    frame = _complete_rows(frame, [column.name for column in features] + labels, notes)
    x, feature_names = _samples(frame, features, options, notes)
    if not labels:
        return Raw(file_format, {"x": (x,)}, {}, tuple(notes), feature_names=feature_names)
    y, classes = _labels(frame, [columns[name] for name in labels], notes)
    return Raw(
        file_format, {"x": (x,)}, {"y": (y,)}, tuple(notes), classes, feature_names=feature_names
    )


def _chosen(columns: dict[str, Column], options: DataOptions) -> list[str]:
    for name in (*(options.labels or ()), *options.left_out):
        if name not in columns:
            listed = ", ".join(list(columns)[:20]) + (" …" if len(columns) > 20 else "")
            raise InputError(f"The table has no column {name!r}. It has {listed}.")
    if options.labels is not None:
        return list(options.labels)
    left = [column for name, column in columns.items() if name not in options.left_out]
    return propose_labels(left)


def _features(
    columns: dict[str, Column], labels: list[str], options: DataOptions, notes: list[str]
) -> list[Column]:
    rest = [c for name, c in columns.items() if name not in (*labels, *options.left_out)]
    dropped = [c for c in rest if c.kind in ("text", "other")]
    kept = [c for c in rest if c.kind not in ("text", "other")]
    if dropped:
        notes.append(f"Left out, as text with many different values or dates: {_listed(dropped)}.")
    if not kept:
        raise InputError(
            "No column of the table can be a feature: features are numbers, true or false, "
            "categories with at most 50 different texts, or sequences of whole numbers."
        )
    if len(kept) > 1 and any(c.kind == "sequence" for c in kept):
        sequences = [c for c in kept if c.kind == "sequence"]
        if len(sequences) > 1:
            raise InputError(
                f"The table has several columns of sequences ({_listed(sequences)}). Leave out "
                "all but one."
            )
        others = [c for c in kept if c.kind != "sequence"]
        notes.append(f"Only the sequence is used as input; left out: {_listed(others)}.")
        return sequences
    return kept


def _complete_rows(frame: pd.DataFrame, names: list[str], notes: list[str]) -> pd.DataFrame:
    complete = frame.dropna(subset=names)
    missing = len(frame) - len(complete)
    if complete.empty:
        raise InputError(
            "Every row of the table has a missing value. Fill them in, or leave out the columns "
            "that have them."
        )
    if missing:
        notes.append(f"{missing:,} of {len(frame):,} rows have a missing value and are left out.")
    return complete


def _samples(
    frame: pd.DataFrame, features: Sequence[Column], options: DataOptions, notes: list[str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    wanted = options.sample_shape
    if features[0].kind == "sequence":
        length = wanted[0] if wanted and len(wanted) == 1 else None
        return _padded([_numbers(v) for v in frame[features[0].name]], length, notes), ()
    parts: list[np.ndarray] = []
    names: list[str] = []
    for column in features:
        values = frame[column.name]
        if column.kind == "category":
            kinds = sorted(values.astype(str).unique())
            parts += [(values.astype(str) == kind).to_numpy(np.float32) for kind in kinds]
            names += [f"{column.name}={kind}" for kind in kinds]
        else:
            parts.append(_plain(values))
            names.append(column.name)
    one_hot = [column for column in features if column.kind == "category"]
    if one_hot:
        notes.append(f"Categories became one-hot, in alphabetical order: {_listed(one_hot)}.")
    x = np.stack(parts, axis=1)
    if wanted and len(wanted) != 1 and None not in wanted and math.prod(wanted) == x.shape[1]:  # type: ignore[arg-type]
        notes.append(f"Rows of {x.shape[1]} values became samples of shape {tuple(wanted)}.")
        return x.reshape(len(x), *wanted), ()
    return x, tuple(names)


def _plain(values: pd.Series) -> np.ndarray:
    array = values.to_numpy()
    if array.dtype.kind in "iu" and abs(array).max(initial=0) > 2**24:
        return array.astype(np.float64)
    return array.astype(np.float32 if array.dtype.kind in "biuO" else array.dtype)


def _numbers(value: object) -> np.ndarray:
    if isinstance(value, str):
        return np.array([int(number) for number in re.findall(r"\d+", value)], np.int64)
    return np.asarray(value)


def _padded(rows: list[np.ndarray], length: int | None, notes: list[str]) -> np.ndarray:
    longest = max(len(row) for row in rows)
    length = length or longest
    if length > MAX_SEQUENCE:
        raise InputError(
            f"The longest sequence has {length:,} values; at most {MAX_SEQUENCE:,} are accepted."
        )
    cut = sum(len(row) > length for row in rows)
    if cut:
        notes.append(f"{cut:,} sequences are longer than {length} and are cut off there.")
    if any(len(row) < length for row in rows):
        notes.append(f"Sequences shorter than {length} are filled up with zeros at their end.")
    whole = all(row.dtype.kind in "biu" for row in rows)
    x = np.zeros((len(rows), length), np.int64 if whole else np.float32)
    for index, row in enumerate(rows):
        x[index, : min(len(row), length)] = row[:length]
    return x


def _labels(
    frame: pd.DataFrame, columns: Sequence[Column], notes: list[str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels, and the names of their classes where they were texts."""
    for column in columns:
        if column.kind in ("sequence", "other") or (column.kind != "number" and len(columns) > 1):
            if column.kind == "truth":
                continue
            raise InputError(
                f"The column {column.name!r} cannot be a label: it holds {column.kind}s such as "
                f"{column.example!r}. Labels are numbers, true or false, or a single column of "
                "class names."
            )
    values = frame[columns[0].name]
    if columns[0].kind in ("category", "text"):
        names, y = np.unique(values.astype(str).to_numpy(str), return_inverse=True)
        if len(names) > 1000:
            raise InputError(
                f"The label column {columns[0].name!r} has {len(names):,} different texts, too "
                "many for classes. Choose another column."
            )
        shown = ", ".join(f"{i} = {name}" for i, name in enumerate(names[:_LISTED]))
        more = " …" if len(names) > _LISTED else ""
        notes.append(f"Class names are numbered in alphabetical order: {shown}{more}.")
        return y.astype(np.int64), tuple(map(str, names))
    if len(columns) == 1:
        array = values.to_numpy()
        return array.astype(np.int64) if array.dtype.kind in "bO" else array, ()
    return np.stack([frame[c.name].to_numpy(np.float64) for c in columns], axis=1), ()


def _listed(columns: Sequence[Column]) -> str:
    names = [column.name for column in columns]
    return ", ".join(names[:_LISTED]) + (
        f" and {len(names) - _LISTED} more" * (len(names) > _LISTED)
    )
