"""Figures of the lesson on structured and unstructured sparsity."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from optimizer.charts.style import BLUE, FAINT, SKY, styled
from optimizer.lessons.structured_sparsity import Speed


def speed_figure(speeds: Sequence[Speed]) -> go.Figure:
    """Draw latency and multiply-accumulates, each divided by the baseline's.

    Args:
        speeds: of the files to compare.
    """
    labels = [speed.label for speed in speeds]
    bars = [
        {
            "type": "bar",
            "x": labels,
            "y": [speed.ratio for speed in speeds],
            "name": "Latency / baseline",
            "marker": {"color": BLUE},
            "text": [f"{speed.ratio:.2f}" for speed in speeds],
            "textposition": "auto",
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": [speed.interval[1] - speed.ratio for speed in speeds],
                "arrayminus": [speed.ratio - speed.interval[0] for speed in speeds],
            },
            "hovertemplate": "%{x}: latency %{y:.3f} times<extra></extra>",
        },
        {
            "type": "bar",
            "x": labels,
            "y": [speed.macs for speed in speeds],
            "name": "Multiply-accumulates / baseline, those with zeros included",
            "marker": {"color": SKY},
            "text": [f"{speed.macs:.2f}" for speed in speeds],
            "textposition": "auto",
            "hovertemplate": "%{x}: multiply-accumulates %{y:.3f} times<extra></extra>",
        },
    ]
    line = {
        "type": "line",
        "x0": 0,
        "x1": 1,
        "xref": "paper",
        "y0": 1,
        "y1": 1,
        "line": {"color": FAINT, "width": 2, "dash": "dot"},
    }
    return styled(
        bars,
        x_title="",
        y_title="Share of the baseline",
        height=340,
        barmode="group",
        y_axis={"range": [0, 1.15]},
        shapes=[line],
        margin={"l": 8, "r": 12, "t": 64, "b": 8},
    )
