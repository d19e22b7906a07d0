"""Visits: sessions that a link for reading opened. They see one study and can change nothing.

Where nobody signs in, whoever reaches the server can also open its other addresses, so a server
for visitors alone is started with ``FEATHERWEIGHT_SHARED_ONLY=1``: it has no other page, and asks
nobody to sign in.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

import streamlit as st

from serving.policy import policy

SHARED = "shared"
"""The path of the page that links for reading open."""
TOKEN = "token"  # noqa: S105 - the parameter's name
_VISITING = "visiting"


def shared_only() -> bool:
    """Whether this server shows shared studies and nothing else."""
    return policy().shared_only


def begin() -> bool:
    """Whether this session came by a link for reading, for good: it has no way to other pages."""
    path = urlsplit(st.context.url or "").path.rstrip("/")
    if shared_only() or path.endswith(f"/{SHARED}"):
        st.session_state[_VISITING] = True
    return visiting()


def pages() -> list[Any]:
    """All pages of such a session."""
    return [
        st.Page(_nothing, title="Shared studies", default=True),
        st.Page("pages/start/shared.py", title="Shared study", url_path=SHARED),
    ]


def _nothing() -> None:
    """The root address, which names no study."""
    st.title("Shared studies")
    st.info("This server shows studies that somebody shared. Open the whole link that you got.")


def visiting() -> bool:
    """Whether this session may only read."""
    return bool(st.session_state.get(_VISITING, False))


def shown_token() -> str:
    """The token in the address of such a session."""
    return str(st.query_params.get(TOKEN, ""))


def link(token: str) -> str:
    """The address that a token opens, on the server that this browser reached."""
    here = urlsplit(st.context.url or "")
    place = f"{here.scheme}://{here.netloc}" if here.netloc else ""
    base = here.path.rstrip("/").rpartition("/")[0] if here.netloc else ""
    return f"{place}{base}/{SHARED}?{urlencode({TOKEN: token})}"
