"""Figures of the lesson on sparsity schedules."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from optimizer.charts.lessons_frame import predicted_point
from optimizer.charts.style import AMBER, BLUE, FAINT, styled
from optimizer.charts.weights import schedule_points
from optimizer.schedules import Schedule


def curve_figure(
    schedule: Schedule, fraction: float, prediction: tuple[float, float] | None = None
) -> go.Figure:
    """Draw a schedule, where on it we are, and what was predicted.

    Args:
        schedule: the schedule.
        fraction: share of the fine-tuning done, 0 to 1.
        prediction: (share of the fine-tuning, sparsity), each 0 to 1.
    """
    points = schedule_points(schedule)
    asked = 100 * schedule.sparsity_at(fraction)
    traces = [
        {
            "type": "scatter",
            "x": [x for x, _ in points],
            "y": [y for _, y in points],
            "mode": "lines",
            "name": "Schedule",
            "line": {"color": BLUE, "width": 3},
            "fill": "tozeroy",
            "fillcolor": "rgba(0,114,178,0.12)",
            "hovertemplate": "%{x:.0f} % of training: %{y:.1f} %<extra></extra>",
        },
        {
            "type": "scatter",
            "x": [100 * fraction],
            "y": [asked],
            "mode": "markers",
            "name": "Now",
            "marker": {"color": AMBER, "size": 14, "line": {"width": 2, "color": BLUE}},
            "hovertemplate": "Now: %{y:.1f} % zeros<extra></extra>",
        },
    ]
    if prediction is not None:
        traces.append(predicted_point(100 * prediction[0], 100 * prediction[1], "%"))
    return styled(
        traces,
        x_title="Fine-tuning done (%)",
        y_title="Sparsity (%)",
        height=320,
        x_axis={"range": [0, 100.5]},
        y_axis={"range": [0, 102]},
    )


def mask_figure(kernel: np.ndarray, mask: np.ndarray) -> go.Figure:
    """Draw a kernel as a map: colours are kept weights, gaps are zeros.

    Args:
        kernel: float, shape (output channels, weights of each).
        mask: which are kept: bool, the same shape.
    """
    limit = float(np.abs(kernel).max())
    shown = np.where(mask, kernel, np.nan)
    heat = {
        "type": "heatmap",
        "z": shown,
        "zmin": -limit,
        "zmax": limit,
        "colorscale": [[0.0, BLUE], [0.5, "#E8E8E8"], [1.0, "#D55E00"]],
        "colorbar": {"title": {"text": "Weight"}, "thickness": 12},
        "hovertemplate": "Channel %{y}, weight %{x}: %{z:.3f}<extra></extra>",
        "hoverongaps": False,
    }
    return styled(
        [heat],
        x_title="Weight of the channel",
        y_title="Output channel",
        height=320,
        x_axis={"showgrid": False},
        y_axis={"showgrid": False, "autorange": "reversed"},
        plot_bgcolor=FAINT.replace("0.7", "0.28"),
    )
