"""What labels mean: classes, or real values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.errors import InputError

MAX_CLASSES = 10_000
"""Integers up to here can be classes; larger ones are taken as real values."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels in the form in which they are stored for training.

    Attributes:
        kind: ``class_index``, ``one_hot``, ``binary`` (classes 0 and 1), ``multilabel`` (0 or 1
            in each of several columns), ``real``.
        parts: the arrays, in the order given: int64 of shape (n,) for classes, float32 of
            shape (n, labels) for several, (n,) or (n, …) for real values.
        classes: number of classes (largest class + 1, or columns of a one-hot array).
        notes: sentences about what was changed or is odd.
    """

    kind: str
    parts: tuple[np.ndarray, ...]
    classes: int | None
    notes: tuple[str, ...] = ()

    def counts(self) -> list[list[int]] | None:
        """Samples per class, for each part."""
        if self.classes is None:
            return None
        return [np.bincount(part, minlength=self.classes).tolist() for part in self.parts]


def read_labels(parts: dict[str, np.ndarray]) -> Labels:
    """Find out what labels mean, and bring them into their stored form.

    Args:
        parts: name → labels of one part of the data (``y_train``, ``y_test``), shape (n,),
            (n, 1), (n, classes) or (n, …).

    Raises:
        InputError: not finite, or of different shapes.
    """
    for name, part in parts.items():
        with np.errstate(over="ignore"):  # a value beyond float32 becomes infinite: refused
            bad = int(np.count_nonzero(~np.isfinite(part.astype(np.float32))))
        if bad:
            raise InputError(
                f"{name} contains {bad} values that are NaN or infinite, of {part.size}. Remove "
                "those samples."
            )
    squeezed = {
        name: part[:, 0] if part.ndim == 2 and part.shape[1] == 1 else part
        for name, part in parts.items()
    }
    shapes = {name: part.shape[1:] for name, part in squeezed.items()}
    if len(set(shapes.values())) > 1:
        described = " and ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(f"The labels differ in shape per sample: {described}. Make them equal.")
    arrays = tuple(squeezed.values())
    (shape,) = set(shapes.values())
    if not shape:
        return _one_per_sample(arrays)
    if len(shape) == 1:
        return _one_row_per_sample(arrays)
    return _real(arrays)


def _one_per_sample(parts: tuple[np.ndarray, ...]) -> Labels:
    everything = np.concatenate(parts)
    integers = everything.dtype.kind in "biu"
    if not integers and not np.array_equal(everything, np.round(everything)):
        return _real(parts)
    low, high = int(everything.min()), int(everything.max())
    if low < 0 or high >= MAX_CLASSES:
        return _real(parts, _note_on_integers(everything, low, high))
    distinct = np.unique(everything).size
    if not integers and high >= 32 and high + 1 > 2 * distinct:
        return _real(parts, _note_on_integers(everything, low, high))
    stored = tuple(part.astype(np.int64) for part in parts)
    notes = [] if integers else [f"Labels given as {everything.dtype} were whole numbers: classes."]
    if high <= 1:
        return Labels("binary", stored, 2, tuple(notes))
    if distinct < high + 1:
        notes.append(_note_on_gaps(everything, low, high, distinct))
    return Labels("class_index", stored, high + 1, tuple(notes))


def _one_row_per_sample(parts: tuple[np.ndarray, ...]) -> Labels:
    everything = np.concatenate(parts)
    if not np.isin(everything, (0, 1)).all():
        return _real(parts)
    ones = everything.sum(axis=1)
    if (ones == 1).all():
        stored = tuple(part.argmax(axis=1).astype(np.int64) for part in parts)
        columns = everything.shape[1]
        note = f"One-hot labels with {columns} columns became class indices 0 to {columns - 1}."
        return Labels("one_hot", stored, columns, (note,))
    stored = tuple(part.astype(np.float32) for part in parts)
    return Labels("multilabel", stored, None)


def _real(parts: tuple[np.ndarray, ...], *notes: str) -> Labels:
    return Labels("real", tuple(part.astype(np.float32) for part in parts), None, notes)


def _note_on_integers(values: np.ndarray, low: int, high: int) -> str:
    distinct = np.unique(values)
    if distinct.size <= 20:
        listed = ", ".join(f"{int(value)}" for value in distinct)
        return (
            f"Labels are whole numbers ({listed}) but not classes 0, 1, 2 …; they are taken as "
            "real values. For classes, number them from 0: np.unique(y, return_inverse=True)[1]."
        )
    return f"Labels are whole numbers from {low} to {high}, taken as real values."


def _note_on_gaps(values: np.ndarray, low: int, high: int, distinct: int) -> str:
    if low == 1 and distinct == high:
        return (
            f"Labels run from 1 to {high}; classes are counted from 0. If the model has {high} "
            "outputs, subtract 1: y - 1."
        )
    missing = np.setdiff1d(np.arange(high + 1), values)
    listed = ", ".join(map(str, missing[:5])) + (" …" if missing.size > 5 else "")
    return f"Of the classes 0 to {high}, {missing.size} never occur: {listed}."
