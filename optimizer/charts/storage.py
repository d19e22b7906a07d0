"""What takes space in a store, as bars."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from optimizer.charts.style import AMBER, BLUE, FAINT, styled
from optimizer.format import format_bytes

FREEABLE = ("Uploads in no study", "Cached results in no study")
"""Kinds that can be given back without deleting a study; of others, only parts can."""


def space_figure(kinds: Mapping[str, int]) -> go.Figure:
    """A bar for each kind that takes any space, the largest first.

    Args:
        kinds: what it is, in words → bytes.
    """
    shown = sorted(((size, name) for name, size in kinds.items() if size), reverse=True)
    groups = (("Needed by studies or at work", BLUE, False), ("Can be freed", AMBER, True))
    bars = [_bars(shown, name, color, freeable) for name, color, freeable in groups]
    return styled(
        [bar for bar in bars if bar["x"]],
        x_title="Size",
        y_title="",
        height=120 + 34 * len(shown),
        x_axis={"rangemode": "tozero", **_ticks(shown[0][0] if shown else 1)},
        y_axis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [name for _, name in shown],
            "autorange": "reversed",
            "showgrid": False,
        },
        barmode="overlay",
        bargap=0.35,
    )


def _bars(shown: list[tuple[int, str]], title: str, color: str, freeable: bool) -> dict[str, Any]:
    chosen = [(size, name) for size, name in shown if (name in FREEABLE) == freeable]
    return {
        "type": "bar",
        "orientation": "h",
        "name": title,
        "x": [size for size, _ in chosen],
        "y": [name for _, name in chosen],
        "text": [format_bytes(size) for size, _ in chosen],
        "textposition": "auto",
        "marker": {"color": color, "line": {"color": FAINT, "width": 1}},
        "hovertemplate": "<b>%{y}</b><br>%{text}<extra></extra>",
    }


def _ticks(most: int) -> dict[str, Any]:
    """A few round ticks with units that a person reads."""
    scale = 10 ** math.floor(math.log10(max(most, 1)))
    step = next(share * scale for share in (0.2, 0.5, 1, 2, 5) if most / (share * scale) <= 4)
    values = [step * index for index in range(int(most / step) + 2)]
    return {"tickvals": values, "ticktext": [format_bytes(value) for value in values]}
