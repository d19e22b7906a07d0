"""Logarithmic axes whose ticks have units, and lines of reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from optimizer.charts.style import FAINT
from optimizer.format import format_count
from optimizer.measures import Measure

_WRITTEN = ("kB", "ms", "µJ", "s")
"""Units of measures whose values spread so far that each tick has the unit that fits it."""

_TICKS = 5
"""With more ticks than this on an axis their texts would touch."""
_FEW = 3
"""With fewer ticks than this nobody can read a value off the axis."""


def log_axis(values: Sequence[float], show: Callable[[float], str]) -> dict[str, Any]:
    """A logarithmic axis with some room around the values and at least three ticks.

    They are at 1, 2 and 5 of each power of ten, at fewer where the range is wide, at more where it
    is narrow, and at even steps where it is very narrow.

    Args:
        values: all above 0; without any, the axis stays as Plotly makes it.
        show: a tick with its unit.
    """
    if not values:
        return {}
    low, high = min(values) / 1.6, max(values) * 1.6
    ticks = _ticks(low, high)
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": ticks,
        "ticktext": [show(tick) for tick in ticks],
    }


def log_ticks(
    low: float, high: float, show: Callable[[float], str]
) -> tuple[list[float], list[str]]:
    """Ticks between two values above 0, as logarithms to base 10, and their texts.

    For what has no logarithmic axis of its own: colour bars and parallel axes.
    """
    ticks = _ticks(low, high)
    return [math.log10(tick) for tick in ticks], [show(tick) for tick in ticks]


def byte_tick(size_bytes: float) -> str:
    """A tick on an axis of bytes, without the zeros that :func:`format_bytes` gives a figure."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= factor:
            return f"{size_bytes / factor:g} {unit}"
    return f"{size_bytes:g} B"


def axis_title(measure: Measure) -> str:
    """The measure's name, with its unit unless the ticks have it."""
    return measure.name if unit_in_ticks(measure) else measure.title


def unit_in_ticks(measure: Measure) -> bool:
    """Whether each tick has the unit, because values of several magnitudes are on the axis."""
    return measure.unit in _WRITTEN


def tick_text(measure: Measure) -> Callable[[float], str]:
    """How a measure's ticks are written: with the unit that fits the value where it has several."""
    if measure.unit == "kB":
        return lambda value: byte_tick(float(f"{1000 * value:.6g}"))
    if measure.key == "macs":
        return format_count
    if unit_in_ticks(measure):
        return measure.show
    return lambda value: f"{value:g}" + ("×" if measure.key == "ratio" else "")


def reference_line(axis: str, value: float) -> dict[str, Any]:
    """A dotted line across the chart at a value of the axis ``x`` or ``y``, as a shape."""
    across = "y" if axis == "x" else "x"
    return {
        "type": "line",
        f"{axis}0": value,
        f"{axis}1": value,
        f"{across}ref": f"{across} domain",
        f"{across}0": 0,
        f"{across}1": 1,
        "line": {"color": FAINT, "width": 1, "dash": "dot"},
        "layer": "below",
    }


def _ticks(low: float, high: float) -> list[float]:
    """Round values between two others, as many as have room."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for digits in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = (float(f"{digit}e{power}") for power in powers for digit in digits)
        ticks = [tick for tick in found if low <= tick <= high]
        if len(ticks) <= _TICKS:
            break
    return ticks if len(ticks) >= _FEW else linear_ticks(low, high)


def linear_ticks(low: float, high: float) -> list[float]:
    """Three to eight round values at even steps between two others."""
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / _FEW))
    step = max(n * power for n in (1, 2, 5) if high - low >= _FEW * n * power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]
