"""The one visual language of all charts, on the page and in exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, AMBER, GREY = "#56B4E9", "#E69F00", "#8A8F98"
"""Okabe and Ito's palette, which people with colour-blindness can tell apart, and a grey."""

FAINT = "rgba(128,128,128,0.7)"
"""Reference lines; visible on white and on black."""

CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoom2d", "pan2d"],
    "responsive": True,
}
"""Plotly options for every chart: its own default offers to upload the chart. The buttons that are
left do something by keys, too; dragging zooms without one."""


def styled(
    traces: Sequence[Mapping[str, Any]],
    *,
    x_title: str,
    y_title: str,
    height: int = 380,
    x_axis: Mapping[str, Any] | None = None,
    y_axis: Mapping[str, Any] | None = None,
    **more: Any,
) -> go.Figure:
    """A figure in the house style: transparent, quiet grid, legend above, room for titles.

    It is made at once from plain dicts: ``add_trace``, ``update_layout`` and ``add_hline`` take
    ten times as long, which a page with several charts feels.

    Args:
        traces: what is drawn, each with its Plotly ``type``.
        x_axis: further settings of the axis, as ``y_axis``.
        more: further settings of the layout.
    """
    grid = {"gridcolor": "rgba(128,128,128,0.18)", "zeroline": False, "automargin": True}
    layout = {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 36, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0},
        "hoverlabel": {"align": "left"},
        "bargap": 0.3,
        "xaxis": {"title": {"text": x_title}, **grid, **(x_axis or {})},
        "yaxis": {"title": {"text": y_title}, **grid, **(y_axis or {})},
        **more,
    }
    return go.Figure(data=list(traces), layout=layout)
