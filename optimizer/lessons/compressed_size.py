"""Lesson: why a pruned file is not smaller until it is compressed."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from optimizer.lessons.lesson import Exercise, Lesson, Reference

LAYER = "dense_1"
"""The layer of the sample that is pruned on the page: most of the model's weights."""
SPARSITY = 0.8
DTypeName = Literal["float32", "int8"]

LESSON = Lesson(
    id="compressed-size",
    title="Why a pruned file is not smaller",
    question="Four of five weights are zero now. Why is the file as large as before?",
    minutes=6,
    terms={
        "gzip": "is the file compressed as web servers and app stores do it, by shorter codes for "
        "what is frequent or repeated: what a download costs.",
        "entropy": "is the mean number of bits that the best possible code needs for a value, when "
        "each value is coded by itself.",
        "sparse encoding": "stores only the weights that are not zero, each with its position.",
    },
    remember=(
        "A zero in a dense array costs as many bytes as any other number: pruning alone changes "
        "no byte count.",
        "Compression turns frequent values into short codes; the zeros nearly vanish from the "
        "download, not from the device's memory.",
        "Sparse encoding makes the file itself smaller, but pays a position for each weight that "
        "is left: 4 + 2 bytes instead of 4 only pay off above one third of zeros.",
    ),
    references=(
        Reference(
            "Shannon 1948, A Mathematical Theory of Communication",
            "https://doi.org/10.1002/j.1538-7305.1948.tb01338.x",
        ),
        Reference("RFC 1951, DEFLATE", "https://www.rfc-editor.org/rfc/rfc1951"),
        Reference(
            "TFMOT: pruning in Keras, compressed size",
            "https://www.tensorflow.org/model_optimization/guide/pruning/pruning_with_keras",
        ),
        Reference(
            "TensorFlow Lite schema: SparsityParameters",
            "https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs",
        ),
    ),
    exercises=(
        Exercise.of(
            "80 % zeros",
            prune={"schedule": {"kind": "polynomial", "final_sparsity": SPARSITY, "power": 3}},
        ),
        Exercise.of(
            "80 % zeros, sparse encoding",
            prune={"schedule": {"kind": "polynomial", "final_sparsity": SPARSITY, "power": 3}},
            sparse_encoding=True,
        ),
        Exercise.of(
            "80 % zeros, weights in 8 bits",
            prune={"schedule": {"kind": "polynomial", "final_sparsity": SPARSITY, "power": 3}},
            quantize={"mode": "dynamic"},
        ),
    ),
    exercise_columns=("metric", "sparsity", "size", "gzip"),
)


@dataclass(frozen=True)
class Sizes:
    """Bytes of one layer's weights, stored in several ways.

    Attributes:
        sparsity: share of zeros, 0 to 1.
        raw: as a dense array, as a ``.tflite`` has it.
        gzip: that array compressed with gzip, level 9.
        entropy: what an ideal code needs that treats weights as independent of each other.
        sparse: in sparse encoding; ``None`` for integers, which TFLite's runtime does not execute
            in that form.
    """

    sparsity: float
    raw: int
    gzip: int
    entropy: float
    sparse: int | None


def pruned(kernel: np.ndarray, sparsity: float) -> np.ndarray:
    """The kernel with its smallest magnitudes set to zero; float32, the same shape."""
    flat = kernel.astype(np.float32).ravel()
    count = round(flat.size * sparsity)
    flat[np.argsort(np.abs(flat), kind="stable")[:count]] = 0.0
    return flat.reshape(kernel.shape)


def as_int8(kernel: np.ndarray) -> np.ndarray:
    """Symmetric 8-bit integers with one scale for the kernel, the largest magnitude at 127."""
    return np.round(kernel / np.abs(kernel).max() * 127).astype(np.int8)


def sizes(kernel: np.ndarray, sparsity: float, dtype: DTypeName) -> Sizes:
    """How many bytes a layer's weights take after pruning.

    Args:
        kernel: float, shape (output channels, …).
        sparsity: share to set to zero, 0 to 1 (exclusive).
        dtype: what the weights are stored as.
    """
    values = pruned(kernel, sparsity)
    stored = as_int8(values) if dtype == "int8" else values
    return Sizes(
        sparsity,
        stored.nbytes,
        len(gzip.compress(stored.tobytes(), 9, mtime=0)),
        entropy_bytes(stored),
        sparse_bytes(stored) if dtype == "float32" else None,
    )


def size_curve(kernel: np.ndarray, dtype: DTypeName, steps: Sequence[float]) -> list[Sizes]:
    """:func:`sizes` at several sparsities."""
    return [sizes(kernel, step, dtype) for step in steps]


def entropy_bits(counts: np.ndarray) -> float:
    """Shannon's entropy of a distribution given by counts, bits per value."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def entropy_bytes(stored: np.ndarray) -> float:
    """Bytes that an ideal code needs when it treats the values as independent of each other.

    For integers that is their entropy. Nearly every float32 occurs once, so that a list of them
    would be as long as the weights: for floats it is the entropy of *zero or not*, and for those
    that are not zero the entropy of each of their four bytes by its place in the number.

    Args:
        stored: int8 or float32, any shape.
    """
    flat = stored.ravel()
    if flat.dtype == np.int8:
        return flat.size * entropy_bits(np.unique(flat, return_counts=True)[1]) / 8
    left = flat[flat != 0]
    places = np.ascontiguousarray(left).view(np.uint8).reshape(-1, 4)
    bits = sum(entropy_bits(np.bincount(places[:, place], minlength=256)) for place in range(4))
    mask = entropy_bits(np.array([left.size, flat.size - left.size]))
    return (flat.size * mask + left.size * bits) / 8 if left.size else 0.0


def sparse_bytes(stored: np.ndarray) -> int:
    """Bytes in compressed sparse rows, as TFLite encodes single weights.

    The values that are left, the column of each (1 byte below 256 columns, else 2, else 4), and
    for each row where its values begin, in the same kind of integers.

    Args:
        stored: shape (rows, …).
    """
    rows = stored.reshape(len(stored), -1)
    left = int(np.count_nonzero(rows))
    column, begin = _index_bytes(rows.shape[1] - 1), _index_bytes(left)
    return left * (stored.itemsize + column) + (len(rows) + 1) * begin


def _index_bytes(largest: int) -> int:
    return 1 if largest < 2**8 else 2 if largest < 2**16 else 4
