"""One measure over all variants, and class balance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from optimizer.charts.style import BLUE, GREY, ORANGE, SKY, styled
from optimizer.format import METRIC_TITLES, format_bytes, format_metric, format_ms
from optimizer.store.records import Variant


@dataclass(frozen=True)
class Measure:
    """A measure that bars can show.

    Attributes:
        title: with its unit, as an axis title.
        read: a finished variant's results → the value, or ``None`` when not measured.
        show: the value in words.
    """

    title: str
    read: Callable[[dict], float | None]
    show: Callable[[float], str]


@dataclass(frozen=True)
class BarsInfo:
    """What a bar chart of variants shows, in the order drawn."""

    title: str
    variant_ids: tuple[str, ...]
    names: tuple[str, ...]
    values: tuple[float, ...]
    labels: tuple[str, ...]
    baseline_id: str | None
    selected_id: str | None


def measures(metric: str) -> dict[str, Measure]:
    """The measures of a study, by a short name."""
    share = 100.0 if metric == "accuracy" else 1.0
    unit = " (%)" if metric == "accuracy" else ""

    def value(results: dict) -> float:
        return share * float(results["metrics"][metric])

    def agreement(results: dict) -> float | None:
        return None if results["agreement"] is None else 100 * float(results["agreement"])

    return {
        "size": Measure(".tflite as it ships (kB)", _kilobytes("size_bytes"), _show_kilobytes),
        "gzip": Measure(".tflite, gzip-compressed (kB)", _kilobytes("gzip_bytes"), _show_kilobytes),
        "metric": Measure(
            METRIC_TITLES[metric] + unit, value, lambda v: format_metric(metric, v / share)
        ),
        "latency": Measure("Latency p50 (ms)", lambda r: r["latency_ms"]["p50"], format_ms),
        "memory": Measure("Peak memory (kB)", _kilobytes("peak_memory_bytes"), _show_kilobytes),
        "agreement": Measure(
            "Same prediction as the baseline (%)", agreement, lambda v: f"{v:.2f} %"
        ),
        "sparsity": Measure(
            "Zeros among prunable weights (%)",
            lambda r: 100 * float(r["sparsity"]),
            lambda v: f"{v:.1f} %",
        ),
    }


def _kilobytes(key: str) -> Callable[[dict], float | None]:
    return lambda results: None if results[key] is None else results[key] / 1000


def _show_kilobytes(kilobytes: float) -> str:
    return format_bytes(1000 * kilobytes)


def bars_info(
    variants: Sequence[Variant], measure: Measure, selected_id: str | None = None, limit: int = 40
) -> BarsInfo:
    """The finished variants in which the measure was taken, the smallest value first."""
    rows = []
    for variant in variants:
        value = measure.read(variant.results) if variant.results else None
        if value is not None:
            rows.append((float(value), variant))
    rows.sort(key=lambda row: (row[0], row[1].name))
    rows = rows[:limit]
    return BarsInfo(
        measure.title,
        tuple(variant.id for _, variant in rows),
        tuple(variant.name for _, variant in rows),
        tuple(value for value, _ in rows),
        tuple(measure.show(value) for value, _ in rows),
        next((variant.id for _, variant in rows if variant.is_baseline), None),
        selected_id,
    )


def bars_figure(info: BarsInfo) -> go.Figure:
    """Draw horizontal bars; the baseline is grey, the selected variant stands out."""
    colors = [
        ORANGE
        if variant_id == info.selected_id
        else GREY
        if variant_id == info.baseline_id
        else BLUE
        for variant_id in info.variant_ids
    ]
    figure = go.Figure(
        go.Bar(
            x=list(info.values),
            y=list(info.variant_ids),
            orientation="h",
            marker_color=colors,
            text=list(info.labels),
            textposition="auto",
            customdata=list(info.variant_ids),
            hovertext=list(info.names),
            hovertemplate="<b>%{hovertext}</b><br>%{text}<extra></extra>",
        )
    )
    styled(figure, x_title=info.title, y_title="", height=90 + 34 * max(2, len(info.values)))
    names = [_shorten(name) for name in info.names]
    figure.update_yaxes(
        autorange="reversed", tickvals=list(info.variant_ids), ticktext=names, showgrid=False
    )
    return figure


def class_balance_figure(train: Sequence[int], test: Sequence[int]) -> go.Figure:
    """How many samples each class has."""
    classes = [str(index) for index in range(len(train))]
    figure = go.Figure()
    figure.add_bar(x=classes, y=list(train), name="Train", marker_color=BLUE)
    figure.add_bar(x=classes, y=list(test), name="Test", marker_color=SKY)
    styled(figure, x_title="Class", y_title="Samples", height=300)
    return figure.update_xaxes(type="category")


def _shorten(name: str, limit: int = 34) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"
