"""Figures of the lesson on latency."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from optimizer.charts.style import AMBER, BLUE, FAINT, GREEN, ORANGE, PINK, styled
from optimizer.lessons.latency import Summary, Timing

_BINS = 80
_PERCENTILES = (("p50", GREEN, "solid"), ("p90", AMBER, "dash"), ("p99", ORANGE, "dot"))


def series_figure(times: np.ndarray, warm_up: int) -> go.Figure:
    """Draw the time of every invocation in its order.

    Args:
        times: microseconds, shape (n,).
        warm_up: how many of the first are left out, drawn in another colour.
    """
    order = np.arange(1, len(times) + 1)
    traces: list[dict[str, Any]] = [
        {
            "type": "scattergl",
            "x": order[part],
            "y": times[part],
            "mode": "markers",
            "name": name,
            "marker": {"color": color, "size": size, "opacity": 0.7},
            "hovertemplate": "Invocation %{x}: %{y:.2f} µs<extra></extra>",
        }
        for name, part, color, size in (
            ("Warm-up, left out", slice(0, warm_up), PINK, 6),
            ("Counted", slice(warm_up, None), BLUE, 4),
        )
    ]
    return styled(
        traces,
        x_title="Invocation",
        y_title="Time (µs)",
        height=320,
        y_axis={"type": "log"},
    )


def histogram_figure(times: np.ndarray, found: Summary) -> go.Figure:
    """Draw how often each time occurred, and the percentiles.

    Args:
        times: microseconds, shape (n,).
        found: their summary.
    """
    # On a logarithmic axis the tail has room and the bulk keeps its shape.
    edges = np.geomspace(times.min() * 0.99, times.max() * 1.01, _BINS + 1)
    counts = np.histogram(times, edges)[0]
    centers = np.sqrt(edges[1:] * edges[:-1])
    traces: list[dict[str, Any]] = [
        {
            "type": "bar",
            "x": centers,
            "y": counts,
            "width": np.diff(edges),
            "name": "Invocations",
            "marker": {"color": BLUE, "line": {"width": 0}},
            "hovertemplate": "%{y} near %{x:.2f} µs<extra></extra>",
        }
    ]
    high = float(counts.max())
    for name, color, dash in _PERCENTILES:
        value = getattr(found, name)
        traces.append(
            {
                "type": "scatter",
                "x": [value, value],
                "y": [0.8, 1.2 * high],
                "mode": "lines",
                "name": f"{name} {value:.1f} µs",
                "line": {"color": color, "dash": dash, "width": 3},
                "hovertemplate": f"{name}: {value:.2f} µs<extra></extra>",
            }
        )
    return styled(
        traces,
        x_title="Time (µs)",
        y_title="Invocations",
        height=320,
        bargap=0,
        x_axis={"type": "log"},
        y_axis={"type": "log"},
    )


def rounds_figure(timing: Timing) -> go.Figure:
    """Draw each round's median of the file, of its copy and of more threads."""
    names = {
        "original": ("The file, 1 thread", BLUE, "circle"),
        "copy": ("A copy of it, 1 thread", GREEN, "x"),
        "threads": (f"The file, {timing.threads} threads", ORANGE, "triangle-up"),
    }
    traces = [
        {
            "type": "scatter",
            "x": list(range(1, len(timing.rounds[key]) + 1)),
            "y": timing.rounds[key],
            "mode": "lines+markers",
            "name": name,
            "line": {"color": color, "width": 1.5},
            "marker": {"color": color, "symbol": symbol, "size": 7},
            "hovertemplate": f"{name}, round %{{x}}: %{{y:.2f}} µs<extra></extra>",
        }
        for key, (name, color, symbol) in names.items()
    ]
    line = {
        "type": "line",
        "x0": 0,
        "x1": 1,
        "xref": "paper",
        "y0": float(np.median(timing.rounds["original"])),
        "y1": float(np.median(timing.rounds["original"])),
        "line": {"color": FAINT, "width": 1.5, "dash": "dot"},
    }
    return styled(
        traces,
        x_title="Round, all three in turns",
        y_title="Median of the round (µs)",
        height=320,
        shapes=[line],
    )
