"""Choosing one variant of a study, on every page about a single variant."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from optimizer.comparison import suggested
from optimizer.measured import marked_name
from optimizer.store.records import Study, Variant
from pages.parts import context


def pick_variant(study: Study) -> Variant:
    """The variant in the address, or the one chosen last; a picker changes it.

    At first it is the one that Compare shows, so that all pages are about the same variant.

    Ends the page when the study has none.
    """
    variants: Sequence[Variant] = context.store().list_variants(study.id)
    if not variants:
        st.info("This study has no variants yet.")
        st.stop()
    chosen = context.chosen_variant_id(study)
    by_id = {variant.id: variant for variant in variants}
    if chosen is not None and chosen not in by_id:
        st.warning(
            f"The address names the variant {chosen!r}, which is not in this study. "
            "Another one is shown."
        )
    ids = list(by_id)
    first = suggested(variants) or variants[-1]
    st.session_state["variant_pick"] = chosen if chosen in by_id else first.id
    picked = st.selectbox(
        "Variant",
        ids,
        format_func=lambda variant_id: marked_name(by_id[variant_id]),
        key="variant_pick",
        help="Every variant of this study, the baseline too.",
        on_change=lambda: context.choose_variant(by_id[st.session_state["variant_pick"]]),
    )
    context.choose_variant(by_id[picked])
    return by_id[picked]


def known_layers(study: Study) -> tuple[str, ...]:
    """Names of the layers of a study's model, by which weights in a file are named."""
    facts = context.store().get_model(study.model_id).facts or {"layers": []}
    return tuple(layer["name"] for layer in facts["layers"])
