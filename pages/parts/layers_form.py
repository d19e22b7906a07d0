"""What single layers get instead of the recipe's values, as a table to edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from optimizer.layer_settings import (
    Settings,
    misplaced,
    settable,
    setting_rows,
    settings_of,
    with_hidden,
)
from pages.parts.text import plain

_KEPT, _VERSION, _START = "opt_layers", "opt_layers_version", "opt_layers_start"


def load_layers(settings: Settings) -> None:
    """Set the table to a recipe's settings; call before it is drawn."""
    st.session_state[_KEPT] = settings
    st.session_state[_VERSION] = st.session_state.get(_VERSION, 0) + 1


def layers_form(recipe: Mapping[str, Any], model_facts: Mapping[str, Any]) -> Settings:
    """Draw the table; returns a recipe's ``layers`` as plain data.

    Args:
        recipe: the other parts of the recipe, which decide what can be set.
        model_facts: the model's layers and what can act on them.
    """
    state, fields = st.session_state, settable(recipe)
    key = f"opt_layers_{state.get(_VERSION, 0)}_{'_'.join(fields)}"
    if key not in state:  # the table is new on the page: it has forgotten what was edited
        state[_START] = state.get(_KEPT, {})
    rows = setting_rows(recipe, model_facts["layers"], state[_START])
    if not rows:
        return {}
    with st.expander("Per-layer settings", icon=":material/layers:"):
        st.caption("An empty cell takes the value from the controls above.")
        edited = st.data_editor(
            pd.DataFrame(rows),
            key=key,
            hide_index=True,
            placeholder="as above",
            disabled=["name", "type", "parameters"],
            column_config=_columns(recipe),
            alt="Settings of single layers",
        )
    lost = misplaced(state[_START], rows, fields)
    if lost:
        st.warning(
            plain(
                f"The recipe has settings for {', '.join(map(repr, lost))}, which they cannot act "
                "on in this model; they are left out."
            )
        )
    settings = settings_of(edited.astype(object).to_dict("records"), fields)
    state[_KEPT] = with_hidden(settings, state.get(_KEPT, {}), fields)
    return settings


def _columns(recipe: Mapping[str, Any]) -> dict[str, Any]:
    prune, number = recipe["prune"], st.column_config.NumberColumn
    channels = bool(prune) and prune["structure"]["kind"] == "channels"
    return {
        "name": "Layer",
        "type": "Type",
        "parameters": number("Parameters", format="localized"),
        "final_sparsity": number(
            "Channels removed (%)" if channels else "Sparsity (%)",
            min_value=0,
            max_value=99,
            help="Share of this layer's channels that are removed. 0 leaves it as it is."
            if channels
            else "Share of this layer's weights that become zero. 0 leaves it as it is.",
        ),
        "number_of_clusters": number(
            "Clusters", min_value=2, max_value=1024, step=1, help="Distinct values in this layer."
        ),
        "quantize": st.column_config.CheckboxColumn(
            "QAT",
            help="Whether quantization-aware training covers it. A layer that is left out at the "
            "beginning or the end of the model stays in float; one between quantized layers is "
            "quantized after training all the same.",
        ),
    }
