"""Figures of the lesson on quantization-aware training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from optimizer.charts.style import AMBER, BLUE, FAINT, GREEN, GREY, ORANGE, styled
from optimizer.lessons.quantization_aware_training import (
    GRADIENTS,
    LIMIT,
    WAYS,
    Gradient,
    Neuron,
    Path,
    fake_quantize,
    ste_gradient,
)

_COLORS = {"float": GREY, "ptq": ORANGE, "true": AMBER, "ste": BLUE}
_DASHES = {"float": "dot", "ptq": "dash", "true": "dashdot", "ste": "solid"}


def gradient_figure(step: float) -> go.Figure:
    """Draw a fake-quantized weight and its two derivatives.

    Args:
        step: of the grid.
    """
    w = np.linspace(-1.5 * LIMIT, 1.5 * LIMIT, 1201)
    lines = (
        ("Fake-quantized weight", fake_quantize(w, step, LIMIT), BLUE, "solid", 3),
        ("Its true derivative", np.zeros_like(w), AMBER, "dashdot", 3),
        ("The STE's derivative", ste_gradient(w, LIMIT), GREEN, "dash", 2),
    )
    traces = [
        {
            "type": "scatter",
            "x": w,
            "y": y,
            "mode": "lines",
            "name": name,
            "line": {"color": color, "dash": dash, "width": width},
            "hovertemplate": f"{name}: %{{y:.3g}} at %{{x:.2f}}<extra></extra>",
        }
        for name, y, color, dash, width in lines
    ]
    return styled(traces, x_title="Float weight w", y_title="Value", height=300)


def path_figure(paths: Mapping[Gradient, Path], target: float) -> go.Figure:
    """Draw how a weight moves with each gradient, and what is used of it.

    Args:
        paths: gradient → path.
        target: what the rounded weight should be.
    """
    traces = []
    for gradient, path in paths.items():
        color = _COLORS[gradient]
        steps = list(range(len(path.weight)))
        traces.append(
            {
                "type": "scatter",
                "x": steps,
                "y": path.weight,
                "mode": "lines",
                "name": f"w, {GRADIENTS[gradient].lower()}",
                "line": {"color": color, "width": 3, "dash": _DASHES[gradient]},
                "hovertemplate": "Step %{x}: w = %{y:.3f}<extra></extra>",
            }
        )
        if gradient == "ste":
            traces.append(
                {
                    "type": "scatter",
                    "x": steps,
                    "y": path.used,
                    "mode": "lines",
                    "name": "w rounded, as it is used",
                    "line": {"color": GREEN, "width": 1.5, "shape": "hv"},
                    "hovertemplate": "Step %{x}: %{y:.3f} is used<extra></extra>",
                }
            )
    line = {
        "type": "line",
        "x0": 0,
        "x1": 1,
        "xref": "paper",
        "y0": target,
        "y1": target,
        "line": {"color": FAINT, "width": 2, "dash": "dot"},
    }
    return styled(
        traces,
        x_title="Steps of gradient descent",
        y_title="Weight",
        height=320,
        shapes=[line],
        annotations=[
            {
                "x": 1,
                "xref": "paper",
                "y": target,
                "text": "target",
                "showarrow": False,
                "yshift": 10,
                "xanchor": "right",
            }
        ],
    )


def training_figure(neuron: Neuron) -> go.Figure:
    """Draw the training loss of the neuron with rounded weights, step by step."""
    traces = [
        {
            "type": "scatter",
            "x": list(range(len(losses))),
            "y": losses,
            "mode": "lines",
            "name": WAYS[way],
            "line": {"color": _COLORS[way], "width": 3, "dash": _DASHES[way]},
            "hovertemplate": f"{WAYS[way]}, step %{{x}}: %{{y:.4f}}<extra></extra>",
        }
        for way, losses in neuron.losses.items()
    ]
    return styled(
        traces,
        x_title="Steps of gradient descent",
        y_title="Training loss (nats)",
        height=340,
        margin={"l": 8, "r": 12, "t": 64, "b": 8},
    )
