"""Running a recipe with spared layers beside the one before, and what sets them apart."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from optimizer.charts.tradeoff import COST_TITLES, Cost, tradeoff_figure, tradeoff_info
from optimizer.comparison import comparison_table
from optimizer.errors import InputError
from optimizer.feasible import objections
from optimizer.format import format_seconds, metric_words
from optimizer.grid import Expansion
from optimizer.recipe import Recipe
from optimizer.sensitivity.difference import difference, siblings
from optimizer.store.records import ACTIVE, Study, Variant
from optimizer.sweep import plan_here
from pages.parts import context
from pages.parts.chart import draw_chart
from pages.parts.runs import live_runs
from pages.parts.sensitivity_edit import Edit
from pages.parts.sensitivity_recipe import find
from pages.parts.text import plain

_COSTS: dict[str, Cost] = {
    "gzip": "gzip_bytes",
    "As it ships": "size_bytes",
    "Latency": "latency",
}


def draw_result(study: Study, edit: Edit) -> None:
    """Run, watch, compare."""
    st.header("Run and compare")
    _run(study, edit)
    active = context.store().list_runs(study_id=study.id, states=ACTIVE)
    running = tuple(run.id for run in reversed(active) if run.kind == "variants")
    if running:
        live_runs(running, follow=True)
    _compare(study, edit)


def _run(study: Study, edit: Edit) -> None:
    wanted = [edit.base] if edit.recipe == edit.base else [edit.base, edit.recipe]
    missing = [recipe for recipe in wanted if not _measured(find(recipe))]
    facts = context.store().get_model(study.model_id).facts or {"layers": []}
    problems = objections(edit.recipe, facts, study.task)
    for problem in problems:
        st.error(plain(problem), title="Not possible with this model")
    if not missing:
        st.caption(
            "Both recipes have been measured."
            if len(wanted) > 1
            else "The recipe before has been measured. Spare some layers to have something to run."
        )
        return
    _time(study, missing)
    busy = any((variant := find(recipe)) and variant.state in ACTIVE for recipe in missing)
    if st.button(
        "Run" if len(missing) == 1 else "Run both",
        type="primary",
        icon=":material/play_arrow:",
        disabled=busy or bool(problems),
        help="Makes and measures the recipe after, and the one before if that has not been "
        "measured. In the background; steps that were computed before are not computed again.",
    ):
        _queue(study, missing)
        st.rerun()


def _measured(variant: Variant | None) -> bool:
    return variant is not None and variant.state == "done"


def _queue(study: Study, recipes: Sequence[Recipe]) -> None:
    store = context.store()
    ids = [store.add_variant(study.id, recipe).id for recipe in recipes]
    title = f"Sensitive layers spared: {recipes[-1].name}"
    store.queue_run("variants", title, study_id=study.id, variant_ids=ids)


def _time(study: Study, recipes: Sequence[Recipe]) -> None:
    try:
        plan = plan_here(context.store(), study, Expansion(tuple(recipes), ()))
    except InputError as error:  # the model does not allow it, which is said above
        st.caption(plain(str(error)))
        return
    if plan.seconds is None:
        st.caption("How long it takes is not known yet: nothing like it has run in this study.")
    else:
        st.caption(f"About {format_seconds(plan.seconds)}, judging by this study's earlier runs.")


def _compare(study: Study, edit: Edit) -> None:
    """The recipe before, every one made from it, and the baseline in one chart."""
    variants = context.study_variants(study)
    family = siblings(edit.base, variants)
    baseline = [variant for variant in variants if variant.is_baseline and variant.results]
    before = next((variant for variant in family if variant.recipe == edit.base), None)
    others = [variant for variant in family if variant.recipe != edit.base]
    current = find(edit.recipe)
    after = current if current in others else (others[-1] if others else None)
    if before is None or after is None:
        st.info("The two recipes appear here side by side when both have been measured.")
        return
    _words(before, after, is_current=after.recipe == edit.recipe)
    label = st.segmented_control(
        "Cost",
        list(_COSTS),
        default="gzip",
        required=True,
        key="sense_cost",
        help="What the horizontal axis shows. gzip: the file compressed, as a download is.",
    )
    cost = _COSTS[label or "gzip"]
    shown = [*baseline, *family]
    info = tradeoff_info(shown, cost, after.id)
    if info.points:
        draw_chart(
            tradeoff_figure(info),
            f"sense_tradeoff-{cost}-{after.id}",
            f"{COST_TITLES[cost]} against {metric_words(info.metric)}: the baseline, the recipe "
            f"before and {len(others)} made from it by sparing layers; the newest is ringed",
            _table(shown),
        )
    else:
        st.info("This was not measured for these variants.")
    st.page_link(
        context.VARIANT,
        label="Look inside the recipe after",
        icon=":material/layers:",
        query_params=context.study_link(study, variant=after.id),
    )


def _words(before: Variant, after: Variant, *, is_current: bool) -> None:
    sentences = difference(before, after)
    title = "After, against before" if is_current else f"{after.name}, against before"
    st.info(
        plain(" ".join(sentences)) if sentences else "Nothing was measured to compare.",
        title=plain(title),
        icon=":material/compare_arrows:",
    )
    st.caption(
        "The test samples that measure both also chose the layers, so a small gain may be luck. A "
        "search confirms its winner on samples that it never saw."
    )


def _table(variants: Sequence[Variant]) -> pd.DataFrame:
    return comparison_table(variants).drop(columns="id")
