"""The one visual language of all charts, on the page and in exports."""

from __future__ import annotations

import plotly.graph_objects as go

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, AMBER, GREY = "#56B4E9", "#E69F00", "#8A8F98"
"""Okabe and Ito's palette, which people with colour-blindness can tell apart, and a grey."""

FAINT = "rgba(128,128,128,0.7)"
"""Reference lines; visible on white and on black."""

CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "responsive": True,
}
"""Plotly options for every chart; its own default offers to upload the chart."""


def styled(figure: go.Figure, *, x_title: str, y_title: str, height: int = 380) -> go.Figure:
    """Give a figure the house style: transparent, quiet grid, legend above, room for titles."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 36, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0},
        hoverlabel={"align": "left"},
        bargap=0.3,
    )
    grid = {"gridcolor": "rgba(128,128,128,0.18)", "zeroline": False, "automargin": True}
    figure.update_xaxes(title_text=x_title, **grid)
    figure.update_yaxes(title_text=y_title, **grid)
    return figure
