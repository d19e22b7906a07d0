"""Which layers bear what: scan them, spare the sensitive ones in a recipe, run it, compare."""

import streamlit as st

from optimizer.data.objective import UNLABELLED
from optimizer.store.records import Study
from pages.parts import context
from pages.parts.sensitivity_map import draw_map
from pages.parts.sensitivity_recipe import draw_recipe, editing
from pages.parts.sensitivity_result import draw_result
from pages.parts.sensitivity_scan import chosen_scan, draw_scan, scannable


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    st.title("Sensitivity")
    st.caption(
        "Change one layer alone and see what that costs, give the layers that cost most a gentler "
        "setting, run the recipe, and compare."
    )
    facts = context.store().get_model(study.model_id).facts or {"layers": []}
    refusal = scannable(facts)
    if refusal:
        st.info(refusal, icon=":material/block:")
        _to_model(study)
        return
    draw_scan(study, facts)
    scan = chosen_scan(study)
    if scan is None:
        return
    edit = editing(study, facts, scan)
    threshold = draw_map(scan, edit)
    if edit is None:
        if UNLABELLED in study.task.split("+"):
            st.info(
                "Recipes that prune, cluster or train for int8 need labels, and this study has "
                "none, so there is no recipe to change here. Bring data with labels for that.",
                icon=":material/label_off:",
            )
        else:
            st.info("No recipe with settings for single layers can run on this model.")
            _to_model(study)
        return
    draw_recipe(edit, scan, threshold)
    draw_result(study, edit)


def _to_model(study: Study) -> None:
    st.page_link(
        context.MODEL,
        label="What can act on which layer",
        icon=":material/account_tree:",
        query_params=context.study_link(study),
    )


draw()
