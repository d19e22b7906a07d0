"""Links from a word of the screen to the lesson that explains it."""

from __future__ import annotations

from optimizer.lessons.terms import term

LEARN = "pages/lessons/learn.py"
"""The page with the lessons, for ``st.page_link``."""


def term_link(name: str, text: str | None = None) -> str:
    """Markdown of a link to a term's lesson, with the definition as its tooltip.

    Args:
        name: a key of :data:`optimizer.lessons.terms.TERMS`.
        text: what to write instead of the name.

    Raises:
        InputError: no lesson explains it.
    """
    found = term(name)
    tooltip = f"{found.name} {found.definition}".replace('"', "'")
    return f'[{text or name}](learn?lesson={found.lesson_id} "{tooltip}")'
