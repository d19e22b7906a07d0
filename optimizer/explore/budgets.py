"""Budgets: how much a variant may cost in each measure, as a slider offers it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from optimizer.explore.table import Table
from optimizer.format import format_count
from optimizer.measures import Measure

Kind = Literal["at most", "at least", "worse by at most"]

_MANTISSAS = tuple(
    step / 100 for step in (*range(100, 200, 5), *range(200, 500, 10), *range(500, 1000, 20))
)
"""Round numbers of a decade, a few per cent apart."""
_DECADES = 3
"""Sliders of differences begin this many decades below their largest one."""
_DEFAULT_POINTS = 1.0
"""Accuracy that may be lost unless one says otherwise, in percentage points."""
_LEAST_POINTS = 0.05
_ROUNDING = 1e-9
"""Differences of floats that mean nothing, relative to the limit."""


@dataclass(frozen=True)
class Budget:
    """What a slider of one measure offers.

    Attributes:
        kind: how a limit is meant; ``worse by at most`` is against the baseline.
        options: limits in the measure's unit, rising, without "no limit".
        default: the limit until one is chosen; ``None`` for no limit.
        reference: the baseline's value, where limits are against it.
    """

    measure: Measure
    kind: Kind
    options: tuple[float, ...]
    default: float | None
    reference: float | None = None

    @property
    def label(self) -> str:
        """The slider's label."""
        if self.kind != "worse by at most":
            return f"{self.measure.label} {self.kind}"
        verb = "fall" if self.measure.larger_is_better else "rise"
        return f"{self.measure.label} may {verb} by at most"

    def show(self, limit: float | None) -> str:
        """A limit in words."""
        if limit is None:
            return "no limit"
        if self.kind == "worse by at most":
            return difference(self.measure, limit)
        if self.measure.unit == "%":
            return f"{limit:g} %"
        if self.measure.key in ("ratio", "macs"):
            return f"{limit:g}×" if self.measure.key == "ratio" else format_count(limit)
        return self.measure.show(limit)

    def snapped(self, limit: float) -> float:
        """The option nearest to a limit that is no looser; the strictest where none is."""
        values = np.array(self.options)
        slack = _ROUNDING * max(1.0, abs(limit))
        if self.kind == "at least":
            tight = values[values >= limit - slack]
            return float(tight[0] if len(tight) else values[-1])
        tight = values[values <= limit + slack]
        return float(tight[-1] if len(tight) else values[0])

    def value_at(self, limit: float) -> float:
        """The worst value of the measure that a limit allows."""
        if self.kind != "worse by at most" or self.reference is None:
            return limit
        return self.reference - limit if self.measure.larger_is_better else self.reference + limit


def difference(measure: Measure, amount: float) -> str:
    """A difference of two values of a measure, without a sign."""
    if measure.unit == "%":
        points = float(f"{amount:.2f}") or float(f"{amount:.1g}")
        return f"{points:g} point{'' if points == 1 else 's'}"
    if measure.key == "metric":
        return f"{amount:.3g}"
    return f"{amount:.3g}" if measure.key == "ratio" else measure.show(amount)


def budget(table: Table, key: str) -> Budget:
    """The slider of a measure that was taken, from the values there are."""
    measure, values = table.measures[key], table.values[key]
    values = values[np.isfinite(values)]
    reference = None
    if key == "metric" and table.baseline is not None:
        reference = float(table.values[key][table.baseline])
    if reference is not None and math.isfinite(reference):
        return _against(measure, values, reference)
    if measure.unit == "%":
        losses = _points(100 - float(values.min()))
        options = tuple(round(100 - loss, 2) for loss in reversed(losses) if loss <= 100)
        return Budget(measure, "at least", options, None)
    low, high = float(values.min()), float(values.max())
    if low <= 0:  # R² and losses of other sorts: no ladder of ratios fits
        options = tuple(float(step) for step in np.unique(np.linspace(low, high, 41).round(6)))
    else:
        options = _rising(low, high)
    return Budget(measure, "at least" if measure.larger_is_better else "at most", options, None)


def excess(table: Table, offered: Budget, limit: float) -> np.ndarray:
    """By how much each variant misses a limit, in the measure's unit.

    Returns:
        Shape (variants,): 0 or less is within; NaN where it was not measured.
    """
    values, worst = table.values[offered.measure.key], offered.value_at(limit)
    over = worst - values if _is_floor(offered) else values - worst
    return np.where(np.abs(over) <= _ROUNDING * max(1.0, abs(worst)), 0.0, over)


def within(
    table: Table, offered: Mapping[str, Budget], limits: Mapping[str, float | None]
) -> np.ndarray:
    """Which variants keep every limit; what was not measured keeps none.

    Args:
        offered: the budgets of the measures shown.
        limits: measure → limit, or ``None`` for no limit.
    """
    kept = np.ones(len(table), bool)
    for key, limit in limits.items():
        if limit is not None and key in offered:
            kept &= excess(table, offered[key], limit) <= 0
    return kept


def _is_floor(offered: Budget) -> bool:
    """Whether values above the limit are the good ones."""
    if offered.kind == "worse by at most":
        return offered.measure.larger_is_better
    return offered.kind == "at least"


def _against(measure: Measure, values: np.ndarray, reference: float) -> Budget:
    sign = 1.0 if measure.larger_is_better else -1.0
    losses = sign * (reference - values)
    worst = float(losses.max(initial=0.0))
    if measure.unit == "%":
        options, allowed = _points(worst), _DEFAULT_POINTS
    else:
        rising = _rising(worst / 10**_DECADES, worst) if worst > 0 else ()
        options, allowed = (0.0, *rising), 0.02 * abs(reference)
    default = None
    if worst > allowed:
        default = max(option for option in options if option <= allowed * (1 + _ROUNDING))
    return Budget(measure, "worse by at most", options, default, reference)


def _points(worst: float) -> tuple[float, ...]:
    """Losses in percentage points with two decimals, from 0 to just above the worst one."""
    steps = _rising(_LEAST_POINTS, max(_LEAST_POINTS, worst))
    return tuple(dict.fromkeys((0.0, *(round(step, 2) for step in steps))))


def _rising(low: float, high: float) -> tuple[float, ...]:
    """Round numbers from just below ``low`` to just above ``high``, both above 0."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    ladder = [float(f"{mantissa * 10.0**power:.3g}") for power in powers for mantissa in _MANTISSAS]
    first = max(place for place, step in enumerate(ladder) if step <= low * (1 + _ROUNDING))
    last = min(place for place, step in enumerate(ladder) if step >= high * (1 - _ROUNDING))
    return tuple(ladder[first : last + 1])
