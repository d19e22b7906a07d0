"""What a page shows when the store is at fault: what is wrong and what to do, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

import streamlit as st

from optimizer.errors import FeatherweightError
from optimizer.store import StoreError
from pages.parts.text import plain

P = ParamSpec("P")
_log = logging.getLogger(__name__)


@contextmanager
def explained(*, whole_page: bool = False) -> Iterator[None]:
    """Show an error that is meant for a person, or the system's, in place of what it ended.

    Args:
        whole_page: whether nothing else is left on the page, so that it offers to try again.
    """
    more = "Nothing that was finished is lost by this."
    try:
        yield
        return
    except StoreError as error:
        _log.error("%s", error, exc_info=error.__cause__)
        title, text = "The store cannot be used just now", str(error)
        if error.damaged:
            title = "The store is damaged"
            more = "Uploads and results are files beside the database, each with a checksum."
    except FeatherweightError as error:
        title, text = "This cannot be shown", str(error)
    except OSError as error:
        _log.exception("a page met an error of the system")
        title = "The system refused to read or write"
        where = f" ({error.filename})" if error.filename else ""
        text = (
            f"{error.strerror or error}{where}. Check the disk's space and health and the "
            "permissions of the store's folder, then try again."
        )
    st.error(plain(text), title=title)
    if whole_page:
        st.caption(f"{more} The log of the app has the details.")
        st.button("Try again", icon=":material/refresh:", help="Draws the page anew.")


def explaining(draw: Callable[P, None]) -> Callable[P, None]:
    """The same for what Streamlit calls on its own: fragments, dialogs, callbacks."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
        with explained():
            draw(*args, **kwargs)

    return drawn
