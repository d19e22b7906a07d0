"""The knee of a front: where saving more begins to cost more than it saves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.explore.table import Table
from optimizer.explore.words import compared, shown
from optimizer.format import lowered

_FLAT = 0.05
"""A bulge below this share of the front's extent is no knee."""


@dataclass(frozen=True)
class Knee:
    """A suggested compromise.

    Attributes:
        place: of the variant in the table.
        bulge: how far it lies before the line or plane between the extremes, 0 to 1 of the
            way to the ideal corner.
        reason: why, in plain words.
    """

    place: int
    bulge: float
    reason: str


def knee_place(costs: np.ndarray) -> tuple[int, float] | None:
    """The point of a front that lies farthest before the plane through its extremes.

    Each cost is scaled to 0 (best on the front) to 1 (worst), so with two costs the extremes are
    the ends (0, 1) and (1, 0), and the distance to the chord between them is what Kneedle
    maximizes (Satopaa et al. 2011, "Finding a 'Kneedle' in a Haystack", ICDCS Workshops); with
    more it is the distance to the plane through the extremes (Das 1999, "On characterizing the
    'knee' of the Pareto curve", Structural Optimization 18).

    Args:
        costs: shape (points, measures), smaller is better, of points on one front; logarithms
            of what belongs on a log axis.

    Returns:
        The point and its bulge, 0 to 1; ``None`` when there are fewer than three different
        points, or the front has no bend.
    """
    if len(np.unique(costs, axis=0)) < 3:
        return None
    low, extent = costs.min(axis=0), np.ptp(costs, axis=0)
    varying = extent > 0
    scaled = (costs[:, varying] - low[varying]) / extent[varying]
    bulges = 1 - scaled.sum(axis=1)
    place = int(np.argmax(bulges))
    return (place, float(bulges[place])) if bulges[place] > _FLAT else None


def find_knee(table: Table, keys: Sequence[str], front: np.ndarray) -> Knee | None:
    """The knee of a front over two or three measures.

    Args:
        front: flags, shape (variants,), as :meth:`Table.front` gives them for ``keys``.
    """
    places = np.flatnonzero(front)
    if not len(places):
        return None
    found = knee_place(np.column_stack([_scaled(table, key)[places] for key in keys]))
    if found is None:
        return None
    place, bulge = int(places[found[0]]), found[1]
    return Knee(place, bulge, _reason(table, keys, places, place))


def _scaled(table: Table, key: str) -> np.ndarray:
    costs = table.costs(key)
    if not table.measures[key].logarithmic:
        return costs
    sign = -1.0 if table.measures[key].larger_is_better else 1.0
    scaled: np.ndarray = sign * np.log(table.values[key])
    return scaled


def _reason(table: Table, keys: Sequence[str], places: np.ndarray, place: int) -> str:
    if len(keys) > 2:
        values = ", ".join(
            f"{lowered(table.measures[key].label)} {shown(table, key, place)}" for key in keys
        )
        return (
            f"Of the variants on the front it comes nearest to the best of all {len(keys)} "
            f"measures at once: {values}."
        )
    first, second = keys
    one, two = (lowered(table.measures[key].label) for key in keys)
    text = (
        f"At {one} {shown(table, first, place)} and {two} {shown(table, second, place)} the front "
        f"bends: up to here much is gained in {one} for little in {two}, beyond it little for much."
    )
    costs = table.costs(first)
    ordered = places[np.argsort(costs[places], kind="stable")]
    beyond, before = ordered[costs[ordered] < costs[place]], ordered[costs[ordered] > costs[place]]
    steps = [
        f"{way} to “{table.names[other]}”, {one} is {compared(table, first, place, other)} and "
        f"{two} {compared(table, second, place, other)}"
        for way, other in (
            ("going on", int(beyond[-1]) if len(beyond) else None),
            ("going back", int(before[0]) if len(before) else None),
        )
        if other is not None
    ]
    return f"{text} {_sentence('; '.join(steps))}" if steps else text


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
