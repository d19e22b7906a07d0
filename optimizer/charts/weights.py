"""Inside a recipe and inside a layer: schedules and weight histograms."""

from __future__ import annotations

from itertools import pairwise

import plotly.graph_objects as go

from optimizer.charts.style import BLUE, GREY, ORANGE, styled
from optimizer.measure.histogram import WeightHistogram
from optimizer.recipe import ConstantSchedule, PolynomialSchedule

_STEPS = 200


def schedule_points(schedule: ConstantSchedule | PolynomialSchedule) -> list[tuple[float, float]]:
    """Share of fine-tuning done (%) and the sparsity asked for there (%)."""
    return [
        (100 * step / _STEPS, 100 * schedule.sparsity_at(step / _STEPS))
        for step in range(_STEPS + 1)
    ]


def schedule_figure(schedule: ConstantSchedule | PolynomialSchedule, epochs: int) -> go.Figure:
    """Draw how sparsity rises during fine-tuning."""
    points = schedule_points(schedule)
    figure = go.Figure(
        go.Scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            mode="lines",
            line={"color": BLUE, "width": 3},
            fill="tozeroy",
            fillcolor="rgba(0,114,178,0.12)",
            hovertemplate="%{x:.0f} % of training: %{y:.1f} % zeros<extra></extra>",
        )
    )
    plural = "epoch" if epochs == 1 else "epochs"
    styled(
        figure,
        x_title=f"Fine-tuning done (% of {epochs} {plural})",
        y_title="Sparsity (%)",
        height=260,
    )
    figure.update_yaxes(range=[0, 102])
    return figure.update_xaxes(range=[0, 100])


def histogram_figure(histogram: WeightHistogram) -> go.Figure:
    """Draw a layer's weights before and after over shared bins; zeros are counted apart."""
    edges = histogram.edges
    centers = [(low + high) / 2 for low, high in pairwise(edges)]
    width = edges[1] - edges[0]
    figure = go.Figure()
    for counts, name, color in (
        (histogram.before, "Baseline", GREY),
        (histogram.after, "This variant", ORANGE),
    ):
        figure.add_bar(
            x=centers,
            y=list(counts),
            width=width,
            name=name,
            marker={"color": color, "opacity": 0.65, "line": {"width": 0}},
            hovertemplate="%{y} weights near %{x:.4f}<extra>" + name + "</extra>",
        )
    styled(figure, x_title="Weight (dequantized)", y_title="Weights (zeros apart)", height=340)
    return figure.update_layout(barmode="overlay", bargap=0)
