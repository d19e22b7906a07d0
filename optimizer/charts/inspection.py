"""Operators of one variant: where its time goes, and where its error arises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import plotly.graph_objects as go

from optimizer.charts.style import AMBER, BLUE, GREY, ORANGE, styled
from optimizer.inspection.layers import OperatorFacts

T = TypeVar("T")
MOST_ROWS = 40
"""Operators in a chart at most: those with the largest values."""
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


def operator_keys(facts: Sequence[OperatorFacts]) -> dict[int, str]:
    """Index of an operator → what the same operator is called in another file of the model.

    Its first weight where it has one, else its kind and which of that kind it is.
    """
    seen: Counter[str] = Counter()
    keys = {}
    for each in facts:
        seen[each.kind] += 1
        keys[each.index] = each.labels[0] if each.labels else f"{each.kind} {seen[each.kind]}"
    return keys


def time_figure(
    pieces: Sequence[Mapping[str, Any]],
    names: Mapping[int, str],
    before: Mapping[int, float] | None = None,
) -> go.Figure:
    """Draw the time of each operator with its interval, in the order they run.

    Args:
        pieces: of :func:`optimizer.inspection.profile.profile_of`.
        names: of the operators.
        before: operator → milliseconds that the baseline's takes.
    """
    pieces = _largest(pieces, lambda piece: float(piece["ms"]))
    labels = [piece_name(piece["operators"], names) for piece in pieces]
    bars = [
        _time_bars(title, color, [piece for piece in pieces if piece["certain"] == certain], names)
        for title, color, certain in (("Time", BLUE, True), ("Not above the noise", GREY, False))
    ]
    known = [
        (label, 1000 * before[piece["operators"][0]])
        for label, piece in zip(labels, pieces, strict=True)
        if before and len(piece["operators"]) == 1 and piece["operators"][0] in before
    ]
    if known:
        bars.append(
            {
                "type": "bar",
                "orientation": "h",
                "offsetgroup": "baseline",
                "name": "Baseline",
                "y": [label for label, _ in known],
                "x": [value for _, value in known],
                "marker": {"color": "rgba(128,134,142,0.25)", "line": {"width": 1, "color": GREY}},
                "hovertemplate": "%{y}: %{x:.2f} µs<extra>Baseline</extra>",
            }
        )
    return _rows(bars, labels, "Time (µs)", _ROW * (2 if known else 1))


def _time_bars(
    title: str, color: str, pieces: Sequence[Mapping[str, Any]], names: Mapping[int, str]
) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "offsetgroup": "variant",
        "name": title,
        "y": [piece_name(piece["operators"], names) for piece in pieces],
        "x": [1000 * piece["ms"] for piece in pieces],
        "marker": {"color": color},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [1000 * max(0.0, piece["ci_ms"][1] - piece["ms"]) for piece in pieces],
            "arrayminus": [1000 * max(0.0, piece["ms"] - piece["ci_ms"][0]) for piece in pieces],
            "thickness": 1.5,
            "width": 3,
            "color": AMBER,
        },
        "hovertemplate": "%{y}: %{x:.2f} µs<extra></extra>",
    }


def _largest(items: Sequence[T], size: Callable[[T], float]) -> list[T]:
    """The :data:`MOST_ROWS` largest of several, in the order they were in."""
    kept = sorted(range(len(items)), key=lambda index: -size(items[index]))[:MOST_ROWS]
    return [items[index] for index in sorted(kept)]


def error_figure(
    facts: Sequence[OperatorFacts], activations: Mapping[str, Any], names: Mapping[int, str]
) -> go.Figure:
    """Draw how far each operator's output is from its references, on a logarithmic axis.

    Args:
        facts: of the operators.
        activations: of :func:`optimizer.inspection.activations.stage`.
        names: of the operators.
    """
    found = activations["operators"]
    facts = _largest(
        facts,
        lambda each: max(
            (value for value in (found.get(str(each.index)) or {}).values() if value), default=0.0
        ),
    )
    marks = []
    for key, title, color, symbol in (
        ("twin", "From quantizing activations", ORANGE, "circle"),
        ("baseline", "From the baseline", BLUE, "diamond"),
    ):
        rows = [
            (names[each.index], 100 * value)
            for each in facts
            if (value := (found.get(str(each.index)) or {}).get(key))
        ]
        if rows:
            marks.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": title,
                    "y": [name for name, _ in rows],
                    "x": [value for _, value in rows],
                    "marker": {"color": color, "symbol": symbol, "size": 11},
                    "hovertemplate": "%{y}: %{x:.3g} %<extra>" + title + "</extra>",
                }
            )
    drawn = {name for mark in marks for name in mark["y"]}
    order = [names[each.index] for each in facts if names[each.index] in drawn]
    return _rows(marks, order, "RMS difference (%)", _ROW + 4, {"type": "log", "dtick": "D2"})


def _rows(
    traces: Sequence[Mapping[str, Any]],
    labels: Sequence[str],
    x_title: str,
    row: int,
    x_axis: Mapping[str, Any] | None = None,
) -> go.Figure:
    """Traces over one line for each label, the first on top."""
    return styled(
        traces,
        x_title=x_title,
        y_title="",
        height=130 + row * len(labels),
        x_axis=x_axis,
        y_axis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": list(labels),
            "range": [len(labels) - 0.5, -0.5],
            "showgrid": len(traces) > 0 and traces[0]["type"] == "scatter",
        },
        showlegend=len(traces) > 1,
        bargap=0.25,
    )
