"""Two or three measures of many variants: the front, the budgets, and the few that matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from optimizer.charts.axes import axis_title, log_axis, log_ticks, reference_line, tick_text
from optimizer.charts.style import AMBER, BLUE, GREEN, GREY, ORANGE, PINK, styled
from optimizer.explore.table import Table
from optimizer.explore.words import shown
from optimizer.measures import Measure

Group = Literal["over", "dominated", "front", "baseline"]

_GROUPS: dict[Group, tuple[str, str, str]] = {
    "over": ("Misses a budget", GREY, "circle-open"),
    "dominated": ("Beaten by another", AMBER, "x-thin-open"),
    "front": ("On the Pareto front", BLUE, "circle"),
    "baseline": ("Float32 baseline", GREY, "square"),
}
"""Group → legend, colour and symbol, in the order they are drawn: the important ones on top."""
_CROWDED = 40
"""With more points than this, the unimportant ones are small and pale."""
_MANY = 300
"""More points of a group than this are drawn by WebGL, which a browser does at once."""
_SCALE = "Viridis"


@dataclass(frozen=True)
class ExplorerInfo:
    """What the chart shows, each variant at one index.

    Attributes:
        keys: the measures of x, y and, where there are three, of the colour.
        colors: ``None`` without a third measure.
        intervals: 95 % intervals of the metric, where it is on the y axis; NaN where none.
        hovers: what is said about each point.
        front: indices of the points on the front, by rising x.
        recommended: an index, as ``knee`` and ``baseline``; ``None`` where it is not drawn.
        not_measured: how many variants with results lack one of the measures.
    """

    keys: tuple[str, ...]
    ids: tuple[str, ...]
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    colors: tuple[float, ...] | None
    intervals: tuple[tuple[float, float], ...] | None
    groups: tuple[Group, ...]
    hovers: tuple[str, ...]
    front: tuple[int, ...]
    chosen: tuple[int, ...]
    recommended: int | None
    knee: int | None
    baseline: int | None
    not_measured: int


def explorer_info(
    table: Table,
    keys: Sequence[str],
    drawn: np.ndarray,
    inside: np.ndarray,
    *,
    recommended: int | None = None,
    knee: int | None = None,
    chosen: Sequence[int] = (),
) -> ExplorerInfo:
    """Place the variants; the front is that of the ones within the budgets.

    Args:
        keys: measures of x and y, and of the colour where wanted.
        drawn: which variants to show, bool of shape (variants,).
        inside: which of them are within all budgets.
        recommended: a place in the table, as ``knee`` and ``chosen``.
    """
    known = drawn & table.measured_in(keys)
    places = np.flatnonzero(known)
    on_front = table.front(keys, known & inside)
    groups = np.where(on_front, "front", np.where(inside, "dominated", "over")).astype(object)
    if table.baseline is not None:
        groups[table.baseline] = "baseline"
    index = {int(place): number for number, place in enumerate(places)}
    x, y, *third = keys
    by_x = places[np.argsort(table.values[x][places], kind="stable")]
    results = np.array([bool(variant.results) for variant in table.variants], bool)
    return ExplorerInfo(
        tuple(keys),
        tuple(table.ids[place] for place in places),
        tuple(table.values[x][places].tolist()),
        tuple(table.values[y][places].tolist()),
        tuple(table.values[third[0]][places].tolist()) if third else None,
        tuple(map(tuple, table.intervals["metric"][places].tolist())) if y == "metric" else None,
        tuple(groups[places]),
        tuple(_hover(table, keys, int(place)) for place in places),
        tuple(index[int(place)] for place in by_x if on_front[place]),
        tuple(index[place] for place in chosen if place in index),
        None if recommended is None else index.get(recommended),
        None if knee is None else index.get(knee),
        None if table.baseline is None else index.get(table.baseline),
        int((drawn & results & ~known).sum()),
    )


def explorer_figure(info: ExplorerInfo, measures: Sequence[Measure]) -> go.Figure:
    """Draw it.

    Args:
        measures: those of ``info.keys``, which say titles, units and directions.
    """
    traces = []
    colors = _color_values(info, measures)
    for group in _GROUPS:
        if group == "front" and not colors:
            traces.append(_front_line(info, measures[0]))
        members = [number for number, own in enumerate(info.groups) if own == group]
        if members:
            traces.append(_points(info, group, members, colors))
            traces += [_legend_entry(group)] if colors and group != "over" else []
    traces += _marks(info)
    x, y = measures[:2]
    return styled(
        traces,
        x_title=axis_title(x),
        y_title=axis_title(y),
        height=470,
        x_axis=axis(x, info.xs),
        y_axis=axis(y, info.ys),
        shapes=_baseline_lines(info),
        **({"coloraxis": _color_axis(info, measures[2], colors)} if colors else {}),
    )


def axis(measure: Measure, values: Sequence[float]) -> dict[str, Any]:
    """A logarithmic axis with ticks in the measure's unit, or a plain one."""
    return log_axis(values, tick_text(measure)) if measure.logarithmic else {}


def _hover(table: Table, keys: Sequence[str], place: int) -> str:
    lines = [f"<b>{table.names[place]}</b>"]
    lines += [f"{table.measures[key].label} {shown(table, key, place)}" for key in keys]
    return "<br>".join(lines)


def _front_line(info: ExplorerInfo, x: Measure) -> dict[str, Any]:
    """The edge of what the front dominates, as stairs."""
    return {
        "type": "scatter",
        "x": [info.xs[number] for number in info.front],
        "y": [info.ys[number] for number in info.front],
        "mode": "lines",
        "line": {"shape": "vh" if x.larger_is_better else "hv", "color": BLUE, "width": 2},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _points(
    info: ExplorerInfo, group: Group, members: list[int], colors: Sequence[float]
) -> dict[str, Any]:
    label, color, symbol = _GROUPS[group]
    quiet = group in ("over", "dominated")
    crowded = quiet and len(info.ids) > _CROWDED
    marker: dict[str, Any] = {
        "size": 7 if crowded else 9 if quiet else 12,
        "color": color,
        "symbol": symbol,
        "line": {"width": 1.5},
    }
    colored = bool(colors) and group != "over"
    if colored:
        marker |= {"color": np.array(colors)[members], "coloraxis": "coloraxis"}
    return {
        "type": "scattergl" if len(members) > _MANY else "scatter",
        "x": np.array([info.xs[number] for number in members]),
        "y": np.array([info.ys[number] for number in members]),
        "error_y": {} if crowded or group == "over" else _error_bars(info, members),
        "mode": "markers",
        "name": label,
        "showlegend": not colored,
        "opacity": 0.45 if group == "over" else 0.7 if crowded else 1,
        "marker": marker,
        "customdata": [info.ids[number] for number in members],
        "text": [info.hovers[number] for number in members],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _error_bars(info: ExplorerInfo, members: Sequence[int]) -> dict[str, Any]:
    if info.intervals is None:
        return {}
    bounds = np.array([info.intervals[number] for number in members], float)
    values = np.array([info.ys[number] for number in members], float)
    return {
        "type": "data",
        "symmetric": False,
        "array": np.nan_to_num(bounds[:, 1] - values),
        "arrayminus": np.nan_to_num(values - bounds[:, 0]),
        "thickness": 1,
        "width": 3,
        "color": "rgba(128,128,128,0.5)",
    }


def _marks(info: ExplorerInfo) -> list[dict[str, Any]]:
    """Rings and a star around the few that matter, each in the legend."""
    rings = [
        ("Chosen", list(info.chosen), "circle-open", ORANGE, 21),
        ("Knee", [] if info.knee is None else [info.knee], "diamond-open", PINK, 27),
        ("Recommended", [] if info.recommended is None else [info.recommended], "star", GREEN, 17),
    ]
    return [
        {
            "type": "scatter",
            "x": [info.xs[number] for number in members],
            "y": [info.ys[number] for number in members],
            "mode": "markers",
            "name": name,
            "marker": {
                "size": size,
                "symbol": symbol,
                "color": color,
                "line": {"width": 3 if "open" in symbol else 1, "color": color},
            },
            "customdata": [info.ids[number] for number in members],
            "hoverinfo": "skip",
        }
        for name, members, symbol, color, size in rings
        if members
    ]


def _baseline_lines(info: ExplorerInfo) -> list[dict[str, Any]]:
    if info.baseline is None:
        return []
    return [
        reference_line("x", info.xs[info.baseline]),
        reference_line("y", info.ys[info.baseline]),
    ]


def _legend_entry(group: Group) -> dict[str, Any]:
    """A symbol for the legend alone, where those of the points have many colours."""
    label, _, symbol = _GROUPS[group]
    return {
        "type": "scatter",
        "x": [None],
        "y": [None],
        "mode": "markers",
        "name": label,
        "marker": {"size": 10, "color": GREY, "symbol": symbol, "line": {"width": 1.5}},
    }


def _color_values(info: ExplorerInfo, measures: Sequence[Measure]) -> list[float]:
    """The third measure, as logarithms where it belongs on a log axis; empty without one."""
    if info.colors is None:
        return []
    values = np.array(info.colors, float)
    found: list[float] = (np.log10(values) if measures[2].logarithmic else values).tolist()
    return found


def _color_axis(info: ExplorerInfo, measure: Measure, colors: Sequence[float]) -> dict[str, Any]:
    """The third measure's scale over the points that have colours; its good end is bright."""
    shown_ones = [
        color for color, group in zip(colors, info.groups, strict=True) if group != "over"
    ]
    low, high = (min(shown_ones), max(shown_ones)) if shown_ones else (0.0, 1.0)
    title = {"text": axis_title(measure), "side": "right"}
    bar: dict[str, Any] = {"title": title, "thickness": 14}
    if measure.logarithmic and shown_ones:
        ticks, texts = log_ticks(10**low * 0.999, 10**high * 1.001, tick_text(measure))
        bar |= {"tickvals": ticks, "ticktext": texts}
    return {
        "colorscale": _SCALE,
        "reversescale": not measure.larger_is_better,
        "cmin": low,
        "cmax": high,
        "colorbar": bar,
    }
