"""Intervals that go with measured figures. All are at 95 % confidence."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927), without continuity correction.

    Raises:
        ValueError: ``n`` is not positive, or ``successes`` is not within 0 … n.
    """
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"need 0 <= successes <= n and n >= 1; received {successes=}, {n=}")
    p, z2 = successes / n, Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return low, high


def bootstrap_interval(
    values: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron 1979), the same for the same values and seed.

    Args:
        values: one figure per sample or round, shape (n,) with n ≥ 1.
        statistic: of an array of shape (m, n) along its last axis, giving shape (m,); for
            example ``lambda v: v.mean(axis=-1)``.
        resamples: how often the values are drawn again.
        seed: of the drawing.
    """
    values = np.asarray(values, np.float64)
    rng = np.random.default_rng(seed)
    rows = max(1, 2_000_000 // len(values))  # bounds the memory of one block of draws
    blocks = [
        statistic(values[rng.integers(0, len(values), (min(rows, resamples - start), len(values)))])
        for start in range(0, resamples, rows)
    ]
    low, high = np.percentile(np.concatenate(blocks), [2.5, 97.5])
    return float(low), float(high)
