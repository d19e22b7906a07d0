"""The charts of a report, and the facts that its script needs about each variant."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optimizer.charts.tradeoff import Cost, tradeoff_figure, tradeoff_info
from optimizer.comparison import metric_column
from optimizer.format import lowered, metric_words
from optimizer.measured import marked_name, measured
from optimizer.report.conclusions import conclusion
from optimizer.report.content import Content, told_measures
from optimizer.report.words import meaning
from optimizer.store.records import Variant

_COSTS: tuple[Cost, ...] = ("gzip_bytes", "size_bytes", "latency")
_SHORT: dict[Cost, str] = {
    "gzip_bytes": "Compressed download",
    "size_bytes": "File on the device",
    "latency": "Time of one prediction",
}
_AXES: dict[Cost, str] = {
    "gzip_bytes": "Download (compressed)",
    "size_bytes": "File on the device",
    "latency": "Time of one prediction (median)",
}
_CARD = ("gzip", "size", "metric", "agreement", "latency")
_CHOICE = "Our choice"


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        figure: Plotly's JSON.
        alt: what it shows, for those who cannot see it.
    """

    key: str
    title: str
    caption: str
    figure: dict[str, Any]
    alt: str


def charts(content: Content) -> list[Chart]:
    """The trade-offs that were measured: sizes and latency against the metric."""
    return list(_charts(content))


def _charts(content: Content) -> Iterator[Chart]:
    # Plotly reads some HTML in texts, so names are escaped before it sees them.
    variants = [_escaped(variant) for variant in content.source.variants]
    found = measured(content.choice)
    better = "up" if found is None or found.higher_is_better else "down"
    for cost in _COSTS:
        info = tradeoff_info(variants, cost, content.choice.id)
        if len(info.points) < 2:
            continue
        figure = json.loads(tradeoff_figure(info).to_json())
        figure["layout"]["xaxis"]["title"]["text"] = _AXES[cost]
        for trace in figure["data"]:
            if trace.get("name") == "Selected":
                trace["name"] = _CHOICE
            if trace["type"] == "scattergl":  # WebGL needs code that the page's policy forbids
                trace["type"] = "scatter"
        figure["layout"].pop("template", None)
        names = ", ".join(
            marked_name(content.source.variant(point.variant_id)) for point in info.front
        )
        yield Chart(
            cost,
            f"{_SHORT[cost]} against {metric_words(info.metric)}",
            f"Further left is better, further {better} is better. {conclusion(content, info)}",
            figure,
            f"{_AXES[cost]} against {metric_column(info.metric)} for {len(info.points)} "
            f"variants. On the Pareto front: {names}. The table below has the figures.",
        )


def _escaped(variant: Variant) -> Variant:
    return replace(variant, name=html.escape(variant.name))


def facts(content: Content) -> dict[str, Any]:
    """What the page's script knows: the variants, and which one is chosen.

    ``loss`` is what a variant lost of the metric against the baseline, in points for shares;
    ``null`` where it was not measured.
    """
    base = measured(content.source.baseline)
    shown = content.table
    variants = []
    for place, variant in enumerate(shown.variants):
        found = measured(variant)
        assert found is not None
        value = float(shown.values["metric"][place]) if "metric" in shown.measures else math.nan
        reference = _reference(content)
        loss = None
        if not math.isnan(value) and reference is not None:
            loss = reference - value if found.higher_is_better else value - reference
        variants.append(
            {
                "id": variant.id,
                "name": shown.names[place],
                "plain": meaning(variant, content.source.layers_of(variant)),
                "bytes": found.gzip_bytes,
                "loss": None if loss is None else round(loss, 9),
                "broken": bool(found.broken),
                "figures": _figures(content, place),
            }
        )
    metric = shown.measures.get("metric")
    return {
        "choice": content.choice.id,
        "unit": "points" if metric and metric.unit == "%" else "",
        "metric": f"the {lowered(metric.label)}" if metric else "",
        "lower": bool(base and not base.higher_is_better),
        "variants": variants,
    }


def _reference(content: Content) -> float | None:
    table = content.table
    if table.baseline is None or "metric" not in table.measures:
        return None
    value = float(table.values["metric"][table.baseline])
    return None if math.isnan(value) else value


def _figures(content: Content, place: int) -> Sequence[tuple[str, str]]:
    """The measures of a variant in words, for the card beside the charts."""
    table = content.table
    rows = []
    for key, measure in told_measures(table).items():
        if key in _CARD and not math.isnan(float(table.values[key][place])):
            rows.append((measure.name, measure.show(float(table.values[key][place]))))
    return rows
