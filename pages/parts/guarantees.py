"""What a variant's recipe promised, and whether the file keeps it."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import streamlit as st

from optimizer.errors import FeatherweightError
from optimizer.guarantees import channel_rows, layer_rows, left_in_float, promise_rows
from optimizer.measured import Measured
from optimizer.store.records import Variant
from pages.parts.context import store
from pages.parts.downloads import layers_of
from pages.parts.table import show_table
from pages.parts.text import plain

_TRAINING = ("quantize_aware", "cluster", "prune")
"""Stages that promise something, the last one first: it carries the promises of the others."""


def warn_of_broken(found: Measured) -> None:
    """A headline for a variant whose file is not what was asked for."""
    if found.broken:
        lines = [f"- {plain(p.promise)}: {plain(p.found)}" for p in found.broken]
        st.error(
            "\n".join(lines) + "\n\nThe figures below are measured on this file as it is.",
            title="Done, but the file does not keep what the recipe promised",
            icon=":material/heart_broken:",
        )


def draw_guarantees(variant: Variant, baseline: Variant | None, found: Measured) -> None:
    """Every promise with what was read out of the file, then layer by layer."""
    for note in found.notes:
        st.info(plain(note), title="Note of the conversion", icon=":material/info:")
    if found.promises:
        st.header("What the recipe promised, read out of the file")
        _promises(found)
        _per_layer(variant)
    if baseline is not None and baseline.results and not variant.is_baseline:
        _channels(variant, baseline)
    _left_in_float(variant)


def _promises(found: Measured) -> None:
    show_table(
        pd.DataFrame(promise_rows(found)),
        hide_index=True,
        column_config={
            "Kept": st.column_config.TextColumn(
                width="small", help="Whether the file that ships keeps it"
            ),
            "Promise": st.column_config.TextColumn(width="large"),
            "Found in the file": st.column_config.TextColumn(width="medium"),
        },
        alt="The recipe's promises with what was found in the file",
    )


def _per_layer(variant: Variant) -> None:
    name = next((name for name in _TRAINING if name in variant.stages), None)
    promises = _stage_file(variant, name, "promises.json") if name else {}
    rows = layer_rows(promises, _layers(variant)) if promises else []
    if not rows:
        return
    with st.expander(f"Layer by layer ({len(rows)})", icon=":material/fact_check:"):
        show_table(
            pd.DataFrame(rows),
            hide_index=True,
            placeholder="–",
            column_config={
                "Zeros promised (%)": st.column_config.NumberColumn(
                    format="%.1f",
                    help="A layer of few weights, or of few blocks, can miss the share by less "
                    "than one of them, and still keeps the promise.",
                ),
                "Zeros (%)": st.column_config.NumberColumn(format="%.1f"),
                "Distinct": st.column_config.NumberColumn(
                    help="In the tensor, or in each output channel where channels have scales of "
                    "their own"
                ),
                "Channels": st.column_config.NumberColumn(help="Output channels in the file"),
            },
            alt="What was promised for each layer and what the file has",
        )


def _channels(variant: Variant, baseline: Variant) -> None:
    rows = channel_rows(_layers(baseline), _layers(variant))
    if not rows:
        return
    before, left = (sum(row[f"Channels {when}"] for row in rows) for when in ("before", "left"))
    st.header("Channels left")
    st.caption(
        f"{left:,} of {before:,} output channels are left, as the file's shapes say. "
        "Depthwise layers have as many as the layer before them."
    )
    show_table(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "Removed (%)": st.column_config.ProgressColumn(
                format="%.0f %%", min_value=0, max_value=100
            )
        },
        alt="Output channels of each layer in the baseline and in this variant",
    )


def _left_in_float(variant: Variant) -> None:
    rows = left_in_float(_stage_file(variant, "quantize_aware", "training.json"))
    if not rows:
        return
    st.header("Left out of quantization-aware training")
    st.caption(
        "The table of the file's layers below says how each is stored: between quantized "
        "layers the converter may quantize one all the same."
    )
    show_table(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={"Why": st.column_config.TextColumn(width="large")},
        alt="Layers that quantization-aware training left out, and why",
    )


def _layers(variant: Variant) -> list[dict[str, Any]]:
    try:
        return layers_of(variant)
    except FeatherweightError:
        return []


def _stage_file(variant: Variant, stage: str | None, file: str) -> dict[str, Any]:
    """What a variant's stage wrote; nothing where it is not there (older or imported ones)."""
    if stage is None or stage not in variant.stages:
        return {}
    try:
        return json.loads(store().artifacts.read(variant.stages[stage], file))
    except FeatherweightError:
        return {}
