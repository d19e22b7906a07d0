"""Clusters that a kernel's weights share, where tfmot's wrapper cannot go. Runs in stages only.

For single output channels, recurrent layers, attention, shared layers and layers whose outputs
carry masks. Centroids are found by k-means over the weights (Lloyd's algorithm, started as
asked); while the model trains, the weights of a cluster stay equal to each other and move
together, as trained centroids do.

Source: Han et al. 2016, "Deep Compression" (arXiv:1510.00149), trained quantization.
"""

from __future__ import annotations

import numpy as np

from optimizer.techniques.preserving import Pattern

_ITERATIONS = 50


def cluster_values(
    values: np.ndarray, count: int, init: str, random: np.random.Generator
) -> np.ndarray:
    """Each value replaced by the nearest of ``count`` centroids.

    Args:
        values: float32, shape (n,).
        count: number of centroids; values with fewer distinct ones stay as they are.
        init: ``kmeans++``, ``linear``, ``density`` or ``random``.
        random: for the first and the last of these.

    Returns:
        float32, shape (n,), with at most ``count`` distinct values.
    """
    distinct = np.unique(values)
    if len(distinct) <= count:
        return values
    centroids = np.sort(_start(distinct, values, count, init, random))
    for _ in range(_ITERATIONS):
        nearest = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)
        sums = np.bincount(nearest, values, minlength=count)
        sizes = np.bincount(nearest, minlength=count)
        moved = np.where(sizes > 0, sums / np.maximum(sizes, 1), centroids)
        if np.array_equal(moved, centroids):
            break
        centroids = np.sort(moved)
    nearest = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)
    return centroids[nearest].astype("float32")


def _start(
    distinct: np.ndarray, values: np.ndarray, count: int, init: str, random: np.random.Generator
) -> np.ndarray:
    if init == "linear":
        return np.linspace(distinct[0], distinct[-1], count)
    if init == "density":
        shares = np.linspace(0, 1, count + 2)[1:-1]
        return np.quantile(values, shares)
    if init == "random":
        return random.choice(distinct, count, replace=False)
    chosen = [float(random.choice(values))]
    squared = np.full(len(distinct), np.inf)
    for _ in range(count - 1):
        squared = np.minimum(squared, (distinct - chosen[-1]) ** 2)
        chosen.append(float(random.choice(distinct, p=squared / squared.sum())))
    return np.array(chosen)


def cluster_kernel(
    kernel: np.ndarray,
    count: int,
    init: str,
    random: np.random.Generator,
    *,
    channel_axis: int | None,
    keep_zeros: bool,
) -> np.ndarray:
    """A kernel whose weights share values.

    Args:
        kernel: float32, any shape.
        count: distinct values, the zero of pruned weights among them.
        init: see :func:`cluster_values`.
        random: see :func:`cluster_values`.
        channel_axis: the axis of output channels that have values of their own each, or
            ``None`` for one set of values over the whole kernel.
        keep_zeros: zeros stay zero and nothing else becomes zero.

    Returns:
        float32, the kernel's shape.
    """
    rows = kernel.reshape(1, -1)
    if channel_axis is not None:
        moved = np.moveaxis(kernel, channel_axis, 0)
        rows = moved.reshape(len(moved), -1)
    clustered = rows.copy()
    for row in clustered:
        chosen = row != 0 if keep_zeros else np.ones(row.shape, bool)
        wanted = count - 1 if keep_zeros and not chosen.all() else count
        row[chosen] = cluster_values(row[chosen], wanted, init, random)
    if channel_axis is None:
        return clustered.reshape(kernel.shape)
    return np.moveaxis(clustered.reshape(moved.shape), 0, channel_axis)


def shared_values(kernel: np.ndarray, *, channel_axis: int | None, keep_zeros: bool) -> Pattern:
    """The constraint that keeps a clustered kernel's values shared while it trains."""
    return Pattern(kernel, keep_zeros=keep_zeros, keep_clusters=True, channel_axis=channel_axis)
