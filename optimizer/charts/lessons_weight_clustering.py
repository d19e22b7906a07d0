"""Figures of the lesson on weight clustering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from optimizer.charts.style import AMBER, BLUE, GREEN, GREY, ORANGE, PINK, SKY, styled
from optimizer.lessons.weight_clustering import STARTS, Start, Step

_BINS = 120
_COLORS = (BLUE, AMBER, GREEN, PINK, SKY, ORANGE)
_LINES: Mapping[Start, tuple[str, str]] = {
    "linear": (BLUE, "solid"),
    "random": (ORANGE, "dash"),
    "density": (GREEN, "dot"),
    "kmeans++": (PINK, "dashdot"),
}


def clusters_figure(weights: np.ndarray, step: Step) -> go.Figure:
    """Draw a layer's weights as a histogram, coloured by cluster, and the centroids over it.

    Args:
        weights: float, shape (n,).
        step: the moment to draw; at the start no weight has a cluster yet.
    """
    edges = np.linspace(weights.min(), weights.max(), _BINS + 1)
    centers, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    traces = []
    assigned = step.nearest >= 0
    groups = [(GREY, ~assigned)]
    groups += [
        (color, assigned & (step.nearest % len(_COLORS) == place))
        for place, color in enumerate(_COLORS)
    ]
    for color, chosen in groups:
        if chosen.any():
            traces.append(
                {
                    "type": "bar",
                    "x": centers,
                    "y": np.histogram(weights[chosen], edges)[0],
                    "width": width,
                    "marker": {"color": color, "line": {"width": 0}},
                    "opacity": 0.75,
                    "showlegend": False,
                    "hovertemplate": "%{y} weights near %{x:.3f}<extra></extra>",
                }
            )
    high = float(np.histogram(weights, edges)[0].max())
    traces.append(
        {
            "type": "scatter",
            "x": step.centroids,
            "y": np.full(len(step.centroids), -0.05 * high),
            "mode": "markers",
            "name": "Centroids",
            "marker": {"symbol": "triangle-up", "size": 12, "color": ORANGE},
            "hovertemplate": "Centroid %{x:.4f}<extra></extra>",
        }
    )
    lines = [
        {
            "type": "line",
            "x0": centroid,
            "x1": centroid,
            "y0": 0,
            "y1": high,
            "line": {"color": ORANGE, "width": 1, "dash": "dot"},
        }
        for centroid in step.centroids.tolist()
    ]
    return styled(
        traces,
        x_title="Weight",
        y_title="Weights",
        height=340,
        barmode="stack",
        bargap=0,
        y_axis={"range": [-0.1 * high, 1.05 * high]},
        shapes=lines,
    )


def inertia_figure(paths: Mapping[Start, Sequence[Step]], chosen: Start, place: int) -> go.Figure:
    """Draw how the inertia falls from each initialization, and where the student is.

    Args:
        paths: initialization → its steps.
        chosen: the one that is stepped through.
        place: index of the step it is at.
    """
    traces = []
    for start, steps in paths.items():
        color, dash = _LINES[start]
        traces.append(
            {
                "type": "scatter",
                "x": list(range(len(steps))),
                "y": [step.inertia for step in steps],
                "mode": "lines",
                "name": STARTS[start],
                "opacity": 1.0 if start == chosen else 0.55,
                "line": {"color": color, "width": 3 if start == chosen else 2, "dash": dash},
                "hovertemplate": f"{STARTS[start]}, step %{{x}}: %{{y:.3g}}<extra></extra>",
            }
        )
    here = paths[chosen][place]
    traces.append(
        {
            "type": "scatter",
            "x": [place],
            "y": [here.inertia],
            "mode": "markers",
            "name": "You are here",
            "marker": {"color": AMBER, "size": 13, "line": {"width": 2, "color": BLUE}},
            "hovertemplate": "Step %{x}: %{y:.3g}<extra></extra>",
        }
    )
    return styled(
        traces,
        x_title="Steps (assign and move)",
        y_title="Inertia",
        height=320,
        y_axis={"type": "log"},
    )
