"""What a smaller or faster model costs: size or latency against accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from optimizer.charts.style import AMBER, BLUE, GREY, ORANGE, styled
from optimizer.format import METRIC_TITLES, format_bytes, format_metric, format_ms
from optimizer.pareto import pareto_front
from optimizer.store.records import Variant

Cost = Literal["size_bytes", "gzip_bytes", "parameter_bytes", "latency"]

COST_TITLES: dict[Cost, str] = {
    "size_bytes": "Size of the .tflite",
    "gzip_bytes": "Size of the .tflite, gzip-compressed",
    "parameter_bytes": "Size of the parameters",
    "latency": "Latency p50",
}
_GROUPS = {
    "baseline": ("Float32 baseline", GREY, "square"),
    "front": ("On the Pareto front", BLUE, "circle"),
    "dominated": ("Beaten by another variant", AMBER, "x-thin-open"),
}


@dataclass(frozen=True)
class Point:
    """One variant in a trade-off chart.

    Attributes:
        cost: bytes or ms.
        value: the task's metric.
        interval: 95 % interval of the metric.
        group: ``baseline``, ``front`` or ``dominated``.
    """

    variant_id: str
    name: str
    cost: float
    value: float
    interval: tuple[float, float]
    group: Literal["baseline", "front", "dominated"]
    on_front: bool


@dataclass(frozen=True)
class TradeoffInfo:
    """What a trade-off chart shows."""

    cost: Cost
    metric: str
    points: tuple[Point, ...]
    front: tuple[Point, ...]
    selected_id: str | None


def cost_of(variant: Variant, cost: Cost) -> float:
    """A finished variant's cost: bytes, or p50 in ms."""
    assert variant.results is not None
    if cost == "latency":
        return float(variant.results["latency_ms"]["p50"])
    return float(variant.results[cost])


def tradeoff_info(
    variants: Sequence[Variant], cost: Cost, selected_id: str | None = None
) -> TradeoffInfo:
    """Place the finished variants; the front is over cost and metric."""
    done = [variant for variant in variants if variant.results]
    if not done:
        return TradeoffInfo(cost, "accuracy", (), (), selected_id)
    metric = str((done[0].results or {})["metric"])
    sign = -1.0 if (done[0].results or {})["higher_is_better"] else 1.0
    places = [(cost_of(v, cost), float((v.results or {})["metrics"][metric])) for v in done]
    flags = pareto_front([(place, sign * value) for place, value in places])
    points = []
    for variant, (place, value), on_front in zip(done, places, flags, strict=True):
        low, high = (variant.results or {})["metric_interval"]
        group: Literal["baseline", "front", "dominated"] = "front" if on_front else "dominated"
        if variant.is_baseline:
            group = "baseline"
        points.append(Point(variant.id, variant.name, place, value, (low, high), group, on_front))
    front = sorted((point for point in points if point.on_front), key=lambda point: point.cost)
    return TradeoffInfo(cost, metric, tuple(points), tuple(front), selected_id)


def tradeoff_figure(info: TradeoffInfo) -> go.Figure:
    """Draw it: metric up, cost to the right; the front as a step line."""
    figure = go.Figure()
    share = 100.0 if info.metric == "accuracy" else 1.0
    if info.front:
        figure.add_scatter(
            x=[point.cost for point in info.front],
            y=[share * point.value for point in info.front],
            mode="lines",
            line={"shape": "hv", "color": BLUE, "width": 1.5, "dash": "dot"},
            hoverinfo="skip",
            showlegend=False,
        )
    for group, (label, color, symbol) in _GROUPS.items():
        points = [point for point in info.points if point.group == group]
        if points:
            _add_points(figure, info, points, label, color, symbol, share)
    _mark_selected(figure, info, share)
    _name_points(figure, info, share)
    title = METRIC_TITLES[info.metric] + (" (%)" if info.metric == "accuracy" else "")
    unit = "" if info.cost != "latency" else " (ms)"
    styled(figure, x_title=COST_TITLES[info.cost] + unit, y_title=title, height=420)
    _cost_axis(figure, [point.cost for point in info.points], info.cost)
    return figure


def _add_points(
    figure: go.Figure,
    info: TradeoffInfo,
    points: Sequence[Point],
    label: str,
    color: str,
    symbol: str,
    share: float,
) -> None:
    show = format_ms if info.cost == "latency" else format_bytes
    figure.add_scatter(
        x=[point.cost for point in points],
        y=[share * point.value for point in points],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [share * (point.interval[1] - point.value) for point in points],
            "arrayminus": [share * (point.value - point.interval[0]) for point in points],
            "thickness": 1,
            "width": 3,
            "color": "rgba(128,128,128,0.45)",
        },
        mode="markers",
        name=label,
        marker={
            "size": 12,
            "color": color,
            "symbol": symbol,
            "line": {"width": 2, "color": color},
        },
        customdata=[point.variant_id for point in points],
        text=[
            f"<b>{point.name}</b><br>{show(point.cost)}<br>"
            f"{METRIC_TITLES[info.metric]} {format_metric(info.metric, point.value)} "
            f"(95 % interval {format_metric(info.metric, point.interval[0])} to "
            f"{format_metric(info.metric, point.interval[1])})"
            for point in points
        ],
        hovertemplate="%{text}<extra></extra>",
    )


def _mark_selected(figure: go.Figure, info: TradeoffInfo, share: float) -> None:
    for point in info.points:
        if point.variant_id == info.selected_id:
            figure.add_scatter(
                x=[point.cost],
                y=[share * point.value],
                mode="markers",
                name=f"Selected: {point.name}",
                marker={
                    "size": 22,
                    "symbol": "circle-open",
                    "color": ORANGE,
                    "line": {"width": 3, "color": ORANGE},
                },
                hoverinfo="skip",
            )


def _name_points(figure: go.Figure, info: TradeoffInfo, share: float) -> None:
    """Write the names beside the points, when there are few enough to be read."""
    if len(info.points) > 6:
        return
    ordered = sorted(info.points, key=lambda point: point.cost)
    for index, point in enumerate(ordered):
        right = index < len(ordered) / 2
        figure.add_annotation(
            x=math.log10(point.cost),
            y=share * point.value,
            text=point.name,
            showarrow=False,
            xanchor="left" if right else "right",
            xshift=12 if right else -12,
            yshift=10 if index % 2 else -10,
            font={"size": 11},
        )


def _cost_axis(figure: go.Figure, costs: Sequence[float], cost: Cost) -> None:
    """A logarithmic axis with ticks at 1, 2 and 5, written with their units."""
    if not costs:
        return
    low, high = min(costs) / 1.6, max(costs) * 1.6
    ticks = [
        digit * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for digit in (1, 2, 5)
        if low <= digit * 10.0**power <= high
    ]
    show = (lambda value: f"{value:g}") if cost == "latency" else _byte_tick
    figure.update_xaxes(
        type="log",
        range=[math.log10(low), math.log10(high)],
        tickvals=ticks,
        ticktext=[show(tick) for tick in ticks],
    )


def _byte_tick(size_bytes: float) -> str:
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= factor:
            return f"{size_bytes / factor:g} {unit}"
    return f"{size_bytes:g} B"
