"""Which variant to take: the best on a goal among those within all budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from optimizer.explore.budgets import Budget, excess, within
from optimizer.explore.table import Table
from optimizer.format import lowered, metric_title
from optimizer.measures import Measure

GOALS: dict[str, str] = {
    "smallest": "gzip",
    "fastest": "latency",
    "best": "metric",
    "least": "macs",
}
"""Goal → the measure in which it is best."""

_TITLES = {
    "smallest": "Smallest download",
    "fastest": "Lowest latency",
    "least": "Fewest multiply-accumulates",
}


@dataclass(frozen=True)
class Recommendation:
    """What is recommended, and against what; each a place in the table.

    Attributes:
        goal: one of :data:`GOALS`.
        best: ``None`` when no variant is within all budgets.
        runner_up: the next best of those within them.
        tempting: better on the goal than ``best``, but misses a budget or breaks a promise:
            of those the one that misses by least.
        nearest: where none qualifies, the one that misses by least.
        misses: for ``tempting`` or ``nearest``: measure → by how much, in its unit; NaN where
            it was not measured.
    """

    goal: str
    best: int | None
    runner_up: int | None = None
    tempting: int | None = None
    nearest: int | None = None
    misses: Mapping[str, float] | None = None


def goals(table: Table) -> dict[str, str]:
    """The goals that the measures taken allow → their titles."""
    titles = {**_TITLES, "best": f"Best {_metric_name(table.measures.get('metric'))}"}
    return {goal: titles[goal] for goal, key in GOALS.items() if key in table.measures}


def qualifying(
    table: Table,
    candidates: np.ndarray,
    offered: Mapping[str, Budget],
    limits: Mapping[str, float | None],
) -> np.ndarray:
    """Which of the candidates keep every budget and break no promise."""
    kept: np.ndarray = candidates & within(table, offered, limits) & ~broken(table)
    return kept


def broken(table: Table) -> np.ndarray:
    """Which variants break a promise of their recipe."""
    return table.facets["promises"].get("broken", np.zeros(len(table), bool))


def recommend(
    table: Table,
    goal: str,
    candidates: np.ndarray,
    offered: Mapping[str, Budget],
    limits: Mapping[str, float | None],
) -> Recommendation:
    """Choose among the candidates (flags, shape (variants,)).

    Equal values of the goal are told apart by the study's metric, then by age.
    """
    key = GOALS[goal]
    known = candidates & table.measured_in([key])
    good = qualifying(table, known, offered, limits)
    costs, misses = table.costs(key), _violations(table, offered, limits)
    if not good.any():
        nearest = _least(misses, known & ~broken(table)) if known.any() else None
        return Recommendation(
            goal, None, nearest=nearest, misses=_misses(table, offered, limits, nearest)
        )
    ordered = np.flatnonzero(good)
    quality = table.costs("metric") if "metric" in table.measures else np.zeros(len(table))
    ordered = ordered[np.lexsort((np.nan_to_num(quality[ordered], nan=np.inf), costs[ordered]))]
    best = int(ordered[0])
    better = known & ~good & (costs < costs[best])
    tempting = _least(misses, better)
    return Recommendation(
        goal,
        best,
        runner_up=int(ordered[1]) if len(ordered) > 1 else None,
        tempting=tempting,
        misses=_misses(table, offered, limits, tempting),
    )


def _metric_name(measure: Measure | None) -> str:
    return lowered(measure.name if measure else metric_title("accuracy"))


def _least(violations: np.ndarray, among: np.ndarray) -> int | None:
    places = np.flatnonzero(among)
    return int(places[np.argmin(violations[places])]) if len(places) else None


def _violations(
    table: Table, offered: Mapping[str, Budget], limits: Mapping[str, float | None]
) -> np.ndarray:
    """How far each variant is outside, as the sum over budgets of shares of the values' spread.

    Measures with a log axis are compared by their logarithms. Infinite where a measure with a
    limit was not taken, or where a promise is broken.
    """
    total = np.where(broken(table), 1e6, 0.0)
    for key, limit in limits.items():
        if limit is None or key not in offered:
            continue
        over = excess(table, offered[key], limit)
        if offered[key].measure.logarithmic:
            over = np.where(over > 0, np.log(table.values[key] / offered[key].value_at(limit)), 0)
            spread = np.ptp(np.log(table.values[key][np.isfinite(table.values[key])]))
        else:
            spread = np.ptp(table.values[key][np.isfinite(table.values[key])])
        total = total + np.clip(over, 0, None) / (spread or 1.0)
    return np.where(np.isnan(total), np.inf, total)


def _misses(
    table: Table,
    offered: Mapping[str, Budget],
    limits: Mapping[str, float | None],
    place: int | None,
) -> dict[str, float]:
    if place is None:
        return {}
    over = {
        key: float(excess(table, offered[key], limit)[place])
        for key, limit in limits.items()
        if limit is not None and key in offered
    }
    return {key: amount for key, amount in over.items() if not amount <= 0}
