"""Differences between variants, in words."""

from __future__ import annotations

import math

from optimizer.comparison import NOT_MEASURED, latency_verdict
from optimizer.explore.budgets import difference
from optimizer.explore.table import Table
from optimizer.format import format_times
from optimizer.measured import measured

_WORDS = {
    "size": ("smaller", "larger"),
    "gzip": ("smaller", "larger"),
    "parameters": ("smaller", "larger"),
    "latency": ("faster", "slower"),
    "ratio": ("faster", "slower"),
    "macs": ("fewer", "more"),
    "memory": ("less", "more"),
    "energy": ("less", "more"),
    "ram": ("less", "more"),
    "time": ("quicker", "slower"),
}
"""Measure → what less and more of it are called."""
_SAME = 0.005
"""Ratios nearer to 1 than this are called the same, as on the other pages."""


def shown(table: Table, key: str, place: int) -> str:
    """A variant's value with its unit; ``not measured`` where there is none."""
    value = float(table.values[key][place])
    return NOT_MEASURED if math.isnan(value) else table.measures[key].show(value)


def to_baseline(table: Table, key: str, place: int) -> str:
    """A variant's difference to the baseline; empty where there is none to speak of."""
    base, value = table.baseline, float(table.values[key][place])
    if base is None or base == place or math.isnan(value):
        return ""
    found = measured(table.variants[place])
    if key in ("latency", "ratio") and found:
        return latency_verdict(found)
    reference = float(table.values[key][base])
    if math.isnan(reference) or key == "agreement":
        return ""
    if key in _WORDS:
        return _times(key, value, reference)
    return _signed(table, key, value - reference)


def compared(table: Table, key: str, place: int, other: int) -> str:
    """How ``other`` differs from ``place`` in a measure: ``2.5 kB larger``; empty when equal."""
    value, against = float(table.values[key][place]), float(table.values[key][other])
    amount = abs(against - value)
    if not amount > 0:
        return ""
    less, more = _WORDS.get(key, ("lower", "higher"))
    return f"{difference(table.measures[key], amount)} {less if against < value else more}"


def by_chance(table: Table, place: int) -> bool:
    """Whether a variant's metric differs from the baseline's by no more than its interval."""
    base = table.baseline
    if base is None or base == place or "metric" not in table.measures:
        return False
    low, high = table.intervals["metric"][place]
    value, reference = (table.values["metric"][at] for at in (place, base))
    return bool(low <= reference <= high and value != reference)


def _times(key: str, value: float, reference: float) -> str:
    ratio = reference / value
    if abs(ratio - 1) < _SAME:
        return "same as the baseline"
    less, more = _WORDS[key]
    return f"{format_times(ratio)} {less}" if ratio > 1 else f"{format_times(1 / ratio)} {more}"


def _signed(table: Table, key: str, amount: float) -> str:
    measure = table.measures[key]
    if abs(amount) < 1e-9:
        return "same as the baseline"
    sign = "+" if amount > 0 else "−"
    return f"{sign}{difference(measure, abs(amount))}"
