"""Figures of the lesson on folding and other pitfalls."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from optimizer.charts.style import AMBER, BLUE, ORANGE, SKY, styled
from optimizer.lessons.folding_and_pitfalls import Folding, rounding_error


def ranges_figure(layer: Folding) -> go.Figure:
    """Draw the largest weight of each output channel before and after folding."""
    bars = [
        {
            "type": "bar",
            "x": list(range(kernel.shape[-1])),
            "y": np.abs(kernel).reshape(-1, kernel.shape[-1]).max(axis=0),
            "name": name,
            "marker": {"color": color},
            "hovertemplate": f"Channel %{{x}}, {name.lower()}: %{{y:.3f}}<extra></extra>",
        }
        for name, kernel, color in (
            ("Kernel", layer.kernel, SKY),
            ("Folded kernel", layer.folded_kernel, BLUE),
        )
    ]
    return styled(
        bars,
        x_title="Output channel",
        y_title="Largest weight",
        height=300,
        barmode="group",
    )


def rounding_figure(layer: Folding) -> go.Figure:
    """Draw each channel's int8 rounding error after folding, with one scale and with many."""
    traces = [
        {
            "type": "scatter",
            "x": list(range(layer.kernel.shape[-1])),
            "y": 100 * rounding_error(layer.folded_kernel, per_channel),
            "mode": "markers",
            "name": name,
            "marker": {"color": color, "symbol": symbol, "size": 9},
            "hovertemplate": f"Channel %{{x}}, {name.lower()}: %{{y:.2f}} %<extra></extra>",
        }
        for name, per_channel, color, symbol in (
            ("One scale per tensor", False, ORANGE, "x"),
            ("A scale per channel", True, AMBER, "circle"),
        )
    ]
    return styled(
        traces,
        x_title="Output channel",
        y_title="RMS error (% of largest weight)",
        height=300,
        y_axis={"rangemode": "tozero"},
    )
