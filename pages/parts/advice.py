"""Advice on a page: the questions' answers, a recipe with its buttons, what to try next."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from optimizer.advise.after import Suggestion
from optimizer.advise.cost import Cost, cost, cost_text
from optimizer.advise.documents import Source
from optimizer.advise.gather import operators, situation
from optimizer.advise.next_steps import NextSteps, next_steps
from optimizer.advise.rank import Report, report
from optimizer.advise.situation import Situation
from optimizer.advise.wish import PRIORITIES, TARGETS, Wish, limit_text, loss_scale
from optimizer.recipe import Recipe
from optimizer.store.records import Study, Variant
from pages.parts import context
from pages.parts.recipe_form import load_recipe
from pages.parts.text import plain

_MOST_ON_COMPARE = 2
_ONE = "One recipe"
"""What the Optimize page calls it when no sweep is wanted."""
_INT8 = Recipe.parse({"quantize": {"mode": "int8"}})
"""What its file leaves in float, int8 leaves in float in every recipe."""


@st.cache_resource(max_entries=8, show_spinner=False)
def _known(study_id: str, version: int) -> Situation:
    study = context.store().get_study(study_id)
    return situation(context.store(), study, context.store().variants_of(study_id))


def known_situation(study: Study) -> Situation:
    """What is known of a study as it stands; read again only when the store has changed."""
    return _known(study.id, context.store().version())


def with_operators(known: Situation, *variants: Variant | None) -> Situation:
    """A situation with the operators of some variants' files."""
    found = {
        variant.id: read
        for variant in variants
        if variant is not None and (read := operators(context.store(), variant))
    }
    return replace(known, operators={**known.operators, **found})


@st.cache_resource(max_entries=64, show_spinner=False)
def _report(study_id: str, version: int, wish: Wish) -> Report:
    known = _known(study_id, version)
    return report(with_operators(known, known.like(_INT8)), wish)


def advisor_report(study: Study, wish: Wish) -> Report:
    """The advisor's answer; worked out again only when the store has changed."""
    return _report(study.id, context.store().version(), wish)


def lose_key(study: Study) -> str:
    """The session's key of what may be lost, which each study has for its own metric."""
    return f"advisor_lose_{study.id}"


def may_lose(study: Study, known: Situation) -> float | None:
    """What was answered on the Advisor page, else the sensible amount; ``None`` without labels."""
    if known.metric is None:
        return None
    scale = loss_scale(known.metric)
    answer = st.session_state.get(lose_key(study))
    return scale.per_unit * (scale.default if answer is None else float(answer))


def wish_of(study: Study, known: Situation) -> Wish:
    """The answers to the three questions, or the usual ones."""
    state = st.session_state
    return Wish(
        state.get("advisor_target") or "cpu",
        state.get("advisor_priority") or "download",
        may_lose(study, known),
    )


@st.cache_data(max_entries=256, ttl=30, show_spinner=False)
def _cost(study_id: str, recipe_json: str) -> Cost | None:
    """Kept for a moment: with a thousand variants it takes a fifth of a second to work out."""
    store = context.store()
    return cost(store, store.get_study(study_id), Recipe.parse(recipe_json))


def recipe_cost(study: Study, recipe: Recipe, known: Situation) -> str:
    """What trying a recipe costs, in a sentence."""
    found = _cost(study.id, recipe.canonical_json())
    return cost_text(found, recipe, known.data_facts)


def recipe_buttons(study: Study, recipe: Recipe, key: str, *, main: bool = False) -> None:
    """Buttons that run a recipe, or open it in Optimize."""
    with st.container(horizontal=True):
        if st.button(
            "Run",
            key=f"{key}-run",
            type="primary" if main else "secondary",
            icon=":material/play_arrow:",
            help=f"Runs “{recipe.name}” in the background.",
        ):
            variant = context.store().add_variant(study.id, recipe)
            context.store().queue_run(
                "variants", recipe.name, study_id=study.id, variant_ids=[variant.id]
            )
            st.rerun()
        if st.button(
            "Open in Optimize",
            key=f"{key}-open",
            icon=":material/tune:",
            help="Sets the controls of the Optimize page to this recipe, to change it before.",
        ):
            load_recipe(recipe)
            if st.session_state.get("opt_kind", _ONE) != _ONE:
                st.session_state["opt_kind"] = _ONE
            st.switch_page(context.OPTIMIZE, query_params=context.study_link(study))


def source_text(source: Source) -> str:
    """A source as Markdown: a link where it is a page."""
    return f"[{source.title}]({source.url})" if source.url else source.title


@st.cache_resource(max_entries=64, show_spinner=False)
def _steps(study_id: str, version: int, variant_id: str, limit: float | None) -> NextSteps:
    known = _known(study_id, version)
    variant = next((v for v in known.variants if v.id == variant_id), None)
    if variant is None:
        return NextSteps((), "It has been deleted.")
    return next_steps(with_operators(known, variant), variant, limit)


def steps_after(study: Study, variant: Variant) -> NextSteps:
    """What follows from a variant's measurements; worked out again when the store has changed."""
    limit = may_lose(study, known_situation(study))
    return _steps(study.id, context.store().version(), variant.id, limit)


def draw_next(study: Study, variant: Variant) -> None:
    """Draw everything that follows from a variant's measurements."""
    if variant.is_baseline:
        return
    found = steps_after(study, variant)
    with st.container(border=True, key="what_next"):
        st.header("What to try next")
        for index, suggestion in enumerate(found.suggestions):
            _suggestion(study, suggestion, f"next-{index}")
        if found.why_none:
            st.markdown(plain(found.why_none))
        _to_advisor(study)


def draw_next_short(study: Study, variant: Variant) -> None:
    """Draw the first of what follows from a variant, or else the advisor's first recipe."""
    found = steps_after(study, variant)
    runnable = [suggestion for suggestion in found.suggestions if suggestion.recipe]
    with st.container(border=True, key="what_next"):
        st.header("What to try next")
        for index, suggestion in enumerate(runnable[:_MOST_ON_COMPARE]):
            _suggestion(study, suggestion, f"next-{index}")
        if found.why_none:
            st.markdown(f"**{plain(variant.name)}**  \n{plain(found.why_none)}")
            _first_advice(study)
        _to_advisor(study)


def _first_advice(study: Study) -> None:
    known = known_situation(study)
    wish = wish_of(study, known)
    asked = f"{TARGETS[wish.target]}, {PRIORITIES[wish.priority].lower()} first"
    if wish.may_lose is not None and known.metric is not None:
        asked += f", {limit_text(wish.may_lose, known.metric)}"
    answer = advisor_report(study, wish)
    if not answer.advice:
        reason = answer.impossible or "nothing left to try promises more than what is measured."
        st.markdown(f"Of the study as a whole ({asked}): {plain(reason)}")
        return
    first = answer.advice[0]
    said = Suggestion(f"Of the study as a whole ({asked})", first.reasons[0].text, first.recipe)
    _suggestion(study, said, "next-advice")


def _to_advisor(study: Study) -> None:
    st.page_link(
        context.ADVISOR,
        label="Ask the advisor for a target and a limit",
        icon=":material/lightbulb:",
        query_params=context.study_link(study),
    )


def _suggestion(study: Study, suggestion: Suggestion, key: str) -> None:
    link = f" {source_text(suggestion.source)}" if suggestion.source.url else ""
    icon = "experiment" if suggestion.recipe else "info"
    st.markdown(
        f":material/{icon}: **{plain(suggestion.title)}**  \n{plain(suggestion.evidence)}{link}"
    )
    if suggestion.recipe:
        cost_words = recipe_cost(study, suggestion.recipe, known_situation(study))
        st.markdown(f"{plain(suggestion.recipe.name)}  \n:small[:gray[{plain(cost_words)}]]")
        recipe_buttons(study, suggestion.recipe, key)
