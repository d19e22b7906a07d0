"""A recommendation in sentences with its figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from optimizer.explore.budgets import Budget, difference
from optimizer.explore.recommend import GOALS, Recommendation, broken, goals
from optimizer.explore.table import Table
from optimizer.explore.words import by_chance, compared, shown, to_baseline
from optimizer.format import lowered
from optimizer.measured import measured


def recommendation_sentences(
    table: Table, found: Recommendation, offered: Mapping[str, Budget], keys: Sequence[str]
) -> list[str]:
    """What is recommended and why, what comes next and why it lost.

    Args:
        keys: the measures that are shown.
    """
    if found.best is None:
        return [_none(table, found, offered)]
    sentences = [
        _figures(table, found, keys, found.best),
        _chance(table, found.best),
        _runner_up(table, found),
        _tempting(table, found, offered),
    ]
    return [sentence for sentence in sentences if sentence]


def missed(table: Table, offered: Mapping[str, Budget], misses: Mapping[str, float]) -> str:
    """Budgets that a variant misses, and by how much."""
    return ", ".join(
        f"{lowered(table.measures[key].label)} was not measured"
        if math.isnan(amount)
        else f"{lowered(table.measures[key].label)} misses its budget by "
        f"{difference(offered[key].measure, amount)}"
        for key, amount in misses.items()
    )


def _figures(table: Table, found: Recommendation, keys: Sequence[str], best: int) -> str:
    title = lowered(goals(table)[found.goal])
    figures = []
    for key in dict.fromkeys((GOALS[found.goal], "metric", *keys)):
        if key in table.measures:
            words = to_baseline(table, key, best)
            extra = f" ({words})" if words else ""
            label = lowered(table.measures[key].label)
            figures.append(f"{label} {shown(table, key, best)}{extra}")
    if best == table.baseline:
        return f"The baseline itself has the {title} within the budgets: {', '.join(figures)}."
    return f"It has the {title} within the budgets: {', '.join(figures)}."


def _chance(table: Table, best: int) -> str:
    """Whether the difference of the metric to the baseline may be chance."""
    if not by_chance(table, best):
        return ""
    low, high = table.intervals["metric"][best]
    measure = table.measures["metric"]
    found = measured(table.variants[best])
    samples = f" on {found.samples:,} samples" if found and found.samples else ""
    return (
        f"Its difference to the baseline in {lowered(measure.label)} is within the 95 % interval"
        f"{samples} ({measure.show(low)} to {measure.show(high)}), so it may be chance."
    )


def _runner_up(table: Table, found: Recommendation) -> str:
    best, other, key = found.best, found.runner_up, GOALS[found.goal]
    if best is None or other is None:
        return "" if best is None else "No other variant is within the budgets."
    name = table.names[other]
    words = compared(table, key, best, other)
    if not words:
        quality = compared(table, "metric", best, other) if "metric" in table.measures else ""
        reason = (
            f"but its {lowered(table.measures['metric'].label)} is {quality}"
            if quality
            else ("and nothing between them differs; the older one is recommended")
        )
        return (
            f"The runner-up, “{name}”, is equal in {lowered(table.measures[key].label)}, {reason}."
        )
    noise = (
        f"; a difference within the {_noise(key)}" if _may_be_noise(table, key, best, other) else ""
    )
    return f"The runner-up, “{name}”, is {words} ({shown(table, key, other)}){noise}."


def _noise(key: str) -> str:
    return "95 % interval of the metric" if key == "metric" else "noise of measuring"


def _may_be_noise(table: Table, key: str, best: int, other: int) -> bool:
    """Whether two variants' difference on the goal says nothing about which is better."""
    if key == "metric":
        low, high = table.intervals["metric"][best]
        return bool(low <= table.values["metric"][other] <= high)
    if key != "latency":
        return False
    first, second = (table.intervals["ratio"][place] for place in (best, other))
    return bool(np.isfinite([*first, *second]).all() and second[0] <= first[1])


def _tempting(table: Table, found: Recommendation, offered: Mapping[str, Budget]) -> str:
    if found.best is None or found.tempting is None:
        return ""
    place, key = found.tempting, GOALS[found.goal]
    reasons = []
    if broken(table)[place]:
        reasons.append("does not keep what its recipe promised")
    if found.misses:
        reasons.append(f"its {missed(table, offered, found.misses)}")
    return (
        f"“{table.names[place]}” would be {compared(table, key, found.best, place)} "
        f"({shown(table, key, place)}), but {' and '.join(reasons)}."
    )


def _none(table: Table, found: Recommendation, offered: Mapping[str, Budget]) -> str:
    if found.nearest is None:
        return (
            f"No variant that passes the filters keeps its promises and has a measured "
            f"{lowered(table.measures[GOALS[found.goal]].label)}."
        )
    return (
        f"No variant is within all budgets. The nearest is “{table.names[found.nearest]}”: its "
        f"{missed(table, offered, found.misses or {})}."
    )
