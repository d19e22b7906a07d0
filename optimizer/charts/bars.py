"""One measure over all variants, and class balance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from optimizer.charts.style import BLUE, GREY, ORANGE, SKY, styled
from optimizer.comparison import metric_column
from optimizer.data.objective import LOWER_IS_BETTER
from optimizer.format import format_bytes, format_count, format_metric, format_ms, is_share
from optimizer.measured import Measured, marked_name, measured
from optimizer.store.records import Variant


@dataclass(frozen=True)
class Measure:
    """A measure that bars can show.

    Attributes:
        label: a word or two for a button.
        title: with its unit, as an axis title.
        read: a variant's measurements → the value, or ``None`` when not measured.
        show: the value in words.
        larger_is_better: which end is good.
    """

    label: str
    title: str
    read: Callable[[Measured], float | None]
    show: Callable[[float], str]
    larger_is_better: bool = False


@dataclass(frozen=True)
class BarsInfo:
    """What a bar chart of variants shows, the best first.

    Attributes:
        left_out: how many variants are not shown, because there are too many.
    """

    title: str
    variant_ids: tuple[str, ...]
    names: tuple[str, ...]
    values: tuple[float, ...]
    labels: tuple[str, ...]
    baseline_id: str | None
    selected_id: str | None
    left_out: int = 0


def measures(variants: Sequence[Variant], metric: str) -> dict[str, Measure]:
    """The measures that were taken in a study, by a short name."""
    share = 100.0 if is_share(metric) else 1.0
    known = {
        "size": Measure("Size", ".tflite as it ships (kB)", _kilobytes("size_bytes"), _show_kb),
        "gzip": Measure(
            "gzip size", ".tflite, gzip-compressed (kB)", _kilobytes("gzip_bytes"), _show_kb
        ),
        "metric": Measure(
            metric_column(metric).split(" (")[0],
            metric_column(metric),
            lambda m: None if m.value is None else share * m.value,
            lambda value: format_metric(metric, value / share),
            larger_is_better=metric not in LOWER_IS_BETTER,
        ),
        "latency": Measure(
            "Latency",
            "Latency p50 (ms)",
            lambda m: m.latency.p50_ms if m.latency else None,
            format_ms,
        ),
        "macs": Measure(
            "MACs",
            "Multiply-accumulates of one inference",
            lambda m: None if m.macs is None else float(m.macs),
            format_count,
        ),
        "memory": Measure("Memory", "Peak memory (kB)", _kilobytes("peak_memory_bytes"), _show_kb),
        "agreement": Measure(
            "Agreement",
            "Same prediction as the baseline (%)",
            lambda m: None if m.agreement is None else 100 * m.agreement,
            lambda value: f"{value:.2f} %",
            larger_is_better=True,
        ),
        "sparsity": Measure(
            "Zeros",
            "Zeros among prunable weights (%)",
            lambda m: None if m.sparsity is None else 100 * m.sparsity,
            lambda value: f"{value:.1f} %",
            larger_is_better=True,
        ),
    }
    taken = [found for variant in variants if (found := measured(variant))]
    return {
        name: measure
        for name, measure in known.items()
        if any(measure.read(found) is not None for found in taken)
    }


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
        measure.title,
        tuple(variant.id for _, variant in shown),
        tuple(marked_name(variant) for _, variant in shown),
        tuple(value for value, _ in shown),
        tuple(measure.show(value) for value, _ in shown),
        next((variant.id for _, variant in shown if variant.is_baseline), None),
        selected_id,
        len(rows) - len(shown),
    )


def bars_figure(info: BarsInfo) -> go.Figure:
    """Draw horizontal bars, each under its name; baseline and selected say so in words too."""
    groups = (("Variant", BLUE), ("Baseline", GREY), ("Selected", ORANGE))
    bars = [_bars(info, group, color) for group, color in groups]
    return styled(
        [bar for bar in bars if bar["x"]],
        x_title=info.title,
        y_title="",
        height=90 + 44 * len(info.values),
        x_axis={"rangemode": "tozero"},
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


def _kilobytes(key: str) -> Callable[[Measured], float | None]:
    def read(found: Measured) -> float | None:
        size: int | None = getattr(found, key)
        return None if size is None else size / 1000

    return read


def _show_kb(kilobytes: float) -> str:
    return format_bytes(1000 * kilobytes)
