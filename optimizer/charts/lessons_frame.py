"""What every lesson draws: the student's prediction beside the truth."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from optimizer.charts.style import GREEN, PINK, styled

PREDICTED, TRUE = PINK, GREEN
"""The colours of a prediction and of what turned out, in all lessons."""


def predicted_point(x: float, y: float, unit: str) -> dict[str, Any]:
    """The student's prediction as a point of a figure, as a Plotly trace.

    Args:
        x, y: where it lies.
        unit: of ``y``, for the text beside the pointer.
    """
    return {
        "type": "scatter",
        "x": [x],
        "y": [y],
        "mode": "markers",
        "name": "Your prediction",
        "marker": {"color": PREDICTED, "size": 13, "symbol": "x"},
        "hovertemplate": f"You predicted %{{y:.0f}} {unit}<extra></extra>",
    }


def prediction_figure(guess: float, truth: float, unit: str, low: float, high: float) -> go.Figure:
    """Draw a predicted figure and the true one as bars on one axis.

    Args:
        guess, truth: in ``unit``.
        unit: what the axis says.
        low, high: ends of the axis, as the slider of the prediction had them.
    """
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "x": [value],
            "y": [name],
            "name": name,
            "text": [f"{value:,.3g}"],
            "textposition": "outside",
            "marker": {"color": color},
            "hovertemplate": f"{name}: %{{x:,.4g}} {unit}<extra></extra>",
        }
        for name, value, color in (("Truth", truth, TRUE), ("Your prediction", guess, PREDICTED))
    ]
    return styled(
        bars,
        x_title=unit,
        y_title="",
        height=150,
        x_axis={"range": [min(low, truth), max(high, truth) * 1.12]},
        showlegend=False,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
    )
