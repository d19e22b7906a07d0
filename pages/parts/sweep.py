"""A sweep: its widgets, what it will take, and the button that runs it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from optimizer.errors import InputError
from optimizer.feasible import cautions
from optimizer.format import format_seconds
from optimizer.grid import Grid
from optimizer.store.records import ACTIVE, Study
from optimizer.sweep import SweepPlan, plan_here, sweep_title
from optimizer.vary_grid import vary
from pages.parts import context
from pages.parts.sweep_form import sweep_form, uploaded_grid
from pages.parts.table import show_table
from pages.parts.text import plain

_MOST_REASONS = 6


def sweep_controls(model_facts: Mapping[str, Any]) -> Grid | str:
    """Draw the controls; returns the grid they say, or why there is none."""
    if (given := uploaded_grid()) is not None:
        return given
    base, varied = sweep_form(model_facts)
    if not varied:
        return "Choose at least one setting to vary, or run one recipe."
    try:
        return Grid.parse(vary(base, varied))
    except InputError as error:
        return str(error).removeprefix("The grid cannot be used. ")


def sweep_outlook(study: Study, grid: Grid | str) -> None:
    """Draw what the sweep takes and what is left out, and run it when asked to."""
    st.header("What will happen")
    try:
        if isinstance(grid, str):
            raise InputError(grid)
        plan = plan_here(context.store(), study, grid.expand())
    except InputError as error:
        st.error(plain(str(error)), title="Not possible")
        _run_button(disabled=True)
        return
    _figures(plan)
    _left_out(grid, plan)
    _cautions(study, plan)
    _variants(plan)
    _ask_to_run(study, grid, plan)
    st.download_button(
        "Download grid.json",
        grid.canonical_json(indent=2) + "\n",
        file_name="grid.json",
        mime="application/json",
        on_click="ignore",
        icon=":material/download:",
        help="Runs on the command line too: python -m optimizer sweep MODEL --data DATA "
        "--grid grid.json --out DIR",
    )


def _figures(plan: SweepPlan) -> None:
    saved = plan.trainings_alone - plan.trainings
    with st.container(border=True):
        first, second = st.columns(2)
        first.metric(
            "Variants",
            len(plan.recipes),
            help="Recipes that can run here and give files of their own.",
        )
        second.metric(
            "Trainings",
            plan.trainings,
            f"{saved} saved by sharing" if saved else None,
            delta_color="off",
            delta_arrow="off",
            help="Prunings, clusterings and quantization-aware trainings that the variants need "
            "together. What several have in common is trained once.",
        )
    stages = f"{plan.stages} stages after sharing; {plan.stored} of them are in the store."
    if plan.stored == plan.stages:
        stages = f"All {plan.stages} stages are in the store: nothing has to be computed."
    lines = [*_before(plan), stages, *_time(plan)]
    st.markdown("\n".join(f"- {line}" for line in lines))


def _before(plan: SweepPlan) -> list[str]:
    """What is known of the variants from earlier runs."""
    if not plan.done:
        return []
    which = "All" if plan.done == len(plan.recipes) else str(plan.done)
    line = f"Measured in this study before: {which.lower()} of the variants."
    if plan.again:
        line += (
            f" Made again all the same: {plan.again}, of which the store has not every stage, "
            "because another machine, version or number of threads made them."
        )
    return [line]


def _time(plan: SweepPlan) -> list[str]:
    if plan.stages == plan.stored:
        return []
    if plan.seconds is None:
        return ["How long it takes is not known yet: nothing like it has run in this study."]
    return [f"About {format_seconds(plan.seconds)}, judging by this study's earlier runs."]


def _left_out(grid: Grid, plan: SweepPlan) -> None:
    count = sum(item.count for item in plan.left_out)
    if not count:
        return
    with st.expander(
        f"{count} of {grid.combinations} combinations are left out", icon=":material/filter_alt:"
    ):
        for item in plan.left_out[:_MOST_REASONS]:
            more = f" and {item.count - 1} more" if item.count > 1 else ""
            st.markdown(f"{plain(item.reason)}  \n:gray[{plain(item.example)}{more}]")
        if len(plan.left_out) > _MOST_REASONS:
            st.caption(f"{len(plan.left_out) - _MOST_REASONS} more reasons")


def _cautions(study: Study, plan: SweepPlan) -> None:
    data = context.store().get_dataset(study.dataset_id).facts or {}
    found = dict.fromkeys(text for recipe in plan.recipes for text in cautions(recipe, data))
    for text in list(found)[:2]:
        st.warning(plain(text))


def _variants(plan: SweepPlan) -> None:
    with st.expander(f"The {len(plan.recipes)} variants", icon=":material/list:"):
        show_table(
            pd.DataFrame({"Variant": [recipe.name for recipe in plan.recipes]}),
            hide_index=True,
            height="auto" if len(plan.recipes) <= 12 else 420,
            alt="The variants of the sweep",
        )


def _run_button(*, disabled: bool = False) -> bool:
    return st.button(
        "Run the sweep",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=disabled,
        help="Runs in the background. Steps that were computed before are not computed again.",
    )


def _ask_to_run(study: Study, grid: Grid, plan: SweepPlan) -> None:
    said = json.loads(grid.canonical_json())
    active = context.store().list_runs(study_id=study.id, states=ACTIVE)
    if _run_button(disabled=any(run.options.get("grid") == said for run in active)):
        variants = context.store().add_variants(study.id, list(plan.recipes))
        context.store().queue_run(
            "variants",
            sweep_title(len(variants)),
            study_id=study.id,
            variant_ids=[variant.id for variant in variants],
            options={"grid": said, "expected": dict(plan.expected)},
        )
        st.rerun()
