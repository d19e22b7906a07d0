"""Pages that are asked for at once are computed a few at a time, in the order they were asked for.

One process computes all pages, and Python one thread at a time. Thirty that share it all end
late; one after the other half of them end early, and the last no later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

import streamlit as st

_AT_ONCE = 3
_PATIENCE_SECONDS = 1.0
"""Then a page begins anyway: those before it may be waiting for something else than Python."""


@contextmanager
def turn() -> Iterator[None]:
    """Wait for a turn, and have it while a page is computed."""
    turns = _turns()
    mine = turns.acquire(timeout=_PATIENCE_SECONDS)
    try:
        yield
    finally:
        if mine:
            turns.release()


@st.cache_resource(show_spinner=False)
def _turns() -> BoundedSemaphore:
    """Those of this server."""
    return BoundedSemaphore(_AT_ONCE)
