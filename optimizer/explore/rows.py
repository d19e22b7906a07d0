"""The explorer's table: a row per variant, with what it misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from optimizer.explore.budgets import Budget, difference, excess
from optimizer.explore.recommend import broken
from optimizer.explore.table import Table
from optimizer.format import latency_column
from optimizer.measures import Measure

_WITHIN = "within"
_FORMATS = {"kB": "%.1f", "s": "%.1f", "µJ": "%.4g", "%": "%.2f", "": "%.4g"}
"""Unit → how its numbers are written in a column."""


@dataclass(frozen=True, eq=False)
class Rows:
    """A table to show.

    Attributes:
        formats: column → printf format of its numbers.
    """

    frame: pd.DataFrame
    formats: Mapping[str, str]


def explorer_rows(
    table: Table,
    places: Sequence[int],
    budgets: Mapping[str, Budget],
    limits: Mapping[str, float | None],
) -> Rows:
    """Variants in the given order, with all measures and what they miss of the budgets."""
    own = np.array(places, int)
    misses = _misses(table, budgets, limits)
    columns: dict[str, object] = {
        "Variant": [table.names[place] for place in places],
        "Budgets": [misses[place] for place in places],
    }
    states = [table.variants[place].state for place in places]
    if set(states) - {"done"}:
        columns["State"] = states
    formats = {}
    for measure in table.measures.values():
        values = table.values[measure.key][own]
        title, factor, form = _column(measure, values)
        columns[title], formats[title] = factor * values, form
    return Rows(pd.DataFrame(columns), formats)


def _column(measure: Measure, values: np.ndarray) -> tuple[str, float, str]:
    """A column's head, shorter than an axis title, the factor to its unit, and its format."""
    if measure.key == "macs":
        return "MACs (k)", 0.001, "%.4g"
    if measure.key == "latency":
        unit, factor, form = latency_column(values[np.isfinite(values)])
        return f"{measure.label} ({unit})", factor, form
    title = measure.label + (f" ({measure.unit})" if measure.unit else "")
    return title, 1.0, "%.2f" if measure.key == "ratio" else _FORMATS[measure.unit]


def _misses(
    table: Table, budgets: Mapping[str, Budget], limits: Mapping[str, float | None]
) -> list[str]:
    """For each variant what it misses, in words."""
    words: list[list[str]] = [[] for _ in range(len(table))]
    for place in np.flatnonzero(broken(table)):
        words[place].append("promise not kept")
    for key, limit in limits.items():
        if limit is None:
            continue
        over, label = excess(table, budgets[key], limit), table.measures[key].label
        for place in np.flatnonzero(~(over <= 0)):
            amount = float(over[place])
            words[place].append(
                f"{label} not measured yet"
                if np.isnan(amount)
                else f"{label} misses by {difference(budgets[key].measure, amount)}"
            )
    return ["; ".join(found) or _WITHIN for found in words]
