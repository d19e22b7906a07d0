"""Figures of the lesson on calibration; the histogram is that of affine quantization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from optimizer.charts.lessons_frame import predicted_point
from optimizer.charts.style import BLUE, FAINT, GREEN, GREY, ORANGE, styled


def count_figure(
    found: Sequence[tuple[int, Sequence[float]]], prediction: float | None = None
) -> go.Figure:
    """Draw how much of the test set is clipped against the number of calibration samples.

    Args:
        found: pairs of (number of samples, clipped share of each draw, ascending).
        prediction: share that was predicted for one sample, 0 to 1.
    """
    counts = [count for count, _ in found]
    low, middle, high = (
        [100 * pick(shares) for _, shares in found]
        for pick in (lambda s: s[0], lambda s: s[len(s) // 2], lambda s: s[-1])
    )
    hidden = {"type": "scatter", "mode": "lines", "x": counts, "line": {"width": 0}}
    traces: list[dict[str, Any]] = [
        {**hidden, "y": high, "showlegend": False, "hoverinfo": "skip"},
        {
            **hidden,
            "y": low,
            "name": "Luckiest to unluckiest draw",
            "fill": "tonexty",
            "fillcolor": "rgba(0,114,178,0.18)",
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "x": counts,
            "y": middle,
            "mode": "lines+markers",
            "name": "Median draw",
            "line": {"color": BLUE, "width": 3},
            "hovertemplate": "%{x} images: %{y:.3f} % clipped<extra></extra>",
        },
    ]
    if prediction is not None:
        traces.append(predicted_point(1, 100 * prediction, "%"))
    return styled(
        traces,
        x_title="Random images calibrated with",
        y_title="Clipped on the test set (%)",
        height=320,
        x_axis={"type": "log"},
        y_axis={"rangemode": "tozero"},
    )


def accuracy_figure(
    names: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[Sequence[float]],
    baseline: float | None,
) -> go.Figure:
    """Draw the accuracy after calibrating with each representative dataset.

    Args:
        names: of the datasets; the first is the good one.
        values: accuracies, 0 to 1.
        intervals: 95 % interval of each.
        baseline: of the float32 model.
    """
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [100 * value for value in values],
        "y": list(names),
        "marker": {"color": [GREEN] + [ORANGE if v < 0.9 else GREY for v in values[1:]]},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [100 * (high - v) for v, (_, high) in zip(values, intervals, strict=True)],
            "arrayminus": [100 * (v - low) for v, (low, _) in zip(values, intervals, strict=True)],
        },
        "hovertemplate": "%{y}: %{x:.2f} %<extra></extra>",
    }
    shapes = []
    if baseline is not None:
        shapes.append(
            {
                "type": "line",
                "x0": 100 * baseline,
                "x1": 100 * baseline,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": {"color": FAINT, "dash": "dash", "width": 2},
            }
        )
    return styled(
        [bars],
        x_title="Accuracy on the test set (%)",
        y_title="",
        height=320,
        x_axis={"range": [0, 103]},
        y_axis={"autorange": "reversed"},
        shapes=shapes,
    )
