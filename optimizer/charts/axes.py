"""Logarithmic axes whose ticks have units, and lines of reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from optimizer.charts.style import FAINT

_TICKS = 8
"""With more ticks than this on an axis their texts would touch."""


def log_axis(values: Sequence[float], show: Callable[[float], str]) -> dict[str, Any]:
    """A logarithmic axis with some room around the values and ticks at 1, 2 and 5, or fewer.

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
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = (digit * 10.0**power for power in powers for digit in digits)
        ticks = [tick for tick in found if low <= tick <= high]
        if len(ticks) <= _TICKS:
            break
    return ticks
