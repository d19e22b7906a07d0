"""What a limit of the store refused, and the way to the page that frees space."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from optimizer.errors import FeatherweightError
from optimizer.quotas import QuotaError
from pages.parts import context
from pages.parts.text import plain


def draw_refusal(error: FeatherweightError, title: str) -> None:
    """An error box; below it, for what a limit refused, links to where that can be mended."""
    st.error(plain(str(error)), title=title)
    if isinstance(error, QuotaError):
        with st.container(horizontal=True):
            st.page_link(context.STORAGE, label="See and free space", icon=":material/database:")
            st.page_link(context.SETTINGS, label="Change the limits", icon=":material/settings:")


@contextmanager
def shown() -> Iterator[None]:
    """Draw what a limit refused anywhere on a page; the rest of the page is left out."""
    try:
        yield
    except QuotaError as error:
        draw_refusal(error, "A limit of the store was reached")
