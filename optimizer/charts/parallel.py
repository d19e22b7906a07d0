"""All measures at once: a line per variant across parallel axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from optimizer.charts.axes import log_axis
from optimizer.charts.explorer import tick_text
from optimizer.charts.style import ORANGE
from optimizer.explore.budgets import Budget
from optimizer.explore.table import Table
from optimizer.measures import Measure

_VIRIDIS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#b5de2b")
"""Without its brightest end, which cannot be told from a white page."""
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
        chosen: indices of the highlighted lines.
        left_out: how many variants with results lack one of the measures.
    """

    ids: tuple[str, ...]
    axes: tuple[Axis, ...]
    colored_by: Measure
    colors: tuple[float, ...]
    chosen: tuple[int, ...]
    left_out: int


def parallel_info(
    table: Table,
    keys: Sequence[str],
    drawn: np.ndarray,
    budgets: Mapping[str, Budget],
    limits: Mapping[str, float | None],
    chosen: Sequence[int] = (),
) -> ParallelInfo:
    """Draw a line for each variant that has all measures.

    Args:
        keys: measures of the axes, from left to right.
        drawn: which variants to show, bool of shape (variants,).
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
        tuple(index[place] for place in chosen if place in index),
        int((drawn & results & ~known).sum()),
    )


def parallel_figure(info: ParallelInfo) -> go.Figure:
    """Draw it; what misses a budget is grey, what is chosen orange."""
    line = _line(info)
    dimensions = [_dimension(each) for each in info.axes]
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


def _dimension(axis: Axis) -> dict[str, Any]:
    measure, values = axis.measure, np.array(axis.values)
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    pad = 0.04 * (high - low) or 0.5 * (abs(high) or 1.0) * 0.1
    dimension: dict[str, Any] = {
        "label": measure.label + (f" ({measure.unit})" if _unit_in_label(measure) else ""),
        "values": values,
        "range": [low - pad, high + pad],
    }
    if measure.logarithmic and len(values):
        ticks = log_axis([10**low, 10**high], tick_text(measure))
        dimension |= {
            "tickvals": [math.log10(tick) for tick in ticks["tickvals"]],
            "ticktext": ticks["ticktext"],
        }
    if axis.kept:
        dimension["constraintrange"] = list(axis.kept)
    return dimension


def _unit_in_label(measure: Measure) -> bool:
    return bool(measure.unit) and measure.unit != "kB"


def _line(info: ParallelInfo) -> dict[str, Any]:
    """Colours by the measure; the chosen ones get the scale's last part, which is orange."""
    colors = np.array(info.colors, float)
    low, high = (float(colors.min()), float(colors.max())) if len(colors) else (0.0, 1.0)
    extent = (high - low) or 1.0
    top = low + extent / _CHOSEN_FROM if info.chosen else low + extent
    colors[list(info.chosen)] = top
    worst_first = _VIRIDIS if info.colored_by.larger_is_better else _VIRIDIS[::-1]
    end = _CHOSEN_FROM if info.chosen else 1.0
    scale = [
        [end * number / (len(worst_first) - 1), color] for number, color in enumerate(worst_first)
    ]
    ticks = [low, high] if high > low else [low]
    texts = [info.colored_by.show(tick) for tick in ticks]
    if info.chosen:
        scale += [[end + 1e-6, ORANGE], [1.0, ORANGE]]
        ticks.append(low + extent * (1 + 1 / _CHOSEN_FROM) / 2)
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
