"""Search for the best recipe under limits, and see how searches went."""

import streamlit as st

from optimizer.comparison import study_metric
from optimizer.data.objective import METRICS, split_task
from optimizer.format import format_when
from optimizer.search.goal import SearchOptions
from optimizer.search.words import goal_text
from optimizer.store.records import ACTIVE, Run, Study
from pages.parts import context
from pages.parts.search_form import search_form
from pages.parts.search_view import search_view

_SEARCH = "search"


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    st.title("Search")
    st.caption(
        "Say what to reach, and the workbench looks for the recipe. Before a winner is announced, "
        "it is checked on a half of the test set that the search never saw."
    )
    metric = _metric(study)
    search_form(study, metric)
    runs = context.store().list_searches(study.id)
    if not runs:
        st.info(
            "No search has run in this study yet. Say what you are looking for and press Search: "
            "every trial will be shown here.",
            icon=":material/manage_search:",
        )
        return
    run = _chosen(runs, metric)
    search_view(study, run)


def _metric(study: Study) -> str | None:
    """The study's metric; ``None`` without labels."""
    usual = METRICS[split_task(study.task)[0]]
    if not usual:
        return None
    variants = context.store().list_variants(study.id)
    known = study_metric(variants) if any(v.results for v in variants) else None
    return known or study.objective.get("metric") or usual[0]


def _chosen(runs: list[Run], metric: str | None) -> Run:
    """The search in the address, else the newest; a control to choose another."""
    by_id = {run.id: run for run in runs}
    asked = st.query_params.get(_SEARCH)
    if asked is not None and asked not in by_id:
        st.warning("The address names a search that is not in this study; this is the newest.")
    chosen = by_id.get(asked or "", runs[0])
    if len(runs) > 1:
        st.session_state["search_pick"] = chosen.id
        st.selectbox(
            "Searches in this study",
            list(by_id),
            format_func=lambda run_id: _label(by_id[run_id], metric),
            key="search_pick",
            help="The newest first. The address is a link to the one that is shown.",
            on_change=_pick,
        )
    return chosen


def _pick() -> None:
    st.query_params[_SEARCH] = st.session_state["search_pick"]


def _label(run: Run, metric: str | None) -> str:
    answer = (run.result or {}).get("answer") or {}
    how = {"found": "found", "not_achievable": "not achievable"}.get(answer.get("kind", ""))
    state = "under way" if run.state in ACTIVE else how or run.state
    goal = goal_text(SearchOptions.parse(run.options), metric)
    return f"{format_when(run.created_at)} · {state} · {goal}"


draw()
