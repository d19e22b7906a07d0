"""Figures of the lesson on affine quantization; the one on calibration uses them too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from optimizer.charts.style import AMBER, BLUE, FAINT, GREEN, ORANGE, styled

_MOST_GRID_LINES = 40
_BINS = 100


def _line(x: float, color: str, dash: str = "dash", width: float = 2) -> dict[str, Any]:
    return {
        "type": "line",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": color, "width": width, "dash": dash},
    }


def range_figure(
    values: np.ndarray,
    low: float,
    high: float,
    grid: np.ndarray,
    title: str = "Weight",
    height: int = 300,
) -> go.Figure:
    """Draw real values as a histogram, the range that integers cover, and their grid.

    Args:
        values: float, any shape.
        low, high: ends of the range.
        grid: the real values of the integers, ascending, two at least; drawn when they are few.
        title: of the axis of values.
        height: of the figure.
    """
    edges = np.linspace(min(values.min(), low), max(values.max(), high), _BINS + 1)
    centers, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    half_step = float(grid[1] - grid[0]) / 2  # what is nearer is rounded to the end, not clipped
    inside = (values >= low - half_step) & (values <= high + half_step)
    bars = [
        {
            "type": "bar",
            "x": centers,
            "y": np.histogram(values[chosen], edges)[0],
            "width": width,
            "name": name,
            "marker": {"color": color, "line": {"width": 0}},
            "hovertemplate": f"{name}: %{{y}} near %{{x:.3f}}<extra></extra>",
        }
        for name, color, chosen in (
            ("Inside the range", BLUE, inside),
            ("Clipped", ORANGE, ~inside),
        )
    ]
    lines = [_line(low, AMBER), _line(high, AMBER)]
    if len(grid) <= _MOST_GRID_LINES:
        lines += [_line(float(x), FAINT, "dot", 1) for x in grid]
    return styled(
        bars,
        x_title=title,
        y_title="Values (log scale)",
        height=height,
        barmode="stack",
        bargap=0,
        y_axis={"type": "log"},
        shapes=lines,
    )


def error_figure(error: np.ndarray, clipped: np.ndarray, half_step: float) -> go.Figure:
    """Draw the errors of quantization as a histogram, rounding and clipping apart.

    Args:
        error: quantized − real, any shape.
        clipped: which errors come from clipping, bool, the same shape.
        half_step: half of the largest scale: rounding errs by at most that.
    """
    limit = max(float(np.abs(error).max()), half_step) * 1.05 or 1.0
    edges = np.linspace(-limit, limit, _BINS + 2)
    centers, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    bars = [
        {
            "type": "bar",
            "x": centers,
            "y": np.histogram(error[chosen], edges)[0],
            "width": width,
            "name": name,
            "marker": {"color": color, "line": {"width": 0}},
            "hovertemplate": f"{name}: %{{y}} near %{{x:.4f}}<extra></extra>",
        }
        for name, color, chosen in (
            ("Rounding", GREEN, ~clipped),
            ("Clipping", ORANGE, clipped),
        )
    ]
    return styled(
        bars,
        x_title="Error (quantized − real)",
        y_title="Weights",
        height=280,
        barmode="stack",
        bargap=0,
        shapes=[_line(-half_step, FAINT), _line(half_step, FAINT)],
    )


def clip_figure(curve: Sequence[tuple[float, float]], clip: float, sqnr_db: float) -> go.Figure:
    """Draw the SQNR over the share of the range that is kept, and where the student is.

    Args:
        curve: pairs of (share kept, dB).
        clip: the chosen share.
        sqnr_db: the SQNR there.
    """
    best = max(curve, key=lambda point: point[1])
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "x": [100 * share for share, _ in curve],
            "y": [value for _, value in curve],
            "mode": "lines",
            "name": "SQNR",
            "line": {"color": BLUE, "width": 3},
            "hovertemplate": "%{x:.0f} % kept: %{y:.1f} dB<extra></extra>",
        },
        {
            "type": "scatter",
            "x": [100 * best[0]],
            "y": [best[1]],
            "mode": "markers",
            "name": "Best",
            "marker": {"color": GREEN, "size": 13, "symbol": "star"},
            "hovertemplate": "Best: %{y:.1f} dB at %{x:.0f} %<extra></extra>",
        },
        {
            "type": "scatter",
            "x": [100 * clip],
            "y": [sqnr_db],
            "mode": "markers",
            "name": "Now",
            "marker": {"color": AMBER, "size": 13, "line": {"width": 2, "color": BLUE}},
            "hovertemplate": "Now: %{y:.1f} dB<extra></extra>",
        },
    ]
    return styled(traces, x_title="Range kept (%)", y_title="SQNR (dB)", height=280)
