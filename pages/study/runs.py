"""What runs, what waits, what ran: for all studies, with progress, logs and cancel."""

import streamlit as st

from optimizer.store.records import ACTIVE, FINISHED
from pages.parts import context
from pages.parts.runs import live_runs, run_card

_HISTORY = 20


def draw() -> None:
    """Draw the page."""
    st.title("Runs")
    st.caption("Runs go on when you close the browser, and are resumed if the engine restarts.")
    store = context.store()
    active = store.list_runs(states=ACTIVE)
    if active:
        st.header("Under way")
        live_runs(tuple(run.id for run in reversed(active)))
    history = store.list_runs(states=FINISHED, limit=_HISTORY)
    if not active and not history:
        st.info("Nothing has run yet. Choose a recipe on the Optimize page and run it.")
        st.page_link(context.OPTIMIZE, label="Open Optimize", icon=":material/tune:")
    if history:
        st.header("Finished")
    for run in history:
        run_card(run)


draw()
