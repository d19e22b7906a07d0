"""Three questions, and recipes to try with their reasons."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from optimizer.advise.case import OUT, Reason
from optimizer.advise.rank import Advice, LeftOut, Report, Standing
from optimizer.advise.rules import RULES
from optimizer.advise.search_for import search_for
from optimizer.advise.situation import Situation
from optimizer.advise.wish import PRIORITIES, TARGETS, Wish, limit_text, loss_scale, loss_text
from optimizer.errors import InputError
from optimizer.format import format_bytes, format_count, format_metric, is_share
from optimizer.grid import Grid
from optimizer.measured import measured
from optimizer.presets import explain
from optimizer.store.records import ACTIVE, Study
from pages.parts import context
from pages.parts.advice import (
    advisor_report,
    known_situation,
    lose_key,
    recipe_buttons,
    recipe_cost,
    source_text,
    wish_of,
)
from pages.parts.runs import live_runs
from pages.parts.schedule_form import KEEP
from pages.parts.text import plain

_FIRST_REASONS = 4
_MOST_NAMES = 3


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    st.title("Advisor")
    st.caption(
        "Three questions, then recipes to try. Each reason is a rule with its source, or a figure "
        "measured on this model."
    )
    known = known_situation(study)
    wish = _questions(study, known)
    _facts(known, wish)
    _active(study)
    found = advisor_report(study, wish)
    _answer(study, known, wish, found)
    if not found.impossible:
        _search(study, known, wish)
        _left_out(found)
    _rules()


def _questions(study: Study, known: Situation) -> Wish:
    with st.container(border=True, key="advisor_questions"):
        st.segmented_control(
            "Where will it run?",
            list(TARGETS),
            format_func=TARGETS.__getitem__,
            default="cpu",
            required=True,
            key="advisor_target",
            persist_state=KEEP,
            help="What the hardware computes with decides which number formats make sense.",
        )
        left, right = st.columns(2, vertical_alignment="bottom")
        left.selectbox(
            "What matters most?",
            list(PRIORITIES),
            format_func=PRIORITIES.__getitem__,
            key="advisor_priority",
            persist_state=KEEP,
            help="Download size: the file gzip-compressed. Size in flash: the file as it ships. "
            "Latency: time of one inference. Memory: what it needs beside the file.",
        )
        if known.metric is None:
            right.markdown(
                "The study has no labels, so what is lost cannot be measured; only recipes that "
                "train nothing are possible."
            )
        else:
            _limit(study, known.metric, right)
    return wish_of(study, known)


def _limit(study: Study, metric: str, place: st.delta_generator.DeltaGenerator) -> None:
    scale, key = loss_scale(metric), lose_key(study)
    st.session_state.setdefault(key, scale.default)
    place.number_input(
        scale.label,
        0.0,
        None if scale.per_unit == 0.005 else 1.0 / scale.per_unit,
        step=scale.step,
        format="%g",
        key=key,
        persist_state=KEEP,
        help="Against the float32 baseline, on the test samples; of the first output where the "
        "model has several. Zero: nothing may be lost.",
    )


def _facts(known: Situation, wish: Wish) -> None:
    """What the advice rests on, as far as it is known."""
    base, kind = measured(known.baseline), known.model_facts.get("kind", "keras")
    parts = []
    if base is not None:
        if base.size_bytes is not None:
            form = "the TFLite file that was brought" if kind == "tflite" else "float32 TFLite"
            parts.append(f"{format_bytes(base.size_bytes)} as {form}")
        if base.value is not None and known.metric:
            count = f" on {base.samples:,} test samples" if base.samples else ""
            parts.append(f"{format_metric(base.metric, base.value)}{count}")
        if base.macs is not None:
            parts.append(f"{format_count(base.macs)} multiply-accumulates")
    if known.layers_with_weights:
        largest = max(known.layers_with_weights, key=lambda layer: int(layer["parameters"]))
        share = known.share_of_parameters([largest["name"]]) or 0.0
        parts.append(f"{100 * share:.0f} % of the parameters in {largest['name']}")
    if known.sensitivity is None and known.labelled and kind == "keras":
        parts.append("no sensitivity scan of single layers yet")
    text = " · ".join(parts) if base else "The baseline is not measured yet."
    st.caption(f"This model: {plain(text)}")
    few = base.samples if base else None
    if few and wish.may_lose is not None and is_share(known.metric or "") and wish.may_lose:
        least = 1 / few
        if wish.may_lose < least:
            st.warning(
                f"One of the {few:,} test samples is {100 * least:.2f} points, more than what may "
                "be lost: whether a recipe keeps the limit is then a matter of single samples."
            )


def _active(study: Study) -> None:
    runs = context.store().list_runs(study_id=study.id, states=ACTIVE)
    if runs:
        live_runs(tuple(run.id for run in reversed(runs)))


def _answer(study: Study, known: Situation, wish: Wish, found: Report) -> None:
    where = f"{TARGETS[wish.target]}, {PRIORITIES[wish.priority].lower()} first"
    limit = (
        f", {limit_text(wish.may_lose, known.metric)}"
        if known.metric is not None and wish.may_lose is not None
        else ""
    )
    st.header(f"For: {where}{limit}")
    if found.impossible:
        st.info(plain(found.impossible), title="There is nothing to try with this model")
        return
    place = 1
    for standing in found.standing:
        _standing(study, known, standing, place)
        place += 1
    for advice in found.advice:
        _advice(study, known, advice, place, main=advice is found.advice[0])
        place += 1
    if not found.advice:
        st.info(
            "Nothing that is left to try promises more than what is measured. Change an answer "
            "above, or see below why the others are left out."
            if found.standing
            else "Nothing suits these answers; see below why the recipes are left out.",
            icon=":material/task_alt:",
        )


def _standing(study: Study, known: Situation, standing: Standing, place: int) -> None:
    """A measured variant that suits."""
    variant, loss = standing.variant, known.loss(standing.variant)
    with st.container(border=True, key=f"advice-{place}"):
        _head(place, variant.name, ":green-badge[:material/check_circle: Measured in this study]")
        lost = f"; it {loss_text(loss, known.metric)}" if loss is not None and known.metric else ""
        st.markdown(plain(f"{standing.figure}{lost}."))
        st.page_link(
            context.VARIANT,
            label="See the variant",
            icon=":material/layers:",
            query_params=context.study_link(study, variant=variant.id),
        )


def _advice(study: Study, known: Situation, advice: Advice, place: int, *, main: bool) -> None:
    with st.container(border=True, key=f"advice-{place}"):
        _head(place, advice.recipe.name, ":blue-badge[:material/experiment: To try]")
        st.markdown("  \n".join(_line(reason) for reason in advice.reasons[:_FIRST_REASONS]))
        rest = advice.reasons[_FIRST_REASONS:]
        with st.expander(
            f"{len(rest)} more reason{'s' * (len(rest) != 1)}, and what it does"
            if rest
            else "What it does"
        ):
            if rest:
                st.markdown("  \n".join(_line(reason) for reason in rest))
            steps = (f"{i}. {plain(line)}" for i, line in enumerate(explain(advice.recipe), 1))
            st.markdown("\n".join(steps))
        st.caption(plain(recipe_cost(study, advice.recipe, known)))
        recipe_buttons(study, advice.recipe, f"advice-{place}", main=main)


def _head(place: int, name: str, badge: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"### {place} · {plain(name)}", width="content")
        st.markdown(badge, width="content")


_SIGNS = {1: "add_circle", 0: "info", -1: "do_not_disturb_on"}


def _line(reason: Reason) -> str:
    sign = _SIGNS[(reason.points > 0) - (reason.points < 0)]
    return f":material/{sign}: {plain(reason.text)} :small[({source_text(reason.source)})]"


def _search(study: Study, known: Situation, wish: Wish) -> None:
    try:
        objective, space = search_for(known, wish)
    except InputError as error:
        st.caption(f"No search for this: {plain(str(error))}")
        return
    if st.button(
        "Search with these limits",
        icon=":material/manage_search:",
        key="advisor_search",
        help="Fills in the Search page: the objective, what may be lost, and a space that this "
        "target allows. Nothing runs before you press Search there.",
    ):
        state = st.session_state
        state["search_objective"] = objective
        state["search_size"] = state["search_ratio"] = None
        if wish.may_lose is not None:
            share = is_share(known.metric or "accuracy")
            state["search_drop"] = round((100 if share else 200) * wish.may_lose, 6)
        state["search_grid"] = Grid.parse(json.dumps(space)).canonical_json(indent=2)
        state["search_grid_name"] = f"the advisor, for {TARGETS[wish.target]}"
        st.switch_page(context.SEARCH, query_params=context.study_link(study))


def _left_out(found: Report) -> None:
    """Why the other recipes are not advised; those of one reason together."""
    if not found.left_out:
        return
    reasons: dict[str, list[LeftOut]] = {}
    for item in found.left_out:
        reasons.setdefault(item.reason.text, []).append(item)
    with st.expander(f"Why not others? {len(found.left_out)} recipes", icon=":material/block:"):
        for text, items in reasons.items():
            names = ", ".join(plain(item.recipe.name) for item in items[:_MOST_NAMES])
            more = f" and {len(items) - _MOST_NAMES} more" if len(items) > _MOST_NAMES else ""
            st.markdown(
                f"{plain(text)} :small[({source_text(items[0].reason.source)})]  \n"
                f":small[:gray[{names}{more}]]"
            )


def _points(points: int) -> str:
    if points <= OUT:
        return "not advised"
    return f"{points:+d}" if points else "0"


def _rules() -> None:
    with st.expander(f"All {len(RULES)} rules", icon=":material/rule:"):
        st.caption(
            "A recipe's place is the sum of the points of the rules that concern it. A rule that "
            "lacks a figure says nothing."
        )
        rows = [
            {
                "Rule": plain(rule.text),
                "Points": _points(rule.points),
                "Rests on": source_text(rule.source),
            }
            for rule in RULES
        ]
        st.table(
            pd.DataFrame(rows),
            hide_index=True,
            border="horizontal",
            alt="Every rule of the advisor with its points and its source",
        )


draw()
