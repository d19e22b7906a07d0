"""A search as a form: the sentence, what will be tried, and the button that begins it."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from optimizer.data.objective import LOWER_IS_BETTER, UNLABELLED
from optimizer.errors import InputError
from optimizer.format import is_share, metric_words
from optimizer.grid import Grid
from optimizer.search.defaults import default_space, nothing_possible
from optimizer.search.goal import OBJECTIVES, SearchOptions
from optimizer.search.per_layer import worth_scanning
from optimizer.search.words import goal_text, search_title, space_texts
from optimizer.store.records import Study
from pages.parts import context
from pages.parts.schedule_form import KEEP
from pages.parts.text import plain

_GRID, _GRID_NAME = "search_grid", "search_grid_name"


def search_form(study: Study, metric: str | None) -> None:
    """Draw the form.

    Args:
        study: in which to search.
        metric: the study's, or ``None`` without labels.
    """
    with st.container(border=True, key="search_form"):
        values = _sentence(metric)
        values |= _more()
    _begin(study, values, metric)


def _sentence(metric: str | None) -> dict[str, Any]:
    share, error = metric is None or is_share(metric), metric in LOWER_IS_BETTER
    # With a value of its own in the call, a field could not be emptied again.
    st.session_state.setdefault("search_drop", 2.0 if error else 1.0)
    first = st.columns([3, 2, 2, 2], vertical_alignment="bottom")
    objective = first[0].selectbox(
        "Find the",
        list(OBJECTIVES),
        format_func=OBJECTIVES.__getitem__,
        key="search_objective",
        persist_state=KEEP,
        help="Smallest download: the file gzip-compressed. Smallest file: as it ships. Lowest "
        "latency: the median of one inference on this machine, in turns with the baseline.",
    )
    name = metric_words(metric or "accuracy")
    drop = first[1].number_input(
        "Lose at most (points)"
        if share
        else "Error grows at most (%)"
        if error
        else "Lose at most (hundredths)",
        0.0,
        100.0,
        value=None,
        step=0.5,
        key="search_drop",
        persist_state=KEEP,
        disabled=metric is None,
        format="%g",
        help=f"Of the {name}, against the float32 baseline. Usual are 0.5 to 2. Empty: no limit.",
        placeholder="no limit",
    )
    size = first[2].number_input(
        "File at most (kB)",
        0.1,
        None,
        value=None,
        step=10.0,
        format="%g",
        key="search_size",
        persist_state=KEEP,
        help="Of the .tflite as it ships, in units of 1,000 bytes. Empty: no limit.",
        placeholder="no limit",
    )
    ratio = first[3].number_input(
        "Latency at most (×)",
        0.01,
        100.0,
        value=None,
        step=0.05,
        key="search_ratio",
        persist_state=KEEP,
        format="%g",
        help="Times the baseline's: 0.8 means a fifth faster. Empty: no limit, and no latency is "
        "measured unless it is what you look for.",
        placeholder="no limit",
    )
    limits: dict[str, Any] = {}
    if drop is not None and metric is not None:
        limits["max_accuracy_drop"] = drop / 200 if error else drop / 100
    if size is not None:
        limits["max_size_bytes"] = round(1000 * size)
    if ratio is not None:
        limits["max_latency_ratio"] = ratio
    return {"objective": objective, "constraints": limits}


def _more() -> dict[str, Any]:
    st.session_state.setdefault("search_trials", 40)
    st.session_state.setdefault("search_minutes", 10.0)
    second = st.columns([1, 1, 2], vertical_alignment="bottom")
    trials = second[0].number_input(
        "Within (trials)",
        1,
        2000,
        value=None,
        key="search_trials",
        persist_state=KEEP,
        help="Candidates to try. What is in the study already is taken into account and costs "
        "nothing. A trial that trains takes as long as a run on Optimize; one whose training is "
        "there already takes seconds.",
        placeholder="no limit",
    )
    minutes = second[1].number_input(
        "or (minutes)",
        0.1,
        10_000.0,
        value=None,
        step=1.0,
        format="%g",
        key="search_minutes",
        persist_state=KEEP,
        help="What comes first ends the search; what runs then is ended. Empty: no limit.",
        placeholder="no limit",
    )
    with second[2].popover("More", icon=":material/more_horiz:"):
        per_layer = st.toggle(
            "Also sparsities by layer",
            value=True,
            key="search_per_layer",
            persist_state=KEEP,
            help="A scan says how much each layer suffers when it alone is pruned (seconds to a "
            "minute, no training). Each pruned recipe is then tried with the same number of zeros "
            "divided by what layers bear, too.",
        )
        epochs = st.number_input(
            "Epochs of each training",
            1,
            1000,
            value=3,
            key="search_epochs",
            persist_state=KEEP,
            help="Of the space proposed here; a grid from a file says its own. More epochs give "
            "better models and take longer in proportion.",
        )
        longest = st.number_input(
            "Longest trial (minutes)",
            0.1,
            10_000.0,
            value=30.0,
            format="%g",
            key="search_longest",
            persist_state=KEEP,
            help="A trial that takes longer, waiting for a free slot included, is ended, and the "
            "search goes on.",
        )
        seed = st.number_input(
            "Seed",
            0,
            2**31 - 1,
            value=0,
            key="search_seed",
            persist_state=KEEP,
            help="Another seed chooses another order. The recipes' own seed is in the space.",
        )
    return {
        "trials": trials,
        "minutes": minutes,
        "per_layer": per_layer,
        "minutes_per_trial": longest,
        "seed": seed,
        "epochs": epochs,
    }


def _begin(study: Study, values: dict[str, Any], metric: str | None) -> None:
    epochs = values.pop("epochs")
    try:
        grid = _space(study, values["objective"], epochs)
        values["space"] = json.loads(grid.canonical_json())
        options = SearchOptions.parse(values)
        problem = _problem(study, options, grid)
    except InputError as error:
        st.error(plain(str(error)), title="Not possible")
        _button(disabled=True)
        return
    st.markdown(f"**{plain(goal_text(options, metric))}.**")
    _what_is_tried(grid, options)
    if problem:
        st.error(plain(problem), title="Not possible")
    if _button(disabled=bool(problem)):
        run = context.store().queue_run(
            "search",
            search_title(options),
            study_id=study.id,
            options=options.model_dump(mode="json"),
        )
        st.query_params["search"] = run.id
        st.rerun()


def _button(*, disabled: bool) -> bool:
    return st.button(
        "Search",
        type="primary",
        icon=":material/manage_search:",
        disabled=disabled,
        key="search_begin",
        help="Runs in the background; close the browser if you like.",
    )


def _space(study: Study, objective: Any, epochs: int) -> Grid:
    text = st.session_state.get(_GRID)
    if text:
        return Grid.parse(text)
    facts = context.store().get_model(study.model_id).facts or {"layers": []}
    return Grid.parse(default_space(facts, study.task, objective, epochs))


def _problem(study: Study, options: SearchOptions, grid: Grid) -> str | None:
    """Why the search makes no sense here, or ``None``."""
    limits = options.constraints
    unlabelled = study.task.split("+")[0] == UNLABELLED
    if unlabelled and options.objective == "accuracy":
        return (
            "The study has no labels, so there is no accuracy to search for. Look for a size or "
            "a latency, or bring data with labels."
        )
    none = all(value is None for value in limits.model_dump().values())
    if none and options.objective != "accuracy":
        return (
            "Without any limit the smallest or fastest model is found, however bad it is. Give at "
            "least one limit."
        )
    facts = context.store().get_model(study.model_id).facts or {"layers": []}
    return nothing_possible(grid, facts, study.task)


def _what_is_tried(grid: Grid, options: SearchOptions) -> None:
    count = grid.combinations
    with st.expander(f"What will be tried: the best of {count:,} combinations"):
        if text := st.session_state.get(_GRID):
            st.caption(f"From {plain(str(st.session_state[_GRID_NAME]))}.")
            st.button(
                "Back to the proposed space",
                icon=":material/undo:",
                on_click=lambda: st.session_state.pop(_GRID, None),
                help="What this model allows and the goal asks for.",
            )
        lines = space_texts(json.loads(grid.canonical_json()))
        if options.per_layer and worth_scanning(grid):
            lines.append("sparsity by layer: the same everywhere, or divided by sensitivity")
        st.markdown("\n".join(f"- {plain(line[:1].upper() + line[1:])}" for line in lines))
        left, right = st.columns(2)
        left.download_button(
            "Download the space",
            text or grid.canonical_json(indent=2) + "\n",
            file_name="space.json",
            mime="application/json",
            on_click="ignore",
            icon=":material/download:",
            help="A grid: a recipe in which any part or value may be a list of alternatives. "
            "Change it and upload it again; search --space on the command line takes it, too.",
        )
        with right.popover("Space from a file", icon=":material/upload_file:"):
            st.file_uploader(
                "space.json",
                key="search_file",
                help="A grid that was downloaded here or on Optimize, or written by hand.",
                on_change=_use_file,
            )
            if problem := st.session_state.get("search_problem"):
                st.error(plain(problem))


def _use_file() -> None:
    file = st.session_state.get("search_file")
    st.session_state["search_problem"] = None
    if file is None:
        return
    try:
        grid = Grid.parse(file.getvalue(), source=f"space {file.name}")
    except InputError as error:
        st.session_state["search_problem"] = str(error)
    else:
        st.session_state[_GRID] = grid.canonical_json(indent=2)
        st.session_state[_GRID_NAME] = file.name
