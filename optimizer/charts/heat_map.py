"""What each layer loses in each setting, as a heat map around what a layer may lose."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from optimizer.charts.style import styled
from optimizer.format import lowered
from optimizer.recipe import Recipe
from optimizer.sensitivity.protect import FIELDS
from optimizer.sensitivity.scan import TECHNIQUES, LayerScan, Scan, Setting, Technique

_HEADS: dict[Technique, str] = {"prune": "Sparsity (%)", "cluster": "Clusters", "int8": "8 bit"}
_SCALE = [
    [0.0, "#0072B2"],
    [0.25, "#7DB5D8"],
    [0.5, "#F4EFE6"],
    [0.75, "#EE9B5F"],
    [1.0, "#C24A00"],
]
"""Blue bears it, orange does not: Okabe and Ito's two, over a light middle at the limit. The
figures in the cells are dark or light as their cell asks, on a dark page as on a white one."""
_ROW, _FRAME = 26, 158
_GAP = 0.5
"""Columns left free between two techniques, in columns."""
_LONGEST, _END = 18, 12


@dataclass(frozen=True)
class HeatCell:
    """One cell.

    Attributes:
        lost: in the scan's unit; ``None`` when it is not a number.
        noise: whether it cannot be told from no loss.
        chosen: whether it is what the recipe sets for this layer.
        row, column: where it is drawn, the first row at the bottom.
    """

    layer: str
    setting: Setting
    lost: float | None
    noise: bool
    chosen: bool
    row: int
    column: float


@dataclass(frozen=True)
class HeatInfo:
    """What a heat map shows.

    Attributes:
        layers: from the bottom to the top.
        columns: settings and where they are drawn.
        threshold: what one layer may lose, in the scan's unit; the middle of the colours.
        most: the largest loss.
        own: layers that the recipe gives settings of their own, scanned ones or others.
    """

    layers: tuple[str, ...]
    columns: tuple[tuple[Setting, float], ...]
    cells: tuple[HeatCell, ...]
    threshold: float
    most: float
    scan: Scan
    own: frozenset[str] = frozenset()


def heat_info(
    scan: Scan,
    layers: Sequence[LayerScan],
    recipe: Recipe | None,
    threshold: float,
    techniques: Sequence[Technique] = TECHNIQUES,
) -> HeatInfo:
    """Place the cells of some layers.

    Args:
        scan: what they belong to.
        layers: from the top to the bottom.
        recipe: whose settings of single layers are marked.
        threshold: above 0, in the scan's unit.
        techniques: which of those scanned to show.
    """
    columns = _columns([setting for setting in scan.settings if setting.technique in techniques])
    rows = list(reversed(layers))
    cells = tuple(
        HeatCell(
            layer.name,
            setting,
            cell.lost,
            cell.noise,
            _chosen(recipe, layer.name, setting),
            row,
            column,
        )
        for row, layer in enumerate(rows)
        for setting, column in columns
        if (cell := layer.cells.get(setting)) is not None
    )
    every = [cell.lost for layer in scan.layers for cell in layer.cells.values()]
    most = max((lost for lost in every if lost is not None), default=0.0)
    names = tuple(layer.name for layer in rows)
    own = frozenset(recipe.layers if recipe else ())
    return HeatInfo(names, columns, cells, threshold, max(most, 2 * threshold), scan, own)


def _columns(settings: Sequence[Setting]) -> tuple[tuple[Setting, float], ...]:
    place, placed, last = 0.0, [], None
    for setting in settings:
        if last is not None:
            place += 1 if setting.technique == last else 1 + _GAP
        placed.append((setting, place))
        last = setting.technique
    return tuple(placed)


def _chosen(recipe: Recipe | None, layer: str, setting: Setting) -> bool:
    override = recipe.layers.get(layer) if recipe else None
    if override is None:
        return False
    value = getattr(override, FIELDS[setting.technique])
    if value is None:
        return False
    return value is False if setting.technique == "int8" else abs(value - setting.level) < 1e-9


def heat_figure(info: HeatInfo) -> go.Figure:
    """Draw it: layers down, settings to the right, each technique a block of its own."""
    traces = [_block(info, technique) for technique in TECHNIQUES]
    return styled(
        [trace for trace in traces if trace] + [_targets(info)],
        x_title="",
        y_title="",
        height=_FRAME + _ROW * max(1, len(info.layers)),
        margin={"l": 8, "r": 8, "t": 68, "b": 80},
        coloraxis={
            "colorscale": _SCALE,
            "cmin": 0,
            "cmax": 1,
            "colorbar": _color_bar(info),
        },
        showlegend=False,
        hovermode="closest",
        hoverdistance=40,
        x_axis={
            "tickvals": [column for _, column in info.columns],
            "ticktext": [setting.label.removesuffix(" %") for setting, _ in info.columns],
            "range": [-0.5, info.columns[-1][1] + 0.5],
            "side": "top",
            "showgrid": False,
            "fixedrange": True,
            "tickangle": 0,
            "tickfont": {"size": 11},
        },
        y_axis={
            "tickvals": list(range(len(info.layers))),
            "ticktext": [_row_title(info, name) for name in info.layers],
            "range": [-0.5, len(info.layers) - 0.5],
            "showgrid": False,
            "fixedrange": True,
        },
        annotations=_heads(info),
        shapes=[_frame(cell) for cell in info.cells if cell.chosen],
    )


def shade(lost: float, threshold: float, most: float) -> float:
    """Where on the colours a loss is: 0 at none, a half at the threshold, 1 at the most.

    Linear below the threshold and logarithmic above it, where losses of 2 and of 80 points
    are both to be seen.
    """
    if lost <= threshold:
        return 0.5 * max(0.0, lost) / threshold
    return 0.5 + 0.5 * min(1.0, math.log(lost / threshold) / math.log(most / threshold))


def cell_text(cell: HeatCell) -> str:
    """A loss in as few signs as a narrow cell holds; ``~`` is what may be noise."""
    if cell.lost is None:
        return "?"
    size = abs(cell.lost)
    digits = 0 if size >= 9.95 else 1 if size >= 0.095 else 2 if size >= 0.0095 else 3
    shown = f"{cell.lost:.{digits}f}"
    if not float(shown) or (cell.noise and cell.lost < 0):
        shown = "0"
    return ("~" if cell.noise and shown != "0" else "") + shown.replace("-", "−")


def _block(info: HeatInfo, technique: Technique) -> dict[str, Any] | None:
    """The cells of one technique, as a grid with holes where it cannot act."""
    columns = [(s, x) for s, x in info.columns if s.technique == technique]
    if not columns:
        return None
    place = {setting: index for index, (setting, _) in enumerate(columns)}
    z: list[list[float | None]] = [[None] * len(columns) for _ in info.layers]
    text = [[""] * len(columns) for _ in info.layers]
    for cell in info.cells:
        if cell.setting in place:
            lost = info.most if cell.lost is None else cell.lost
            z[cell.row][place[cell.setting]] = shade(lost, info.threshold, info.most)
            text[cell.row][place[cell.setting]] = cell_text(cell)
    return {
        "type": "heatmap",
        "x0": columns[0][1],
        "dx": 1,
        "y0": 0,
        "dy": 1,
        "z": z,
        "text": text,
        "texttemplate": "%{text}",
        "textfont": {"size": 11},
        "xgap": 2,
        "ygap": 2,
        "coloraxis": "coloraxis",
        "hoverinfo": "skip",
        "hoverongaps": False,
    }


def _targets(info: HeatInfo) -> dict[str, Any]:
    """What can be clicked and hovered over the cells; nothing is to be seen of it."""
    quiet = {"marker": {"opacity": 0}}
    return {
        "type": "scatter",
        "x": [cell.column for cell in info.cells],
        "y": [cell.row for cell in info.cells],
        "mode": "markers",
        "marker": {
            "symbol": "square",
            "size": 19,
            "opacity": 0,
        },
        "selected": quiet,
        "unselected": quiet,
        "customdata": [
            [cell.layer, cell.setting.technique, cell.setting.level] for cell in info.cells
        ],
        "text": [_hover(info, cell) for cell in info.cells],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _hover(info: HeatInfo, cell: HeatCell) -> str:
    layer, unit = info.scan.by_name[cell.layer], info.scan.unit
    found = layer.cells[cell.setting]
    text = (
        f"<b>{html.escape(cell.layer)}</b> ({layer.type}, {layer.weights:,} weights)<br>"
        f"{cell.setting.words}: {lowered(unit.title)} {unit.show(cell.lost)}"
    )
    if found.low is not None and found.high is not None:
        text += f"<br>95 % interval {unit.show(found.low)} to {unit.show(found.high)}"
    if cell.noise:
        text += "<br>cannot be told from no loss"
    return text + ("<br>set in the recipe" if cell.chosen else "")


def _frame(cell: HeatCell) -> dict[str, Any]:
    """A line within the cell, some of which stays around it on a dark page as on a white one."""
    return {
        "type": "rect",
        "x0": cell.column - 0.41,
        "x1": cell.column + 0.41,
        "y0": cell.row - 0.33,
        "y1": cell.row + 0.33,
        "line": {"color": "#000000", "width": 2.5},
    }


def _heads(info: HeatInfo) -> list[dict[str, Any]]:
    heads = []
    for technique in TECHNIQUES:
        places = [x for setting, x in info.columns if setting.technique == technique]
        if places:
            heads.append(
                {
                    "x": (places[0] + places[-1]) / 2,
                    "y": 1,
                    "yref": "paper",
                    "yshift": 52,
                    "text": f"<b>{_HEADS[technique]}</b>",
                    "showarrow": False,
                }
            )
    return heads


def _color_bar(info: HeatInfo) -> dict[str, Any]:
    """Losses at the ends and at the limit, under the cells where a narrow page has room."""
    unit = info.scan.unit
    middle = math.sqrt(info.threshold * info.most)
    losses = (0.0, info.threshold, middle, info.most)
    return {
        "orientation": "h",
        "y": 0,
        "yanchor": "top",
        "thickness": 10,
        "len": 0.9,
        "tickvals": [shade(lost, info.threshold, info.most) for lost in losses],
        "ticktext": [f"{float(f'{lost:.2g}'):g}" for lost in losses],
        "title": {
            "text": f"{unit.title}{f' ({unit.name})' if unit.name else ''}",
            "side": "bottom",
        },
    }


def _row_title(info: HeatInfo, name: str) -> str:
    """A layer's name, bold when the recipe treats it in its own way."""
    short = html.escape(_short(name))
    return f"<b>{short}</b>" if name in info.own else short


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - _END - 1]}…{name[-_END:]}"
