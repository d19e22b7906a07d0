"""Where the engine runs stages, how many at once, and what waits; and changing that."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd
import streamlit as st

from optimizer.engine.client import ensure_engine, stop_engine
from optimizer.errors import InputError
from optimizer.format import format_bytes
from optimizer.settings import VARIABLES, Settings, available_cores, capacity, from_environment
from optimizer.store.records import ACTIVE
from pages.parts import context
from pages.parts.text import plain

_STATES = {
    "starting": "Starting",
    "warming": "Warming up",
    "ready": "Ready",
    "stopping": "Stopping",
    "failed": "Failed",
    "off": "Off",
}
_PLACES = {"here": "On this machine", "dask": "On a Dask cluster"}


def draw() -> None:
    """Draw the page."""
    st.title("Settings")
    st.markdown(
        "The engine runs the work in the background: pruning, training, converting and measuring, "
        "each step in a process of its own."
    )
    st.header("Engine")
    st.fragment(_engine, run_every=2.0)()
    st.header("Where and how it works")
    _form()


def _engine() -> None:
    """How the engine is now; looked at every two seconds."""
    store = context.store()
    status = ensure_engine(store)
    state = store.engine_state()
    ready = status.status == "ready" and state is not None
    runs = store.list_runs(states=ACTIVE, limit=None)
    stages = [
        stage for run in runs if run.state == "running" for stage in store.list_stages(run.id)
    ]
    row = st.container(horizontal=True)
    for title, value, text in (
        ("State", _STATES[status.status], "Warming up takes about 15 s, once."),
        (
            "Slots",
            str(state.slots) if ready and state else "–",
            "How many training stages run at once.",
        ),
        (
            "Stages running",
            str(sum(stage.state == "running" for stage in stages)),
            "Of all runs under way.",
        ),
        (
            "Stages waiting",
            str(sum(stage.state == "waiting" for stage in stages)),
            "For a free slot, or for a stage before them.",
        ),
        (
            "Runs queued",
            str(sum(run.state == "queued" for run in runs)),
            "Asked for, and not begun yet.",
        ),
    ):
        row.metric(title, value, help=text, border=True)
    if status.status == "failed":
        st.error("Change the settings below, or look at its log.", title="The engine did not start")
        st.code(status.detail[-3000:], language=None)
    elif status.detail:
        st.caption(plain(status.detail[0].upper() + status.detail[1:]) + ".")
    if ready and state and len(state.workers) > 0:
        _workers(state.workers)


def _workers(workers: list[dict[str, Any]]) -> None:
    st.dataframe(
        pd.DataFrame(
            {
                "Worker": [worker["address"] for worker in workers],
                "Slots": [worker["slots"] for worker in workers],
                "Measures latency": ["yes" if worker["benchmark"] else "no" for worker in workers],
                "Memory for stages": [
                    format_bytes(worker["memory_bytes"]) if worker["memory_bytes"] else "–"
                    for worker in workers
                ],
                "Used": [
                    "yes"
                    if worker["usable"]
                    else "no: other versions of Featherweight or of its libraries"
                    for worker in workers
                ],
            }
        ),
        hide_index=True,
        alt="The workers that run stages",
    )


def _form() -> None:
    home = context.store().home
    try:
        known, fixed = Settings.load(home), from_environment()
    except InputError as error:
        st.error(plain(str(error)), title="These settings cannot be used")
        return
    if fixed:
        names = ", ".join(f"`{VARIABLES[name]}`" for name in fixed)
        st.info(f"Set outside by {names}, and so not to be changed here.")
    room = capacity(Settings())
    place: Any = st.segmented_control(
        "Run stages",
        list(_PLACES),
        format_func=_PLACES.__getitem__,
        default="dask" if known.scheduler else "here",
        required=True,
        disabled="scheduler" in fixed,
        key="settings_place",
        help="On this machine, or on the workers of a Dask scheduler, which may be many machines. "
        "The README has the commands to start scheduler and workers.",
    )
    with st.form("settings"):
        chosen: dict[str, Any] = {"scheduler": None, "tls": None}
        if place == "dask":
            chosen["scheduler"] = st.text_input(
                "Scheduler",
                known.scheduler or "",
                placeholder="tls://10.0.0.5:8786",
                disabled="scheduler" in fixed,
                max_chars=200,
                help="The address that the scheduler prints when it starts.",
            ).strip()
            chosen["tls"] = st.text_input(
                "Folder of certificates",
                known.tls or "",
                placeholder="~/featherweight-tls",
                disabled="tls" in fixed,
                max_chars=500,
                help="On this machine, with ca.pem, cert.pem and key.pem: the folder that the "
                "scheduler and the workers have too.",
            ).strip()
        left, right = st.columns(2)
        chosen["slots"] = left.number_input(
            "Stages at once",
            1,
            256,
            known.slots,
            placeholder=f"Automatic: {room.slots}",
            disabled="slots" in fixed or place == "dask",
            help=f"Slots on this machine, which has {available_cores()} cores. More than cores "
            "gains nothing; each needs about 1.5 GB of memory. Left empty: by cores and memory.",
        )
        chosen["threads"] = right.number_input(
            "Threads per stage",
            1,
            64,
            known.threads,
            placeholder=f"Automatic: {room.threads}",
            disabled="threads" in fixed,
            help="Processor threads of each stage. More train large models faster, one at a time. "
            "Another count gives other bytes, so earlier results are made again.",
        )
        if st.form_submit_button(
            "Apply and restart the engine",
            type="primary",
            icon=":material/restart_alt:",
            help="Runs under way go on from their last finished stage.",
        ):
            _apply({**chosen, **fixed})


def _apply(chosen: dict[str, Any]) -> None:
    """Check, keep and use the settings; what the environment sets is not kept."""
    store = context.store()
    try:
        if st.session_state["settings_place"] == "dask" and not chosen["scheduler"]:
            raise InputError("A Dask cluster needs its scheduler's address, tls://10.0.0.5:8786.")
        Settings(**{name: value or None for name, value in chosen.items()})
        own = {n: v or None for n, v in chosen.items() if not os.environ.get(VARIABLES[n])}
        Settings(**own).save(store.home)
    except InputError as error:
        st.error(plain(str(error)), title="These settings cannot be used")
        return
    with st.spinner("The engine ends and starts again …"):
        stop_engine(store)
        ensure_engine(store)
    st.success("The engine starts with these settings; that takes about 15 s.")


draw()
