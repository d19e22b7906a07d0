"""Which variants are worth considering: those that no other beats on every measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def pareto_front(costs: Sequence[Sequence[float]]) -> list[bool]:
    """Which points no other point dominates.

    A point dominates another when it is no worse in every cost and better in one.

    Args:
        costs: shape (points, measures); smaller is better in each.

    Returns:
        One flag per point. Equal points are all on the front or all off it.
    """
    if not len(costs):
        return []
    values = np.asarray(costs, dtype=float)
    no_worse = (values[:, None, :] <= values[None, :, :]).all(axis=2)
    better = (values[:, None, :] < values[None, :, :]).any(axis=2)
    return [not dominated for dominated in np.any(no_worse & better, axis=0).tolist()]
