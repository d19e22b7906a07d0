"""What variants would need on a microcontroller: energy, memory on boards, tensors over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from optimizer.charts.style import AMBER, BLUE, FAINT, GREEN, GREY, ORANGE, SKY, styled
from optimizer.deploy.arena import Arena
from optimizer.deploy.energy import Energy
from optimizer.deploy.fit import Fit, kib
from optimizer.format import format_energy

_PARTS = (
    ("Arithmetic", BLUE, "compute_uj"),
    ("Reading weights", AMBER, "weights_uj"),
    ("Moving activations", SKY, "activations_uj"),
)
_FULL = 1.5
"""Bars of boards end here; a need far above what is there has its number beside it."""


@dataclass(frozen=True)
class EnergyInfo:
    """Estimated energies of variants, the least first.

    Attributes:
        left_out: variants that are not shown, because there are too many.
    """

    names: tuple[str, ...]
    energies: tuple[Energy, ...]
    selected: str | None
    left_out: int = 0


def energy_info(
    energies: Sequence[tuple[str, Energy]], selected: str | None, limit: int = 24
) -> EnergyInfo:
    """The variants by rising energy; the selected one is there wherever it stands."""
    rows = sorted(energies, key=lambda row: (row[1].total_uj, row[0]))
    shown = [row for at, row in enumerate(rows) if at < limit or row[0] == selected]
    names, values = [name for name, _ in shown], [value for _, value in shown]
    return EnergyInfo(tuple(names), tuple(values), selected, len(rows) - len(shown))


def energy_figure(info: EnergyInfo) -> go.Figure:
    """Stacked horizontal bars in µJ, each under its name."""
    places = list(range(len(info.names)))
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": title,
            "x": [getattr(energy, part) for energy in info.energies],
            "y": places,
            "marker": {"color": color},
            "hovertext": [
                f"<b>{name}</b><br>{title}: {format_energy(getattr(energy, part))}<br>"
                f"of {format_energy(energy.total_uj)} in all"
                for name, energy in zip(info.names, info.energies, strict=True)
            ],
            "hovertemplate": "%{hovertext}<extra></extra>",
        }
        for title, color, part in _PARTS
    ]
    names = [
        {
            "x": 0,
            "y": place,
            "text": f"{name} · {format_energy(energy.total_uj)}"
            + (" (selected)" if name == info.selected else ""),
            "showarrow": False,
            "xanchor": "left",
            "yshift": 19,
            "font": {"size": 12},
        }
        for place, (name, energy) in enumerate(zip(info.names, info.energies, strict=True))
    ]
    return styled(
        bars,
        x_title="Estimated energy of one inference (µJ)",
        y_title="",
        height=110 + 44 * len(places),
        x_axis={"rangemode": "tozero"},
        y_axis={"autorange": "reversed", "showticklabels": False, "showgrid": False},
        barmode="stack",
        bargap=0.55,
        annotations=names,
    )


def energy_table(info: EnergyInfo) -> pd.DataFrame:
    """The same figures as a table."""
    rows = [
        {
            "Variant": name,
            "Arithmetic (µJ)": energy.compute_uj,
            "Reading weights (µJ)": energy.weights_uj,
            "Moving activations (µJ)": energy.activations_uj,
            "Together (µJ)": energy.total_uj,
        }
        for name, energy in zip(info.names, info.energies, strict=True)
    ]
    return pd.DataFrame(rows)


def boards_figure(fits: Sequence[tuple[str, Fit]]) -> go.Figure:
    """How full flash and RAM of each board would be; the line is what there is."""
    names = [name for name, _ in fits]
    shares: dict[str, list[float | None]] = {
        "Flash": [fit.flash_share for _, fit in fits],
        "RAM": [fit.ram_share for _, fit in fits],
    }
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": title,
            "y": names,
            "x": [None if value is None else 100 * min(value, _FULL) for value in values],
            "marker": {"color": color},
            "text": ["" if value is None else f"{100 * value:.0f} %" for value in values],
            "textposition": "auto",
            "hovertemplate": f"%{{y}}<br>{title}: %{{text}}<extra></extra>",
        }
        for (title, values), color in zip(shares.items(), (BLUE, GREEN), strict=True)
    ]
    full = {
        **{"type": "line", "x0": 100, "x1": 100, "yref": "y domain", "y0": 0, "y1": 1},
        "line": {"color": ORANGE, "width": 2, "dash": "dot"},
    }
    return styled(
        bars,
        x_title="Share of the board (%)",
        y_title="",
        height=110 + 58 * len(names),
        x_axis={"range": [0, 100 * _FULL], "ticksuffix": " %"},
        y_axis={"autorange": "reversed", "showgrid": False},
        barmode="group",
        shapes=[full],
    )


def arena_figure(arena: Arena, operators: Sequence[str]) -> go.Figure:
    """The planned place of every tensor, from the operator that writes it to its last reader."""
    busy = arena.busiest
    shapes: list[dict[str, Any]] = [
        {
            "type": "rect",
            **{"x0": buffer.first - 0.5, "x1": buffer.last + 0.5},
            **{"y0": buffer.offset, "y1": buffer.end},
            "fillcolor": BLUE if buffer.first <= busy <= buffer.last else GREY,
            "opacity": 0.55,
            "line": {"color": FAINT, "width": 1},
        }
        for buffer in arena.buffers
    ]
    middle = {
        "type": "scatter",
        "mode": "markers",
        "x": [(buffer.first + buffer.last) / 2 for buffer in arena.buffers],
        "y": [(buffer.offset + buffer.end) / 2 for buffer in arena.buffers],
        "marker": {"size": 7, "color": FAINT},
        "text": [
            f"<b>{_short(buffer.name)}</b><br>{kib(buffer.size_bytes)} at {kib(buffer.offset)}<br>"
            f"from {_moment(operators, buffer.first)} to {_moment(operators, buffer.last)}"
            for buffer in arena.buffers
        ],
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }
    ticks = [0, *range(1, len(operators) + 1, max(1, len(operators) // 12))]
    return styled(
        [middle],
        x_title="Operator, in the order they run",
        y_title="Place in RAM (bytes)",
        height=360,
        x_axis={
            "tickvals": ticks,
            "ticktext": [_moment(operators, tick) for tick in ticks],
            "tickangle": -40,
            "showgrid": False,
        },
        y_axis={"rangemode": "tozero"},
        shapes=shapes,
    )


def arena_table(arena: Arena, operators: Sequence[str]) -> pd.DataFrame:
    """The planned tensors as a table, the largest first."""
    rows = [
        {
            "Tensor": buffer.name,
            "Bytes": buffer.size_bytes,
            "At byte": buffer.offset,
            "From": _moment(operators, buffer.first),
            "To": _moment(operators, buffer.last),
        }
        for buffer in sorted(arena.buffers, key=lambda buffer: -buffer.size_bytes)
    ]
    return pd.DataFrame(rows)


def _moment(operators: Sequence[str], at: int) -> str:
    return "input" if at == 0 else f"{at} {operators[at - 1].lower()}"


def _short(name: str) -> str:
    """A tensor's name that a hover label can hold, without markup."""
    last = name.split(";", maxsplit=1)[0].replace("<", "‹").replace(">", "›")
    return last if len(last) <= 60 else f"…{last[-59:]}"
