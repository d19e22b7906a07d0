"""The heat map of a scan: how it was measured, what a layer may lose, clicks that set a layer."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from optimizer.charts.heat_map import heat_figure, heat_info
from optimizer.charts.style import CONFIG
from optimizer.format import format_metric, metric_title
from optimizer.measure.paired import AGREEMENT, DIFFERENCE
from optimizer.sensitivity.scan import TECHNIQUES, LayerScan, Scan, Setting, Technique
from pages.parts.schedule_form import KEEP
from pages.parts.sensitivity_edit import Edit
from pages.parts.table import show_table
from pages.parts.text import plain

_MOST_ROWS = 30
_SHOWN: dict[str, tuple[Technique, ...]] = {
    "All": TECHNIQUES,
    "Sparsity": ("prune",),
    "Clusters": ("cluster",),
    "int8": ("int8",),
}
_MODEL_ORDER, _WORST_FIRST = "As in the model", "Most sensitive first"


def draw_map(scan: Scan, edit: Edit | None) -> float:
    """Draw it; returns what one layer may lose, in the scan's unit.

    Args:
        scan: what was found.
        edit: the recipe that clicks change; ``None`` where there is none.
    """
    st.header("What each layer bears")
    st.caption(_how(scan))
    threshold = _threshold(scan)
    layers = _rows(scan)
    if not layers:
        st.info("No layer's name has this text in it. Clear the filter to see all.")
        return threshold
    shown = _SHOWN[st.session_state.get("sense_shown") or "All"]
    info = heat_info(scan, layers, edit.recipe if edit else None, threshold, shown)
    if not info.columns:
        st.info("This scan did not try that. Show all, or scan again.")
        return threshold
    version = edit.recipe.hash[:12] if edit else "none"
    view = f"{len(layers)}-{layers[0].name}-{scan.output}-{threshold:g}-{len(shown)}-{shown[0]}"
    key = f"sense_map-{version}-{view}"
    st.plotly_chart(
        heat_figure(info),
        config={**CONFIG, "displayModeBar": False},
        key=key,
        on_select=(lambda: _clicked(key, edit, scan)) if edit else "ignore",
        selection_mode="points",
        alt=f"{scan.unit.title} of {len(layers)} layers in {len(info.columns)} settings, each "
        "changed alone; the same figures are in the table behind the button below",
    )
    st.caption(_legend(scan, edit))
    with st.container(horizontal=True):
        with st.popover("As a table", icon=":material/table:"):
            show_table(_table(scan), hide_index=True, alt=f"{scan.unit.title} by layer and setting")
        if edit:
            _by_hand(scan, edit)
    return threshold


def _how(scan: Scan) -> str:
    """What was measured, on how many samples, and what difference is noise; for Markdown."""
    of = "all" if scan.samples == scan.test_samples else f"{scan.samples:,} of the"
    text = (
        f"One layer changed at a time, the rest in float32, nothing trained. Judged on {of} "
        f"{scan.test_samples:,} held-out test samples"
    )
    if scan.metric not in (AGREEMENT, DIFFERENCE):
        which = f" of the output {plain(scan.output)}" if len(scan.outputs) > 1 else ""
        value = "" if scan.value is None else f", {format_metric(scan.metric, scan.value)} with "
        text += f" by {metric_title(scan.metric)}{which}{value and value + 'nothing changed'}"
    text += f". {scan.unit.explanation}"
    floor = scan.noise_floor
    if floor:
        text += (
            f" With so many samples a figure is known to ±{scan.unit.show(floor)} at best (95 %); "
            r"those marked \~ cannot be told from no loss."
        )
    return text


def _threshold(scan: Scan) -> float:
    unit = scan.unit
    name = f" ({unit.name})" if unit.name else ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        value = st.number_input(
            f"Limit for one layer{name}",
            min_value=unit.step,
            max_value=1000.0,
            value=unit.threshold,
            step=unit.step,
            format="%.3f" if unit.step < 0.05 else "%.2f",
            key=f"sense_threshold-{unit.title}",
            persist_state=KEEP,
            width=220,
            help="Blue cells cost less than this, orange ones more. It is also what protecting "
            "the sensitive layers keeps to. A point or less is usual: losses of several layers "
            "add up, and fine-tuning wins part of them back.",
        )
        st.segmented_control(
            "Order",
            [_MODEL_ORDER, _WORST_FIRST],
            default=_MODEL_ORDER,
            required=True,
            key="sense_order",
            persist_state=KEEP,
            help="How the layers are listed, from the top.",
        )
        st.segmented_control(
            "Show",
            list(_SHOWN),
            default="All",
            required=True,
            key="sense_shown",
            persist_state=KEEP,
            help="One kind of change alone has more room on a narrow screen.",
        )
        if len(scan.layers) > 8:
            st.text_input(
                "Layers whose name has",
                key="sense_filter",
                placeholder="for example conv",
                width=220,
                help="Shows only layers with this text in their name.",
            )
    return float(value)


def _rows(scan: Scan) -> list[LayerScan]:
    """The layers to show, from the top, by the controls."""
    state = st.session_state
    wanted = str(state.get("sense_filter") or "").lower() if len(scan.layers) > 8 else ""
    layers = [layer for layer in scan.layers if layer.cells and wanted in layer.name.lower()]
    if state.get("sense_order") == _WORST_FIRST:
        layers.sort(key=lambda layer: -layer.worst())
    if len(layers) > _MOST_ROWS and not st.toggle(
        f"Show all {len(layers)} layers",
        key="sense_all",
        persist_state=KEEP,
        help=f"Otherwise the first {_MOST_ROWS} in this order.",
    ):
        return layers[:_MOST_ROWS]
    return layers


def _legend(scan: Scan, edit: Edit | None) -> str:
    blank = any(len(layer.cells) < len(scan.settings) for layer in scan.layers)
    text = "Empty cells: the technique cannot act on that layer. " if blank else ""
    if edit:
        text += (
            "Click a cell to give that layer this setting in the recipe below (in the column int8: "
            "to leave it in float), and again to take it back. Framed cells are set; layers with "
            "settings of their own are bold."
        )
    return text


def _clicked(key: str, edit: Edit, scan: Scan) -> None:
    event: Any = st.session_state.get(key)
    points = event.selection.points if event else []
    if points and points[0].get("customdata"):
        layer, technique, level = points[0]["customdata"]
        edit.toggle(scan, layer, Setting(technique, float(level)))


def _by_hand(scan: Scan, edit: Edit) -> None:
    """The same as a click on a cell, for those who use no pointer."""
    with st.popover("Set a layer", icon=":material/edit:"):
        layer = st.selectbox(
            "Layer",
            [layer.name for layer in scan.layers if layer.cells],
            key="sense_layer",
            help="The layers that were scanned.",
        )
        settings = [s for s in scan.settings if s in scan.by_name[layer].cells]
        setting = st.selectbox(
            "Setting",
            settings,
            format_func=lambda s: "left in float" if s.technique == "int8" else s.words,
            key="sense_setting",
            help="What the recipe does to this layer instead of its own value.",
        )
        st.button(
            "Set or take back",
            key="sense_set",
            help="The same as a click on the cell.",
            on_click=edit.toggle,
            args=(scan, layer, setting),
        )


def _table(scan: Scan) -> pd.DataFrame:
    """Loss by layer and setting, in the scan's unit."""
    heads = {
        setting: {"prune": "Sparsity ", "cluster": "Clusters ", "int8": ""}[setting.technique]
        + setting.label
        for setting in scan.settings
    }
    return pd.DataFrame(
        [
            {
                "Layer": layer.name,
                "Type": layer.type,
                "Weights": layer.weights,
                **{
                    head: layer.cells[setting].lost if setting in layer.cells else None
                    for setting, head in heads.items()
                },
            }
            for layer in scan.layers
        ]
    )
