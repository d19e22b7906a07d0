"""A study for reading, opened by a link: no side bar, no tools, nothing that changes anything."""

import streamlit as st

from optimizer.errors import FeatherweightError
from pages.parts import context
from pages.parts.faults import explaining
from pages.parts.pace import interval
from pages.parts.report_view import choices_of, content_of, download_report, draw_report, source_of
from pages.parts.text import plain
from pages.parts.visit import shown_token

_LOOK_AGAIN_SECONDS = 5.0


def draw() -> None:
    """Draw the page."""
    store = context.store()
    version = store.version()
    study = store.shared_study(shown_token())
    if study is None:
        st.title("Shared study")
        st.error(
            "This link opens no study. It may have been revoked, the study deleted, or the address "
            "cut short. Ask whoever sent it for a new one.",
            title="Nothing to show",
        )
        return
    try:
        source = source_of(study)
        content = content_of(study, choices_of(store.get_report(study.id), source))
    except FeatherweightError as error:
        st.title(plain(study.name))
        st.info(plain(str(error)))
        _follow(version)
        return
    st.title(plain(content.title))
    audience = f"For {plain(content.audience)} · " if content.audience else ""
    st.caption(
        f"{audience}{len(source.variants)} measured variants · for reading only: nothing here can "
        "be changed · shows the study as it is now"
    )
    download_report(content, study)
    draw_report(content)
    _follow(version)


def _follow(version: int) -> None:
    """Draw the page anew when the study changes."""

    def look() -> None:
        if context.store().has_changed_since(version):
            st.rerun()

    st.fragment(explaining(look), run_every=interval(_LOOK_AGAIN_SECONDS))()


draw()
