"""Inside a recipe and inside a layer: schedules and weight histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from optimizer.charts.style import BLUE, GREEN, ORANGE, styled
from optimizer.measure.histogram import WeightHistogram
from optimizer.schedules import Schedule

_STEPS = 200
_STRIP = 0.07
"""Height of a strip of marks below a histogram, as a share of the figure's."""


def schedule_points(schedule: Schedule) -> list[tuple[float, float]]:
    """Share of fine-tuning done (%) and the sparsity asked for there (%)."""
    return [
        (100 * step / _STEPS, 100 * schedule.sparsity_at(step / _STEPS))
        for step in range(_STEPS + 1)
    ]


def schedule_figure(schedule: Schedule, epochs: int, what: str = "Sparsity") -> go.Figure:
    """Draw how sparsity, or the share of ``what`` is removed, rises during fine-tuning."""
    points = schedule_points(schedule)
    curve = {
        "type": "scatter",
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "mode": "lines",
        "line": {"color": BLUE, "width": 3},
        "fill": "tozeroy",
        "fillcolor": "rgba(0,114,178,0.12)",
        "hovertemplate": "%{x:.0f} % of training: %{y:.1f} %<extra></extra>",
    }
    plural = "epoch" if epochs == 1 else "epochs"
    return styled(
        [curve],
        x_title=f"Fine-tuning done (% of {epochs} {plural})",
        y_title=f"{what} (%)",
        height=260,
        x_axis={"range": [0, 100]},
        y_axis={"range": [0, 102]},
    )


@dataclass(frozen=True)
class Strip:
    """Values marked one by one below a histogram, such as centroids."""

    name: str
    values: tuple[float, ...]


def histogram_figure(histogram: WeightHistogram, strips: Sequence[Strip] = ()) -> go.Figure:
    """Draw a layer's weights before and after over shared bins; zeros are counted apart.

    Args:
        histogram: what is drawn.
        strips: at most two, each on a line of its own below the bars.
    """
    traces = _bars(histogram)
    axes: dict[str, Any] = {}
    for number, (strip, color) in enumerate(zip(strips, (ORANGE, GREEN), strict=False), 2):
        top = _STRIP * (len(strips) + 2 - number)
        traces.append(_marks(strip, color, f"y{number}"))
        axes[f"yaxis{number}"] = {
            "domain": [top - _STRIP, top - 0.015],
            "visible": False,
            "range": [-1, 1],
            "fixedrange": True,
        }
    return styled(
        traces,
        x_title="Weight (dequantized)",
        y_title="Weights (zeros apart)",
        height=340 + 30 * len(strips),
        x_axis={"anchor": f"y{len(strips) + 1}" if strips else "y"},
        y_axis={"domain": [_STRIP * len(strips) + (0.02 if strips else 0), 1]},
        barmode="overlay",
        bargap=0,
        **axes,
    )


def _bars(histogram: WeightHistogram) -> list[dict[str, Any]]:
    edges = histogram.edges
    centers = [(low + high) / 2 for low, high in pairwise(edges)]
    return [
        {
            "type": "bar",
            "x": centers,
            "y": list(counts),
            "width": edges[1] - edges[0],
            "name": name,
            "marker": {"color": fill, "line": {"width": 1.5, "color": line}},
            "hovertemplate": "%{y} weights near %{x:.4f}<extra>" + name + "</extra>",
        }
        for counts, name, fill, line in (
            (histogram.before, "Baseline", "rgba(128,134,142,0.55)", "rgba(128,134,142,0)"),
            (histogram.after, "This variant", "rgba(213,94,0,0.35)", ORANGE),
        )
    ]


def _marks(strip: Strip, color: str, axis: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": list(strip.values),
        "y": [0] * len(strip.values),
        "yaxis": axis,
        "mode": "markers",
        "name": strip.name,
        "marker": {"symbol": "line-ns", "size": 12, "line": {"width": 1.5, "color": color}},
        "hovertemplate": "%{x:.5f}<extra>" + strip.name + "</extra>",
    }


def histogram_table(histogram: WeightHistogram) -> pd.DataFrame:
    """The same counts as rows, with the zeros first."""
    return pd.DataFrame(
        {
            "From": [0.0, *histogram.edges[:-1]],
            "To": [0.0, *histogram.edges[1:]],
            "Baseline": [histogram.before_zeros, *histogram.before],
            "This variant": [histogram.after_zeros, *histogram.after],
        }
    )
