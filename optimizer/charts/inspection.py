"""Operators of one variant: where its time goes, and where its error arises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from optimizer.charts.style import BLUE, GREY, ORANGE, styled
from optimizer.inspection.layers import OperatorFacts

_ROW = 24
"""Pixels that one operator takes in a chart of bars."""


def operator_names(facts: Sequence[OperatorFacts]) -> dict[int, str]:
    """Index of an operator → a name that no other has: its number, layer and kind."""
    return {
        each.index: f"{number} {each.layer} · {each.kind.lower()}"
        if each.labels
        else f"{number} {each.kind.lower()}"
        for number, each in enumerate(facts, 1)
    }


def piece_name(operators: Sequence[int], names: Mapping[int, str]) -> str:
    """The name of operators that were timed together."""
    known = [names[index] for index in operators if index in names]
    if len(known) < 2:
        return known[0] if known else "?"
    return f"{known[0]} … {known[-1].split(' ')[0]}"


def time_figure(pieces: Sequence[Mapping[str, Any]], names: Mapping[int, str]) -> go.Figure:
    """Draw the time of each operator with its interval, in the order they run.

    Args:
        pieces: of :func:`optimizer.inspection.profile.profile_of`.
        names: of the operators.
    """
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [piece_name(piece["operators"], names) for piece in pieces],
        "x": [1000 * piece["ms"] for piece in pieces],
        "marker": {"color": [BLUE if piece["certain"] else GREY for piece in pieces]},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [1000 * max(0.0, piece["ci_ms"][1] - piece["ms"]) for piece in pieces],
            "arrayminus": [1000 * max(0.0, piece["ms"] - piece["ci_ms"][0]) for piece in pieces],
            "thickness": 1.5,
            "width": 3,
            "color": GREY,
        },
        "hovertemplate": "%{y}: %{x:.2f} µs<extra></extra>",
    }
    return _rows([bars], len(pieces), "Time (µs); grey: not above the noise")


def error_figure(
    facts: Sequence[OperatorFacts], activations: Mapping[str, Any], names: Mapping[int, str]
) -> go.Figure:
    """Draw how far each operator's output is from its references.

    Args:
        facts: of the operators.
        activations: of :func:`optimizer.inspection.activations.stage`.
        names: of the operators.
    """
    found = activations["operators"]
    bars = []
    for key, title, color in (
        ("twin", "From quantizing activations", ORANGE),
        ("baseline", "From the baseline", BLUE),
    ):
        rows = [
            (names[each.index], 100 * value)
            for each in facts
            if (value := (found.get(str(each.index)) or {}).get(key)) is not None
        ]
        if rows:
            bars.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "name": title,
                    "y": [name for name, _ in rows],
                    "x": [value for _, value in rows],
                    "marker": {"color": color},
                    "hovertemplate": "%{y}: %{x:.3g} %<extra>" + title + "</extra>",
                }
            )
    order = [names[each.index] for each in facts]
    return _rows(
        bars,
        len(facts) * max(1, len(bars)),
        "RMS of the difference (% of the reference)",
        {"categoryorder": "array", "categoryarray": order},
    )


def _rows(
    bars: Sequence[Mapping[str, Any]],
    rows: int,
    x_title: str,
    y_axis: Mapping[str, Any] | None = None,
) -> go.Figure:
    return styled(
        bars,
        x_title=x_title,
        y_title="",
        height=120 + _ROW * rows,
        y_axis={"autorange": "reversed", "showgrid": False, **(y_axis or {})},
        bargap=0.25,
    )
