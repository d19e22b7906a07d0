"""Predictions of a variant against the truth and against the baseline's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from optimizer.charts.style import BLUE, FAINT, GREY, ORANGE, styled

_WRITTEN = 20
"""Classes up to which the counts are written into the cells."""


def confusion_figure(
    counts: np.ndarray, names: Sequence[str], *, change: bool = False
) -> go.Figure:
    """Draw a confusion matrix: rows are the truth, columns the prediction.

    Args:
        counts: shape (classes, classes).
        names: of the classes.
        change: whether these are differences from the baseline's counts.
    """
    totals = counts.sum(axis=1, keepdims=True)
    largest = max(1, int(np.abs(counts).max()))
    z = counts / largest if change else counts / np.maximum(1, totals)
    text = [[_written(value, change) for value in row] for row in counts.tolist()]
    heat = {
        "type": "heatmap",
        "z": [
            [value or None for value in row]  # empty cells stay as empty as the page
            for row in (largest * z if change else 100 * z).tolist()
        ],
        "zmin": -largest if change else 0,
        "zmax": largest if change else 100,
        "colorscale": _DIVERGING if change else _SEQUENTIAL,
        "x": list(names),
        "y": list(names),
        "text": text,
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": "truth %{y}, predicted %{x}: %{text}<extra></extra>",
        "colorbar": {
            "title": {"text": "samples" if change else "% of the class", "side": "right"},
            "thickness": 10,
            "outlinewidth": 0,
        },
    }
    figure_texts = _cell_texts(np.abs(z), text, names) if len(names) <= _WRITTEN else []
    return styled(
        [heat, *figure_texts],
        x_title="Predicted",
        y_title="Truth",
        height=max(300, min(760, 120 + 34 * len(names))),
        x_axis={"type": "category", "showgrid": False},
        y_axis={"type": "category", "autorange": "reversed", "showgrid": False},
        showlegend=False,
        plot_bgcolor="rgba(128,134,142,0.12)",
    )


def _cell_texts(
    strength: np.ndarray, text: Sequence[Sequence[str]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Counts in the cells: white on strong colours, dark on the others, on any page."""
    traces = []
    for strong in (False, True):
        cells = [
            (row, column)
            for row in range(len(names))
            for column in range(len(names))
            if text[row][column] and bool(strength[row, column] > 0.8) == strong
        ]
        if cells:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "text",
                    "x": [names[column] for _, column in cells],
                    "y": [names[row] for row, _ in cells],
                    "text": [text[row][column] for row, column in cells],
                    "hoverinfo": "skip",
                    "textfont": {"color": "#FFFFFF" if strong else "#10202B"},
                }
            )
    return traces


def confusion_table(counts: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """The counts as rows, one for each class."""
    table = pd.DataFrame(counts, columns=[f"predicted {name}" for name in names])
    table.insert(0, "truth", list(names))
    return table


def _written(value: int, change: bool) -> str:
    if change:
        return f"{value:+d}".replace("-", "−") if value else ""
    return str(value) if value else ""


_FAINT = "#D6DDE2"
_SEQUENTIAL = [[0, _FAINT], [1, BLUE]]
_DIVERGING = [[0, BLUE], [0.5, _FAINT], [1, ORANGE]]


def errors_figure(found: Mapping[str, Any], *, difference: bool) -> go.Figure:
    """Draw how often which error occurs, before and after, over shared bins.

    Args:
        found: of :func:`optimizer.inspection.flips.compare_output`, kind ``values``.
        difference: whether there is no truth, so that errors are differences from the baseline.
    """
    centers = [(low + high) / 2 for low, high in pairwise(found["edges"])]
    shown = [("This variant", found["after"], "rgba(213,94,0,0.35)", ORANGE)]
    if not difference:
        shown.insert(0, ("Baseline", found["before"], "rgba(128,134,142,0.55)", GREY))
    bars = [
        {
            "type": "bar",
            "x": centers,
            "y": counts,
            "width": found["edges"][1] - found["edges"][0],
            "name": name,
            "marker": {"color": fill, "line": {"width": 1, "color": line}},
            "hovertemplate": "%{y} near %{x:.4g}<extra>" + name + "</extra>",
        }
        for name, counts, fill, line in shown
    ]
    title = "Difference from the baseline" if difference else "Error (prediction − truth)"
    return styled(bars, x_title=title, y_title="Values", height=320, barmode="overlay", bargap=0)


def errors_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """The same counts as rows."""
    edges = found["edges"]
    return pd.DataFrame(
        {
            "From": edges[:-1],
            "To": edges[1:],
            "Baseline": found["before"],
            "This variant": found["after"],
        }
    )


def scatter_figure(points: Mapping[str, Sequence[float]], *, labelled: bool) -> go.Figure:
    """Draw predictions against the truth, or against the baseline's where there is no truth."""
    x = points["truth"] if labelled else points["before"]
    ends = [min(x), max(x)]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "x": ends,
            "y": ends,
            "mode": "lines",
            "name": "Equal",
            "line": {"color": FAINT, "dash": "dot"},
            "hoverinfo": "skip",
        }
    ]
    shown = [("This variant", points["after"], ORANGE, "circle")]
    if labelled:
        shown.insert(0, ("Baseline", points["before"], GREY, "x"))
    traces += [
        {
            "type": "scatter",
            "x": list(x),
            "y": list(y),
            "mode": "markers",
            "name": name,
            "marker": {"color": color, "symbol": symbol, "size": 6, "opacity": 0.7},
            "hovertemplate": "%{x:.4g} → %{y:.4g}<extra>" + name + "</extra>",
        }
        for name, y, color, symbol in shown
    ]
    return styled(
        traces,
        x_title="Truth" if labelled else "The baseline’s prediction",
        y_title="Prediction",
        height=380,
    )
