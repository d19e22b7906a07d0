"""The Explore page's view: kept in the session and in the address, changed by widgets.

The view is the one truth. Widgets show it and change it in their callbacks, so that a slider
whose range grew, a link that was edited by hand and the browser's Back button all end in a view
that can be shown. Streamlit's own ``bind="query-params"`` drops what does not fit without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from optimizer.explore.table import Table, explore_table
from optimizer.explore.view import View, default_view, from_query, names_view, settled, to_query
from optimizer.store.records import Study
from pages.parts import context

_WRITTEN = "explore_written"
_PROBLEMS = "explore_problems"
_CHANGED = "explore_changed"
MARK = "explore_x"
"""A widget of the page: Streamlit forgets its state while another page is open."""


def study_table(study: Study) -> Table:
    """The study's variants as columns, made anew only when one of them has changed."""
    return _table(study.id, context.store().variants_version(study.id))


@st.cache_resource(max_entries=4, show_spinner=False)
def _table(study_id: str, version: tuple[int, int]) -> Table:
    return explore_table(context.store().variants_of(study_id))


def open_view(study: Study, table: Table) -> View | None:
    """What the address asks for, else what this session chose last in this study.

    Returns:
        ``None`` when fewer than two measures were taken, so that there is nothing to choose.
    """
    if default_view(table) is None:
        return None
    asked = {name: text for name, text in st.query_params.to_dict().items() if names_view(name)}
    kept: View | None = st.session_state.get(_name(study.id))
    written_study, written = st.session_state.get(_WRITTEN, (None, None))
    returned = not asked and (MARK not in st.session_state or written_study != study.id)
    # A browser that was quicker than the last answer still sends the address of before, and a
    # choice counts more; without one, another address is the Back button or an edited link.
    changed = st.session_state.pop(_CHANGED, None) == study.id
    if kept is None or (asked != written and not returned and not changed):
        kept, problems = from_query(asked, table)
        st.session_state[_PROBLEMS] = problems
    view = settled(kept, table)
    st.session_state[_name(study.id)] = view
    return view


def problems() -> list[str]:
    """What of the address could not be followed, until something is chosen."""
    found: list[str] = st.session_state.get(_PROBLEMS, [])
    return found


Apply = Callable[[View, Any], View]
"""A view and what was chosen in a widget → the view with it."""


def change(study_id: str, apply: Callable[[View], View]) -> None:
    """Change the view; only in a callback, so that the page is drawn with it."""
    st.session_state[_name(study_id)] = apply(st.session_state[_name(study_id)])
    st.session_state[_PROBLEMS] = []
    st.session_state[_CHANGED] = study_id


def shows(study: Study, key: str, value: Any, apply: Apply) -> dict[str, Any]:
    """Arguments that make a widget show a value of the view, and put what is chosen into it."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return {"key": key, "on_change": _chosen, "args": (study.id, key, apply)}


def write_address(study: Study, view: View, table: Table) -> str:
    """Make the address reopen the view; returns the link."""
    query = to_query(view, table)
    others = {
        name: text for name, text in st.query_params.to_dict().items() if not names_view(name)
    }
    wanted = {**others, **query}
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)
    st.session_state[_WRITTEN] = (study.id, query)
    page = (st.context.url or "").partition("?")[0]
    return f"{page}?{urlencode({**context.study_link(study), **query})}"


def _chosen(study_id: str, key: str, apply: Apply) -> None:
    change(study_id, lambda view: apply(view, st.session_state[key]))


def _name(study_id: str) -> str:
    return f"explore:{study_id}"
