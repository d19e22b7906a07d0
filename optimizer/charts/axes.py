"""Logarithmic axes whose ticks have units, and lines of reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from optimizer.charts.style import FAINT

_TICKS = 8
"""With more ticks than this on an axis their texts would touch."""


def log_axis(values: Sequence[float], show: Callable[[float], str]) -> dict[str, Any]:
    """A logarithmic axis with some room around the values and ticks at 1, 2 and 5.

    Args:
        values: all above 0; without any, the axis stays as Plotly makes it.
        show: a tick with its unit.
    """
    if not values:
        return {}
    low, high = min(values) / 1.6, max(values) * 1.6
    ticks = _ticks(low, high, (1, 2, 5))
    if len(ticks) > _TICKS:
        ticks = _ticks(low, high, (1,))
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": ticks,
        "ticktext": [show(tick) for tick in ticks],
    }


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


def _ticks(low: float, high: float, digits: Sequence[int]) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = (digit * 10.0**power for power in powers for digit in digits)
    return [tick for tick in found if low <= tick <= high]
