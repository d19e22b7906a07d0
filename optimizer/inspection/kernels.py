"""One weight tensor looked at closely: its histogram, centroids, grid of steps, and its zeros."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.measure.histogram import WeightHistogram, weight_histogram
from optimizer.measure.weights import Weight

MAX_TICKS = 256
"""Distinct values that are marked one by one at most; as many as eight bits can tell apart."""
MAX_ROWS, MAX_COLUMNS = 128, 256
"""Cells of a sparsity map at most."""


@dataclass(frozen=True)
class WeightView:
    """A weight tensor, or one channel of it, before and after.

    Attributes:
        histogram: non-zero weights in shared bins, zeros apart; ``None`` when the baseline has
            no weights to compare with.
        values: the distinct real values that occur, ascending; empty when there are more than
            :data:`MAX_TICKS`.
        distinct: how many there are.
        grid: the real values that the stored integers can stand for, within the range of the
            histogram; empty for floating point, for more than :data:`MAX_TICKS`, and for several
            channels with a scale each.
        scales: the smallest and the largest step of what is looked at; ``None`` for floating point.
        channels: channels with a scale of their own; 0 when there is one scale or none.
    """

    histogram: WeightHistogram
    values: tuple[float, ...]
    distinct: int
    grid: tuple[float, ...]
    scales: tuple[float, float] | None
    channels: int


@dataclass(frozen=True, eq=False)
class SparsityMap:
    """A kernel as a picture: a row per output channel, a column per weight of its filter.

    Attributes:
        values: shape (rows, columns). With a ``block`` of (1, 1) the absolute weights, NaN for
            zeros; otherwise the share of non-zero weights in each block, 0 to 1.
        block: how many rows and columns of the kernel one cell stands for.
        rows, columns: of the kernel.
        empty_rows: output channels that are all zeros.
    """

    values: np.ndarray
    block: tuple[int, int]
    rows: int
    columns: int
    empty_rows: int


def weight_view(before: Weight | None, after: Weight, channel: int | None = None) -> WeightView:
    """Look at a weight tensor.

    Args:
        before: the baseline's of the same layer; ``None`` when there is none.
        after: the variant's.
        channel: one output channel alone, counted from 0; ``None`` for all.
    """
    real = _real(after, channel)
    first = _real(before, channel) if before is not None else np.zeros(0, np.float32)
    histogram = weight_histogram(first, real)
    values = np.unique(real)
    shown = values if values.size <= MAX_TICKS else values[:0]
    quantization = after.quantization
    return WeightView(
        histogram=histogram,
        values=tuple(shown.tolist()),
        distinct=int(values.size),
        grid=_grid(after, channel, histogram),
        scales=_scales(after, channel),
        channels=len(quantization.scale) if quantization is not None and after.per_channel else 0,
    )


def sparsity_map(weight: Weight) -> SparsityMap:
    """Where the zeros of a kernel are.

    A kernel larger than :data:`MAX_ROWS` × :data:`MAX_COLUMNS` is shown in blocks, each with the
    share of its weights that are not zero: leaving rows out would hide or invent patterns.
    """
    flat = np.moveaxis(weight.stored, weight.channel_axis, 0).reshape(_channels(weight), -1)
    zero = np.broadcast_to(weight.is_zero, weight.shape)
    zeros = np.moveaxis(zero, weight.channel_axis, 0).reshape(flat.shape)
    rows, columns = flat.shape
    block = max(1, -(-rows // MAX_ROWS)), max(1, -(-columns // MAX_COLUMNS))
    if block == (1, 1):
        real = np.moveaxis(weight.dequantized(), weight.channel_axis, 0).reshape(flat.shape)
        values = np.where(zeros, np.nan, np.abs(real.astype(np.float64)))
    else:
        values = _block_means(~zeros, block)
    return SparsityMap(values, block, rows, columns, int(zeros.all(axis=1).sum()))


def _block_means(mask: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    """Share of true values in each block; those at the edges may be smaller."""
    starts = [np.arange(0, size, step) for size, step in zip(mask.shape, block, strict=True)]
    counts = np.add.reduceat(mask.astype(np.int64), starts[0], axis=0)
    counts = np.add.reduceat(counts, starts[1], axis=1)
    sizes = [
        np.minimum(step, size - start)
        for start, step, size in zip(starts, block, mask.shape, strict=True)
    ]
    share: np.ndarray = counts / np.outer(*sizes)
    return share


def _real(weight: Weight, channel: int | None) -> np.ndarray:
    values = weight.dequantized()
    if channel is None or channel >= values.shape[weight.channel_axis]:
        return values
    return values.take(channel, axis=weight.channel_axis)


def _channels(weight: Weight) -> int:
    return weight.shape[weight.channel_axis]


def _scales(weight: Weight, channel: int | None) -> tuple[float, float] | None:
    if weight.quantization is None:
        return None
    scales = weight.quantization.scale
    if weight.per_channel and channel is not None:
        scales = scales[channel : channel + 1]
    return float(scales.min()), float(scales.max())


def _grid(weight: Weight, channel: int | None, histogram: WeightHistogram) -> tuple[float, ...]:
    if weight.quantization is None or (weight.per_channel and channel is None):
        return ()
    index = channel if weight.per_channel and channel is not None else 0
    scale = float(weight.quantization.scale[index])
    zero_point = int(weight.quantization.zero_point[index])
    limits = np.iinfo(weight.stored.dtype)
    if limits.max - limits.min >= MAX_TICKS or not scale > 0:
        return ()
    low, high = (-8, 7) if weight.dtype == "int4" else (int(limits.min), int(limits.max))
    steps = scale * (np.arange(low, high + 1) - zero_point)
    inside = (steps >= histogram.edges[0] - scale) & (steps <= histogram.edges[-1] + scale)
    return tuple(steps[inside].tolist())
