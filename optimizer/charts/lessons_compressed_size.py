"""Figures of the lesson on compressed sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from optimizer.charts.lessons_frame import predicted_point
from optimizer.charts.style import AMBER, BLUE, FAINT, GREEN, ORANGE, styled
from optimizer.lessons.compressed_size import Sizes

_WAYS = (
    ("Raw", "raw", ORANGE, "solid"),
    ("Sparse encoding", "sparse", AMBER, "dash"),
    ("gzip", "gzip", BLUE, "solid"),
    ("Entropy", "entropy", GREEN, "dot"),
)


def sizes_figure(
    curve: Sequence[Sizes], now: Sizes, prediction: tuple[float, float] | None = None
) -> go.Figure:
    """Draw a layer's bytes against its sparsity in every way to store it.

    Args:
        curve: sizes at rising sparsities.
        now: those at the chosen one.
        prediction: (sparsity from 0 to 1, kB).
    """
    traces: list[dict[str, Any]] = []
    for name, field, color, dash in _WAYS:
        if getattr(now, field) is None:
            continue
        traces.append(
            {
                "type": "scatter",
                "x": [100 * point.sparsity for point in curve],
                "y": [getattr(point, field) / 1000 for point in curve],
                "mode": "lines",
                "name": name,
                "line": {"color": color, "width": 3, "dash": dash},
                "hovertemplate": f"{name}: %{{y:.1f}} kB at %{{x:.0f}} % zeros<extra></extra>",
            }
        )
        traces.append(
            {
                "type": "scatter",
                "x": [100 * now.sparsity],
                "y": [getattr(now, field) / 1000],
                "mode": "markers",
                "showlegend": False,
                "marker": {"color": color, "size": 11},
                "hovertemplate": f"{name}: %{{y:.1f}} kB<extra></extra>",
            }
        )
    if prediction is not None:
        traces.append(predicted_point(100 * prediction[0], prediction[1], "kB"))
    line = {
        "type": "line",
        "x0": 100 * now.sparsity,
        "x1": 100 * now.sparsity,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": FAINT, "width": 1.5, "dash": "dot"},
    }
    return styled(
        traces,
        x_title="Zeros (%)",
        y_title="Bytes of the layer (kB)",
        height=380,
        x_axis={"range": [0, 100]},
        y_axis={"rangemode": "tozero"},
        shapes=[line],
    )
