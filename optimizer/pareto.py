"""Which variants are worth considering: those that no other beats on every measure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np


def pareto_front(costs: Sequence[Sequence[float]] | np.ndarray) -> list[bool]:
    """Which points no other point dominates.

    A point dominates another when it is no worse in every cost and better in one. Up to three
    measures take O(n log n) (the sweep of Kung, Luccio & Preparata 1975, "On finding the maxima
    of a set of vectors", J. ACM 22(4)), more take O(n · front); both take memory for n points.

    Args:
        costs: shape (points, measures), without NaN; smaller is better in each.

    Returns:
        One flag per point. Equal points are all on the front or all off it.
    """
    if not len(costs):
        return []
    values, places = np.unique(np.asarray(costs, dtype=float), axis=0, return_inverse=True)
    measures = values.shape[1]
    if measures <= 3:
        flags = _sweep(np.pad(values, ((0, 0), (0, 3 - measures))))
    else:
        flags = _against_the_front(values)
    found: list[bool] = np.asarray(flags)[places.reshape(-1)].tolist()
    return found


def _sweep(points: np.ndarray) -> list[bool]:
    """Flags of different points, shape (n, 3), in lexicographic order.

    Whatever dominates a point comes before it, so only the other two costs matter: the stairs
    are what is best of them so far, with the second cost rising and the third one falling.
    """
    seconds: list[float] = []
    thirds: list[float] = []
    flags = []
    for second, third in points[:, 1:].tolist():
        before = bisect_right(seconds, second)
        dominated = before > 0 and thirds[before - 1] <= third
        flags.append(not dominated)
        if dominated:
            continue
        start = bisect_left(seconds, second)
        end = start
        while end < len(thirds) and thirds[end] >= third:
            end += 1
        seconds[start:end], thirds[start:end] = [second], [third]
    return flags


def _against_the_front(points: np.ndarray) -> list[bool]:
    """Flags of different points of any number of measures, in lexicographic order."""
    front = np.empty_like(points)
    size, flags = 0, []
    for point in points:
        on_front = not (front[:size] <= point).all(axis=1).any()
        flags.append(bool(on_front))
        if on_front:
            front[size] = point
            size += 1
    return flags
