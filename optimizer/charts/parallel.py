"""All measures at once: a line per variant across parallel axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from optimizer.charts.axes import log_ticks, tick_text, unit_in_ticks
from optimizer.charts.style import ORANGE
from optimizer.explore.budgets import Budget
from optimizer.explore.table import Table
from optimizer.measures import Measure

_VIRIDIS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#b5de2b")
"""Without its brightest end, which cannot be told from a white page."""
_PALE = ("#6d5c74", "#69788f", "#6b9593", "#88b589", "#b3bf80")
"""The same colours halfway to grey, for what stands behind the chosen lines."""
_STROKES = (-0.008, -0.004, 0.0, 0.004, 0.008)
"""Plotly draws all lines one pixel wide: chosen ones are drawn so often, side by side, at these
shares of an axis."""
_CHOSEN_FROM = 0.9
"""Where on the colour scale the colour of chosen variants begins."""


@dataclass(frozen=True)
class Axis:
    """One of the parallel axes.

    Attributes:
        values: one per line; logarithms to base 10 where ``measure.logarithmic``.
        kept: the range that its budget allows, on the same scale; ``None`` for no limit.
    """

    measure: Measure
    values: tuple[float, ...]
    kept: tuple[float, float] | None


@dataclass(frozen=True)
class ParallelInfo:
    """What the overview shows, each variant at one index.

    Attributes:
        colored_by: the measure of the colours.
        colors: its values.
        color_range: of those within the budgets, as the others are grey.
        chosen: indices of the highlighted lines.
        left_out: how many variants with results lack one of the measures.
    """

    ids: tuple[str, ...]
    axes: tuple[Axis, ...]
    colored_by: Measure
    colors: tuple[float, ...]
    color_range: tuple[float, float] | None
    chosen: tuple[int, ...]
    left_out: int


def parallel_info(
    table: Table,
    keys: Sequence[str],
    drawn: np.ndarray,
    inside: np.ndarray,
    budgets: Mapping[str, Budget],
    limits: Mapping[str, float | None],
    chosen: Sequence[int] = (),
) -> ParallelInfo:
    """Draw a line for each variant that has all measures.

    Args:
        keys: measures of the axes, from left to right.
        drawn: which variants to show, bool of shape (variants,).
        inside: which of them are within all budgets; their range is that of the colours.
        limits: measure → limit of its budget, or ``None``.
        chosen: places in the table.
    """
    by = "metric" if "metric" in table.measures else keys[0]
    known = drawn & table.measured_in([*keys, by])
    places = np.flatnonzero(known)
    index = {int(place): number for number, place in enumerate(places)}
    results = np.array([bool(variant.results) for variant in table.variants], bool)
    return ParallelInfo(
        tuple(table.ids[place] for place in places),
        tuple(_axis(table, key, places, budgets.get(key), limits.get(key)) for key in keys),
        table.measures[by],
        tuple(table.values[by][places].tolist()),
        _range(table.values[by][known & inside]) or _range(table.values[by][known]),
        tuple(index[place] for place in chosen if place in index),
        int((drawn & results & ~known).sum()),
    )


def parallel_figure(info: ParallelInfo) -> go.Figure:
    """Draw it; what misses a budget is grey, what is chosen orange."""
    line = _line(info)
    dimensions = [_dimension(each, info.chosen) for each in info.axes]
    layout = {
        "height": 420,
        "margin": {"l": 60, "r": 40, "t": 70, "b": 30},
        "paper_bgcolor": "rgba(0,0,0,0)",
    }
    trace = {
        "type": "parcoords",
        "line": line,
        "dimensions": dimensions,
        "labelside": "top",
        "labelfont": {"size": 13},
        "tickfont": {"size": 12},
        "rangefont": {"size": 1, "color": "rgba(0,0,0,0)"},
        "unselected": {"line": {"color": "#8A8F98", "opacity": 0.12}},
    }
    return go.Figure(data=[trace], layout=layout)


def _range(values: np.ndarray) -> tuple[float, float] | None:
    return (float(values.min()), float(values.max())) if len(values) else None


def _axis(
    table: Table,
    key: str,
    places: np.ndarray,
    offered: Budget | None,
    limit: float | None,
) -> Axis:
    measure, values = table.measures[key], table.values[key][places]
    scaled = np.log10(values) if measure.logarithmic else values
    if offered is None or limit is None or not len(values):
        return Axis(measure, tuple(scaled.tolist()), None)
    end = offered.value_at(limit)
    end = math.log10(end) if measure.logarithmic else end
    floor = offered.kind == "at least" or (
        offered.kind == "worse by at most" and measure.larger_is_better
    )
    low, high = float(scaled.min()), float(scaled.max())
    kept = (end, max(high, end)) if floor else (min(low, end), end)
    return Axis(measure, tuple(scaled.tolist()), kept)


def _dimension(axis: Axis, chosen: Sequence[int]) -> dict[str, Any]:
    measure, values = axis.measure, np.array(axis.values)
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    pad = 0.04 * (high - low) or 0.5 * (abs(high) or 1.0) * 0.1
    strokes = [float(value + (high - low) * s) for value in values[list(chosen)] for s in _STROKES]
    dimension: dict[str, Any] = {
        "label": measure.label
        + (f" ({measure.unit})" if measure.unit and not unit_in_ticks(measure) else ""),
        "values": np.append(values, strokes),
        "range": [low - pad, high + pad],
    }
    if measure.logarithmic and len(values):
        ticks, texts = log_ticks(10 ** (low - pad), 10 ** (high + pad), tick_text(measure))
        dimension |= {"tickvals": ticks, "ticktext": texts}
    if axis.kept:
        dimension["constraintrange"] = [list(axis.kept), *_exceptions(axis, strokes, high - low)]
    return dimension


def _exceptions(axis: Axis, strokes: Sequence[float], extent: float) -> list[list[float]]:
    """Narrow ranges for strokes of chosen lines, which are not to be grey outside the budget."""
    low, high = axis.kept or (0.0, 0.0)
    half = extent * (_STROKES[1] - _STROKES[0]) / 4
    return [[at - half, at + half] for at in sorted(strokes) if not low <= at <= high]


def _line(info: ParallelInfo) -> dict[str, Any]:
    """Colours by the measure; the chosen ones get the scale's last part, which is orange."""
    colors = np.array(info.colors, float)
    low, high = info.color_range or (0.0, 1.0)
    colors = np.clip(colors, low, high)
    extent = (high - low) or 1.0
    top = low + extent / _CHOSEN_FROM if info.chosen else low + extent
    colors = np.append(colors, [top] * (len(_STROKES) * len(info.chosen)))
    palette = _PALE if info.chosen else _VIRIDIS
    worst_first = palette if info.colored_by.larger_is_better else palette[::-1]
    end = _CHOSEN_FROM if info.chosen else 1.0
    scale = [
        [end * number / (len(worst_first) - 1), color] for number, color in enumerate(worst_first)
    ]
    ticks = [low, high] if high > low else [low]
    texts = [info.colored_by.show(tick) for tick in ticks]
    if info.chosen:
        border = (1 + end) / 2  # far enough from the best value that rounding cannot reach it
        scale += [[border, worst_first[-1]], [border, ORANGE], [1.0, ORANGE]]
        ticks.append(top)
        texts.append("chosen")
    return {
        "color": colors,
        "cmin": low,
        "cmax": top,
        "colorscale": scale,
        "showscale": True,
        "colorbar": {
            "title": {"text": info.colored_by.label, "side": "right"},
            "thickness": 14,
            "tickvals": ticks,
            "ticktext": texts,
        },
    }
