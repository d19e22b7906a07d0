"""A sweep as widgets: which settings vary, the values to try, presets, grids from files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from optimizer.errors import InputError
from optimizer.grid import Grid
from optimizer.sweep_presets import SWEEP_PRESETS, preset_of
from optimizer.vary import SETTINGS
from pages.parts.recipe_form import load_recipe, recipe_form
from pages.parts.schedule_form import KEEP
from pages.parts.text import plain

Varied = dict[str, list[str]]
_GRID, _GRID_NAME = "opt_grid", "opt_grid_name"


def sweep_form(model_facts: Mapping[str, Any]) -> tuple[dict[str, Any], Varied]:
    """Draw the widgets; returns the base recipe as plain data, and the values of what varies."""
    presets = st.container()
    _file_to_use()
    varied = _settings()
    st.markdown("### Base recipe")
    st.caption("Everything that does not vary is taken from here.")
    base = recipe_form(model_facts, base=True)
    with presets:
        _presets(base, varied)
    return base, varied


def uploaded_grid() -> Grid | None:
    """The grid of a file that takes the place of the widgets, if there is one; draws it."""
    text = st.session_state.get(_GRID)
    if not text:
        return None
    with st.container(border=True):
        st.markdown(f"## :material/grid_view: {plain(str(st.session_state[_GRID_NAME]))}")
        st.caption("This grid is used in place of the controls.")
        st.code(text, language="json", height=420)
        st.button(
            "Back to the controls",
            icon=":material/undo:",
            on_click=lambda: st.session_state.pop(_GRID, None),
            help="The controls are as you left them.",
        )
    return Grid.parse(text)


def _file_to_use() -> None:
    with st.popover("Grid from a file", icon=":material/upload_file:"):
        st.file_uploader(
            "grid.json",
            key="opt_grid_file",
            help="A grid that was downloaded here or written by hand: a recipe in which any part "
            "or value may be a list of alternatives.",
            on_change=_use_file,
        )
        if problem := st.session_state.get("opt_grid_problem"):
            st.error(plain(problem))


def _use_file() -> None:
    file = st.session_state.get("opt_grid_file")
    st.session_state["opt_grid_problem"] = None
    if file is None:
        return
    try:
        grid = Grid.parse(file.getvalue(), source=f"grid {file.name}")
    except InputError as error:
        st.session_state["opt_grid_problem"] = str(error)
    else:
        st.session_state[_GRID] = grid.canonical_json(indent=2)
        st.session_state[_GRID_NAME] = file.name


def _settings() -> Varied:
    """Which settings vary, and a control with several values for each."""
    with st.container(border=True):
        st.markdown("## :material/grid_view: Vary")
        if "opt_vary" not in st.session_state:
            _load(SWEEP_PRESETS[next(iter(SWEEP_PRESETS))].varied)
        chosen = st.multiselect(
            "Settings to vary",
            list(SETTINGS),
            format_func=lambda name: SETTINGS[name].label,
            key="opt_vary",
            persist_state=KEEP,
            placeholder="Choose settings",
            help="Every combination of their values becomes a variant. What variants have in "
            "common is trained once.",
        )
        if not chosen:
            st.caption("Choose at least one setting; then choose the values to try.")
        varied = {}
        for name in chosen:
            setting, key = SETTINGS[name], f"opt_vary_{name}"
            st.session_state.setdefault(key, list(setting.start))
            varied[name] = st.multiselect(
                setting.label,
                list(setting.options),
                key=key,
                accept_new_options=setting.typed,
                persist_state=KEEP,
                placeholder="Choose or type values" if setting.typed else "Choose values",
                help=setting.help,
            )
    return varied


def _presets(base: Mapping[str, Any], varied: Varied) -> None:
    """Presets, of which one is lit while the controls say the same."""
    st.session_state["opt_sweep_preset"] = preset_of(base, varied)
    st.pills(
        "Start from a preset",
        list(SWEEP_PRESETS),
        key="opt_sweep_preset",
        help="Sets what varies and the base recipe; change both as you like.",
        wrap=True,
        on_change=_use_preset,
    )
    chosen = st.session_state.get("opt_sweep_preset")
    st.caption(SWEEP_PRESETS[chosen].reason if chosen else "Or choose what to vary yourself.")


def _use_preset() -> None:
    chosen = st.session_state.get("opt_sweep_preset")
    if chosen:
        load_recipe(SWEEP_PRESETS[chosen].base)
        _load(SWEEP_PRESETS[chosen].varied)


def _load(varied: Mapping[str, tuple[str, ...]]) -> None:
    """Set the widgets to what varies; call before they are drawn."""
    st.session_state["opt_vary"] = list(varied)
    for name, values in varied.items():
        st.session_state[f"opt_vary_{name}"] = list(values)
