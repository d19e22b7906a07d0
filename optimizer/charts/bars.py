"""One measure over all variants, and class balance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from optimizer.charts.axes import axis_title, linear_ticks, tick_text, unit_in_ticks
from optimizer.charts.style import BLUE, GREY, ORANGE, SKY, styled
from optimizer.measured import marked_name, measured
from optimizer.measures import Measure
from optimizer.store.records import Variant


@dataclass(frozen=True)
class BarsInfo:
    """What a bar chart of variants shows, the best first.

    Attributes:
        left_out: how many variants are not shown, because there are too many.
        ticks: of the axis, each with its text, where texts have units; else Plotly's.
    """

    title: str
    variant_ids: tuple[str, ...]
    names: tuple[str, ...]
    values: tuple[float, ...]
    labels: tuple[str, ...]
    baseline_id: str | None
    selected_id: str | None
    left_out: int = 0
    ticks: tuple[tuple[float, str], ...] = ()


def bars_info(
    variants: Sequence[Variant], measure: Measure, selected_id: str | None = None, limit: int = 24
) -> BarsInfo:
    """The variants in which the measure was taken, the best value first.

    With more than ``limit`` of them, the best are shown, and the baseline and the selected
    one wherever they stand.
    """
    rows = [
        (float(value), variant)
        for variant in variants
        if (found := measured(variant)) and (value := measure.read(found)) is not None
    ]
    sign = -1 if measure.larger_is_better else 1
    rows.sort(key=lambda row: (sign * row[0], row[1].name))
    shown = [
        row
        for index, row in enumerate(rows)
        if index < limit or row[1].is_baseline or row[1].id == selected_id
    ]
    return BarsInfo(
        axis_title(measure),
        tuple(variant.id for _, variant in shown),
        tuple(marked_name(variant) for _, variant in shown),
        tuple(value for value, _ in shown),
        tuple(measure.show(value) for value, _ in shown),
        next((variant.id for _, variant in shown if variant.is_baseline), None),
        selected_id,
        len(rows) - len(shown),
        _ticks(measure, [value for value, _ in shown]),
    )


def _ticks(measure: Measure, values: Sequence[float]) -> tuple[tuple[float, str], ...]:
    if not (unit_in_ticks(measure) and values):
        return ()
    show = tick_text(measure)
    return tuple((tick, show(tick) if tick else "0") for tick in linear_ticks(0.0, max(values)))


def bars_figure(info: BarsInfo) -> go.Figure:
    """Draw horizontal bars, each under its name; baseline and selected say so in words too."""
    groups = (("Variant", BLUE), ("Baseline", GREY), ("Selected", ORANGE))
    bars = [_bars(info, group, color) for group, color in groups]
    ticks = {"tickvals": [at for at, _ in info.ticks], "ticktext": [text for _, text in info.ticks]}
    return styled(
        [bar for bar in bars if bar["x"]],
        x_title=info.title,
        y_title="",
        height=90 + 44 * len(info.values),
        x_axis={"rangemode": "tozero", **(ticks if info.ticks else {})},
        y_axis={
            "type": "category",  # else ids that look like numbers make the axis linear
            "categoryorder": "array",
            "categoryarray": list(info.variant_ids),
            "autorange": "reversed",
            "showticklabels": False,
            "showgrid": False,
        },
        bargap=0.55,
        showlegend=False,
        barmode="overlay",
        annotations=[_name(info, index) for index in range(len(info.names))],
    )


def class_balance_figure(
    train: Sequence[int], test: Sequence[int], names: Sequence[str] = ()
) -> go.Figure:
    """How many samples each class has; classes are numbered where they have no names."""
    classes = list(names) or [str(index) for index in range(len(train))]
    sets = (("Train", train, BLUE), ("Test", test, SKY))
    bars = [
        {"type": "bar", "x": classes, "y": list(counts), "name": name, "marker": {"color": color}}
        for name, counts, color in sets
    ]
    return styled(bars, x_title="Class", y_title="Samples", height=300, x_axis={"type": "category"})


def _bars(info: BarsInfo, group: str, color: str) -> dict[str, Any]:
    """The bars of one group, as a trace."""
    chosen = [index for index, _ in enumerate(info.values) if _group(info, index) == group]
    return {
        "type": "bar",
        "x": [info.values[index] for index in chosen],
        "y": [info.variant_ids[index] for index in chosen],
        "orientation": "h",
        "name": group,
        "marker": {"color": color},
        "customdata": [info.variant_ids[index] for index in chosen],
        "text": [info.labels[index] for index in chosen],
        "textposition": "auto",
        "hovertext": [info.names[index] for index in chosen],
        "hovertemplate": "<b>%{hovertext}</b><br>%{text}<extra></extra>",
    }


def _group(info: BarsInfo, index: int) -> str:
    variant_id = info.variant_ids[index]
    if variant_id == info.selected_id:
        return "Selected"
    return "Baseline" if variant_id == info.baseline_id else "Variant"


def _name(info: BarsInfo, index: int) -> dict[str, object]:
    """A bar's name above it, as a Plotly annotation."""
    name, group = info.names[index], _group(info, index).lower()
    marked = group != "variant" and group not in name
    return {
        "x": 0,
        "y": info.variant_ids[index],
        "text": f"{name} ({group})" if marked else name,
        "showarrow": False,
        "xanchor": "left",
        "yshift": 19,
        "font": {"size": 12},
    }
