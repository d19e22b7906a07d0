"""Zeros, blocks and n:m patterns in the kernels of a ``.tflite``, along their channels."""

from __future__ import annotations

import numpy as np

from optimizer.measure.weights import Weight

_OUTPUTS_LAST = ("CONV_3D", "BATCH_MATMUL", "GATHER", "EMBEDDING_LOOKUP")
_INPUT_AXIS = dict.fromkeys(_OUTPUTS_LAST, -2)
_OUTPUT_AXIS = dict.fromkeys(_OUTPUTS_LAST, -1)


def output_channels(weight: Weight) -> int:
    """How many output channels a kernel has."""
    return weight.shape[_OUTPUT_AXIS.get(weight.op, 0)]


def share_of_zeros(weights: list[Weight], block: list[int] | None) -> float | None:
    """Share of zeros; with a block size, of those that lie in blocks of nothing but zeros."""
    total = sum(weight.stored.size for weight in weights)
    if not total:
        return None
    if block is None:
        return sum(weight.zeros for weight in weights) / total
    return sum(_zeros_in_blocks(weight, block) for weight in weights) / total


def _zeros_in_blocks(weight: Weight, block: list[int]) -> int:
    moved = _as_matrix(weight, weight.is_zero)
    for axis, size in zip((-2, -1), block, strict=True):
        length = moved.shape[axis]
        starts = np.arange(0, length, size)
        every = np.minimum.reduceat(moved.astype(np.uint8), starts, axis=axis)
        moved = np.repeat(every, np.diff(np.append(starts, length)), axis=axis)
    return int(np.count_nonzero(moved))


def most_in_groups(weight: Weight, m: int) -> int:
    """The most non-zeros in any group of m consecutive input channels."""
    nonzero = np.moveaxis(_as_matrix(weight, ~weight.is_zero), -2, -1)
    padded = np.pad(nonzero, [(0, 0)] * (nonzero.ndim - 1) + [(0, -nonzero.shape[-1] % m)])
    return int(padded.reshape(-1, m).sum(axis=1).max(initial=0))


def _as_matrix(weight: Weight, values: np.ndarray) -> np.ndarray:
    """Input channels on the last axis but one, output channels on the last."""
    axes = (_INPUT_AXIS.get(weight.op, -1), _OUTPUT_AXIS.get(weight.op, 0))
    return np.moveaxis(values, axes, (-2, -1))
