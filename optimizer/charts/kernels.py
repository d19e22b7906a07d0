"""Inside a kernel: where its zeros are."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from optimizer.charts.style import BLUE, styled
from optimizer.inspection.kernels import SparsityMap

_FEW = 16
"""Columns up to which each has its tick; between more, Plotly finds round numbers."""


def map_figure(found: SparsityMap) -> go.Figure:
    """Draw a kernel as a picture: rows are output channels, columns the weights of each."""
    whole = found.block == (1, 1)
    values = found.values if whole else 100 * found.values
    height, width = found.block
    cells: list[list[float | None]] = [
        [None if np.isnan(value) else float(value) for value in row] for row in values
    ]
    heat = {
        "type": "heatmap",
        "z": cells,
        "y0": (height - 1) / 2,
        "dy": height,
        "x0": (width - 1) / 2,
        "dx": width,
        "colorscale": "Viridis" if whole else [[0, "rgba(128,134,142,0.25)"], [1, BLUE]],
        "zmin": 0,
        **({} if whole else {"zmax": 100}),
        "hoverongaps": True,
        "hovertemplate": (
            "channel %{y}, weight %{x}: |%{z:.4f}|<extra></extra>"
            if whole
            else "channels around %{y}, weights around %{x}: %{z:.0f} % not zero<extra></extra>"
        ),
        "colorbar": {
            "title": {"text": "|weight|" if whole else "not zero (%)", "side": "right"},
            "thickness": 10,
            "outlinewidth": 0,
        },
    }
    return styled(
        [heat],
        x_title="Weight within its channel",
        y_title="Output channel",
        height=max(260, min(460, 140 + 6 * len(cells))),
        y_axis={"autorange": "reversed", "showgrid": False},
        x_axis={"showgrid": False, **({"dtick": 1} if found.columns <= _FEW else {})},
        plot_bgcolor="rgba(128,134,142,0.25)",
    )
