"""What a smaller or faster model costs: size or latency against accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from optimizer.charts.axes import byte_tick, log_axis, reference_line
from optimizer.charts.style import AMBER, BLUE, GREY, ORANGE, styled
from optimizer.comparison import metric_column, study_metric
from optimizer.format import (
    format_bytes,
    format_count,
    format_metric,
    format_ms,
    is_share,
    metric_title,
)
from optimizer.measured import Measured, marked_name, measured
from optimizer.pareto import pareto_front
from optimizer.store.records import Variant

Cost = Literal["size_bytes", "gzip_bytes", "parameter_bytes", "latency", "macs"]
Group = Literal["baseline", "front", "dominated"]

COST_TITLES: dict[Cost, str] = {
    "size_bytes": "Size of the .tflite",
    "gzip_bytes": "Size of the .tflite, gzip-compressed",
    "parameter_bytes": "Size of the parameters",
    "latency": "Latency p50",
    "macs": "Multiply-accumulates of one inference",
}
_GROUPS: dict[Group, tuple[str, str, str]] = {
    "dominated": ("Beaten by another", AMBER, "x-thin-open"),
    "front": ("On the Pareto front", BLUE, "circle"),
    "baseline": ("Float32 baseline", GREY, "square"),
}
"""Group → legend, colour and symbol, in the order they are drawn: the important ones on top."""

_NAMED = 6
"""With at most this many points, each has its name beside it."""
_CROWDED = 40
"""With more points than this, only the ones that matter keep their error bars."""
_MANY = 300
_MOST = 1_000
"""More beaten points than this are drawn by WebGL, which a browser does at once."""


@dataclass(frozen=True)
class Point:
    """One variant in a trade-off chart.

    Attributes:
        cost: bytes, ms or multiply-accumulates.
        value: the task's metric.
        interval: 95 % interval of the metric, where there is one.
    """

    variant_id: str
    name: str
    cost: float
    value: float
    interval: tuple[float, float] | None
    group: Group
    on_front: bool


@dataclass(frozen=True)
class TradeoffInfo:
    """What a trade-off chart shows.

    Attributes:
        front: the points that no other beats, by rising cost.
        not_measured: names of finished variants that lack one of the two measures.
        left_out: how many points off the front are not drawn, because there are too many.
    """

    cost: Cost
    metric: str
    points: tuple[Point, ...]
    front: tuple[Point, ...]
    not_measured: tuple[str, ...]
    selected_id: str | None
    left_out: int = 0


def tradeoff_info(
    variants: Sequence[Variant], cost: Cost, selected_id: str | None = None
) -> TradeoffInfo:
    """Place the finished variants; the front is over cost and metric.

    Of many variants off the front every so manieth by cost is taken, and the baseline and the
    selected one wherever they stand: thousands of points more say nothing more and take seconds.
    """
    places: list[tuple[Variant, Measured, float, float]] = []
    missing = []
    for variant in variants:
        found = measured(variant)
        if found is None:
            continue
        place = _cost(found, cost)
        if place is None or found.value is None:
            missing.append(variant.name)
        else:
            places.append((variant, found, place, found.value))
    flags = pareto_front(
        [(place, -value if f.higher_is_better else value) for _, f, place, value in places]
    )
    points = tuple(
        Point(
            variant.id,
            marked_name(variant),
            place,
            value,
            found.interval,
            "baseline" if variant.is_baseline else "front" if on_front else "dominated",
            on_front,
        )
        for (variant, found, place, value), on_front in zip(places, flags, strict=True)
    )
    front = sorted((point for point in points if point.on_front), key=lambda point: point.cost)
    drawn = _thinned(points, selected_id)
    return TradeoffInfo(
        cost,
        study_metric(variants),
        drawn,
        tuple(front),
        tuple(missing),
        selected_id,
        len(points) - len(drawn),
    )


def _thinned(points: tuple[Point, ...], selected_id: str | None) -> tuple[Point, ...]:
    """All that matter, and of the others at most so many, spread over the costs."""
    if len(points) <= _MOST:
        return points
    others = [p for p in points if p.group == "dominated" and p.variant_id != selected_id]
    others.sort(key=lambda point: (point.cost, point.variant_id))
    taken = {point.variant_id for point in others[:: -(-len(others) // _MOST)]}
    left = {point.variant_id for point in others} - taken
    return tuple(point for point in points if point.variant_id not in left)


def _cost(found: Measured, cost: Cost) -> float | None:
    """Bytes, MACs, or p50 in ms; ``None`` when not measured."""
    if cost == "latency":
        return found.latency.p50_ms if found.latency else None
    size: int | None = getattr(found, cost)
    return float(size) if size else None


def tradeoff_figure(info: TradeoffInfo) -> go.Figure:
    """Draw it: metric up, cost to the right; the front as a step line."""
    share = 100.0 if is_share(info.metric) else 1.0
    traces = []
    for group in _GROUPS:
        if group == "front":
            traces.append(_front(info, share))
        points = [point for point in info.points if point.group == group]
        if points:
            traces.append(_points(info, points, group, share))
    traces += _selected(info, share)
    show = {"latency": format_ms, "macs": format_count}.get(info.cost, byte_tick)
    return styled(
        traces,
        x_title=COST_TITLES[info.cost],
        y_title=metric_column(info.metric),
        height=430,
        x_axis=log_axis([point.cost for point in info.points], show),
        shapes=_baseline_lines(info, share),
        annotations=_names(info, share),
    )


def _front(info: TradeoffInfo, share: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": [point.cost for point in info.front],
        "y": [share * point.value for point in info.front],
        "mode": "lines",
        "line": {"shape": "hv", "color": BLUE, "width": 2},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _points(
    info: TradeoffInfo, points: Sequence[Point], group: Group, share: float
) -> dict[str, Any]:
    label, color, symbol = _GROUPS[group]
    crowded = len(info.points) > _CROWDED
    quiet = crowded and group == "dominated"
    return {
        "type": "scattergl" if quiet and len(points) > _MANY else "scatter",
        "x": np.array([point.cost for point in points]),
        "y": np.array([share * point.value for point in points]),
        "error_y": {} if quiet else _error_bars(points, share),
        "mode": "markers",
        "name": label,
        "opacity": 0.6 if quiet else 1,
        "marker": {
            "size": 8 if quiet else 12,
            "color": color,
            "symbol": symbol,
            "line": {"width": 1.5 if quiet else 2, "color": color},
        },
        "customdata": [point.variant_id for point in points],
        "text": [_hover(info, point) for point in points],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _error_bars(points: Sequence[Point], share: float) -> dict[str, object]:
    bounds = [point.interval or (point.value, point.value) for point in points]
    return {
        "type": "data",
        "symmetric": False,
        "array": [
            share * (high - point.value) for point, (_, high) in zip(points, bounds, strict=True)
        ],
        "arrayminus": [
            share * (point.value - low) for point, (low, _) in zip(points, bounds, strict=True)
        ],
        "thickness": 1,
        "width": 3,
        "color": "rgba(128,128,128,0.5)",
    }


def _show(cost: Cost, value: float) -> str:
    if cost == "latency":
        return format_ms(value)
    return f"{format_count(value)} MACs" if cost == "macs" else format_bytes(value)


def _hover(info: TradeoffInfo, point: Point) -> str:
    text = (
        f"<b>{point.name}</b><br>{_show(info.cost, point.cost)}<br>"
        f"{metric_title(info.metric)} {format_metric(info.metric, point.value)}"
    )
    if point.interval:
        low, high = (format_metric(info.metric, end) for end in point.interval)
        text += f"<br>95 % interval {low} to {high}"
    return text


def _selected(info: TradeoffInfo, share: float) -> list[dict[str, Any]]:
    """A ring around the chosen point."""
    return [
        {
            "type": "scatter",
            "x": [point.cost],
            "y": [share * point.value],
            "mode": "markers",
            "name": "Selected",
            "marker": {
                "size": 22,
                "symbol": "circle-open",
                "color": ORANGE,
                "line": {"width": 3, "color": ORANGE},
            },
            "hoverinfo": "skip",
        }
        for point in info.points
        if point.variant_id == info.selected_id
    ]


def _baseline_lines(info: TradeoffInfo, share: float) -> list[dict[str, Any]]:
    return [
        reference_line(axis, value)
        for point in info.points
        if point.group == "baseline"
        for axis, value in (("x", point.cost), ("y", share * point.value))
    ]


def _names(info: TradeoffInfo, share: float) -> list[dict[str, Any]]:
    """The names beside the points, when there are few enough to be read."""
    if len(info.points) > _NAMED:
        return []
    ordered = sorted(info.points, key=lambda point: point.cost)
    return [
        {
            "x": math.log10(point.cost),
            "y": share * point.value,
            "text": point.name,
            "showarrow": False,
            "xanchor": "left" if (right := index < len(ordered) / 2) else "right",
            "xshift": 12 if right else -12,
            "yshift": 10 if index % 2 else -10,
            "font": {"size": 11},
        }
        for index, point in enumerate(ordered)
    ]
