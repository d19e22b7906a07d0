"""Links from a word of the screen to the lesson that explains it."""

from __future__ import annotations

import streamlit as st

from optimizer.lessons.terms import term

LEARN = "pages/lessons/learn.py"
"""The page with the lessons, for ``st.page_link``."""


def term_link(name: str, text: str | None = None) -> str:
    """Markdown of a link to a term's lesson, with the definition as its tooltip.

    Streamlit opens links of Markdown in a new tab, so that a person comes back to where they were.

    Args:
        name: a key of :data:`optimizer.lessons.terms.TERMS`.
        text: what to write instead of the name.

    Raises:
        InputError: no lesson explains it.
    """
    found = term(name)
    tooltip = f"{found.name} {found.definition}".replace('"', "'")
    return f'[{text or name}](learn?lesson={found.lesson_id} "{tooltip}")'


def draw_terms(*names: str) -> None:
    """Draw a line of links to the lessons that explain some terms.

    Raises:
        InputError: no lesson explains one of them.
    """
    links = " · ".join(term_link(name) for name in names)
    st.markdown(f":small[:material/school: What it means: {links}]")
