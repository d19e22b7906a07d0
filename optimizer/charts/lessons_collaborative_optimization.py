"""Figures of the lesson on collaborative optimization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from optimizer.charts.style import BLUE, ORANGE, styled
from optimizer.lessons.collaborative_optimization import Kept


def kept_figure(found: Sequence[Kept]) -> go.Figure:
    """Draw what share of zeros, and how small a download, each step leaves.

    Args:
        found: files made with and without preserving.
    """
    traces: list[dict[str, Any]] = []
    for preserving, name, color in ((True, "Preserving", BLUE), (False, "Not preserving", ORANGE)):
        chosen = [item for item in found if item.preserving == preserving]
        for axis, values, unit in (
            ("", [100 * item.sparsity for item in chosen], "% zeros"),
            ("2", [item.gzip_bytes / 1000 for item in chosen], "kB after gzip"),
        ):
            traces.append(
                {
                    "type": "bar",
                    "x": [item.label for item in chosen],
                    "y": values,
                    "xaxis": f"x{axis}",
                    "yaxis": f"y{axis}",
                    "name": name,
                    "legendgroup": name,
                    "showlegend": not axis,
                    "text": [f"{value:.1f}" for value in values],
                    "textposition": "auto",
                    "marker": {"color": color},
                    "hovertemplate": f"%{{x}}, {name.lower()}: %{{y:.1f}} {unit}<extra></extra>",
                }
            )
    grid = {"gridcolor": "rgba(128,128,128,0.18)", "zeroline": False, "automargin": True}
    return styled(
        traces,
        x_title="",
        y_title="Zeros (%)",
        height=520,
        barmode="group",
        x_axis={"anchor": "y"},
        y_axis={"domain": [0.58, 1], "range": [0, 100]},
        xaxis2={"anchor": "y2", **grid},
        yaxis2={"domain": [0, 0.42], "title": {"text": "gzip (kB)"}, **grid},
    )
