"""What single layers get instead of the recipe's values, as a table to edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

_SPARSITY, _CLUSTERS, _AWARE = "Sparsity (%)", "Clusters", "QAT"
Overrides = dict[str, dict[str, Any]]


def load_layers(overrides: Overrides) -> None:
    """Set the table to a recipe's overrides; call before it is drawn."""
    st.session_state["opt_layers"] = overrides
    st.session_state["opt_layers_version"] = st.session_state.get("opt_layers_version", 0) + 1


def layers_form(recipe: Mapping[str, Any], model_facts: Mapping[str, Any]) -> Overrides:
    """Draw the table; returns a recipe's ``layers`` as plain data.

    Args:
        recipe: the other parts of the recipe, which decide what can be overridden.
        model_facts: the model's layers and what can act on them.
    """
    stored: Overrides = st.session_state.get("opt_layers", {})
    columns = _columns(recipe)
    rows = _rows(model_facts, columns, stored) if columns else []
    if not rows:
        return {}
    with st.expander("Per-layer settings", icon=":material/layers:"):
        st.caption("An empty cell takes the recipe's value.")
        edited = st.data_editor(
            pd.DataFrame(rows),
            key=f"opt_layers_{st.session_state.get('opt_layers_version', 0)}_{'_'.join(columns)}",
            hide_index=True,
            disabled=["Layer", "Type", "Parameters"],
            column_config=_column_config(),
        )
    overrides = _overrides(edited, columns)
    st.session_state["opt_layers_now"] = overrides
    return overrides


def _columns(recipe: Mapping[str, Any]) -> list[str]:
    """What can be set per layer in this recipe."""
    prune = recipe["prune"]
    columns = []
    if prune and prune["structure"]["kind"] != "n_m":
        columns.append(_SPARSITY)
    if recipe["cluster"]:
        columns.append(_CLUSTERS)
    if recipe["quantize"].get("aware"):
        columns.append(_AWARE)
    return columns


def _rows(
    model_facts: Mapping[str, Any], columns: list[str], stored: Overrides
) -> list[dict[str, Any]]:
    known = {_SPARSITY: ("prune", "channels"), _CLUSTERS: ("cluster",), _AWARE: ("quantize_aware",)}
    techniques = [name for column in columns for name in known[column]]
    rows = []
    for layer in model_facts["layers"]:
        able = any(layer["techniques"].get(name, "unknown") is None for name in techniques)
        if not layer["parameters"] or not able:
            continue
        override = stored.get(layer["name"], {})
        row = {"Layer": layer["name"], "Type": layer["type"], "Parameters": layer["parameters"]}
        if _SPARSITY in columns:
            share = override.get("final_sparsity")
            row[_SPARSITY] = None if share is None else 100 * share
        if _CLUSTERS in columns:
            row[_CLUSTERS] = override.get("number_of_clusters")
        if _AWARE in columns:
            row[_AWARE] = override.get("quantize") is not False
        rows.append(row)
    return rows


def _overrides(edited: pd.DataFrame, columns: list[str]) -> Overrides:
    overrides: Overrides = {}
    for row in edited.to_dict("records"):
        override: dict[str, Any] = {}
        if _SPARSITY in columns and pd.notna(row[_SPARSITY]):
            override["final_sparsity"] = float(row[_SPARSITY]) / 100
        if _CLUSTERS in columns and pd.notna(row[_CLUSTERS]):
            override["number_of_clusters"] = int(row[_CLUSTERS])
        if _AWARE in columns and not row[_AWARE]:
            override["quantize"] = False
        if override:
            overrides[str(row["Layer"])] = override
    return overrides


def _column_config() -> dict[str, Any]:
    return {
        "Parameters": st.column_config.NumberColumn(format="localized"),
        _SPARSITY: st.column_config.NumberColumn(
            min_value=0,
            max_value=99,
            help="Share of this layer's weights that become zero, or of its channels that are "
            "removed. Empty: as the recipe says.",
        ),
        _CLUSTERS: st.column_config.NumberColumn(
            min_value=2,
            max_value=1024,
            step=1,
            help="Distinct values in this layer. Empty: as the recipe says.",
        ),
        _AWARE: st.column_config.CheckboxColumn(
            help="Covered by quantization-aware training. A layer that is left out at the "
            "beginning or the end stays in float; one between quantized layers is quantized "
            "after training all the same."
        ),
    }
