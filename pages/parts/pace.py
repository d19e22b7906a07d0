"""How often the live parts of pages look again: less often, the more people look."""

from __future__ import annotations

import secrets
import time

import streamlit as st

_AT_FULL_PACE = 5
"""So many sessions each look as often as they like; thirty look a sixth as often."""
_GONE_SECONDS = 60.0
_NAME = "pace"


def interval(usual_seconds: float) -> float:
    """Seconds until a live part of this page looks again.

    Args:
        usual_seconds: with few sessions on this server.
    """
    now, seen = time.monotonic(), _seen()
    if _NAME not in st.session_state:
        st.session_state[_NAME] = secrets.token_hex(8)
    seen[st.session_state[_NAME]] = now
    for name, at in list(seen.items()):
        if now - at > _GONE_SECONDS:
            seen.pop(name, None)
    return usual_seconds * max(1.0, len(seen) / _AT_FULL_PACE)


@st.cache_resource(show_spinner=False)
def _seen() -> dict[str, float]:
    """When each session of this server last drew something live."""
    return {}
