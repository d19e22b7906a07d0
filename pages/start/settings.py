"""Where the engine runs stages, how many at once, and what waits; and changing that."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from optimizer.engine import protections
from optimizer.engine.client import ensure_engine, stop_engine
from optimizer.errors import InputError, StageError
from optimizer.format import format_bytes
from optimizer.settings import (
    DEFAULT_STAGE_MINUTES,
    MOST_STAGE_MINUTES,
    SETTINGS_FILE,
    VARIABLES,
    Settings,
    available_cores,
    capacity,
    from_environment,
)
from optimizer.store.records import ACTIVE
from pages.parts import context, sign_in
from pages.parts.faults import explaining
from pages.parts.limits_form import limits_form
from pages.parts.pace import interval
from pages.parts.table import show_table
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
    st.fragment(explaining(_engine), run_every=interval(2.0))()
    _confinement()
    st.header("Where and how it works")
    if sign_in.may_administer():
        _form()
        st.header("Limits of the store", anchor="limits")
        limits_form()
    else:
        st.info(
            "These settings are for whoever runs this workbench: they concern everybody's work.",
            icon=":material/lock:",
        )


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
        if sign_in.may_administer():
            st.code(status.detail[-3000:], language=None)
    elif status.detail:
        st.caption(plain(status.detail[0].upper() + status.detail[1:]) + ".")
    if ready and state and len(state.workers) > 0 and sign_in.may_administer():
        _workers(state.workers)


def _workers(workers: list[dict[str, Any]]) -> None:
    show_table(
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


def _confinement() -> None:
    """What keeps the work from doing harm on this machine."""
    with st.expander("How stages are confined", icon=":material/lock:"):
        st.markdown(
            "Files people bring may be hostile. So each step runs in a process of its own that has "
            "only what it needs. This is what holds **on this machine**, found by having such a "
            "process try what it must not do."
        )
        try:
            found = _protections()
        except StageError as error:
            st.error(plain(str(error)), title="This could not be tried out")
            return
        rows = {
            "Holds": ["yes" if protection.holds else "no" for protection in found],
            "What it means here": [plain(protection.detail) for protection in found],
        }
        names = pd.Index([protection.name for protection in found], name="Protection")
        st.table(pd.DataFrame(rows, index=names))
        missing = [protection.name for protection in found if not protection.holds]
        if missing:
            st.warning(
                "Read files only from people you trust here, or use a newer Linux. Missing: "
                + plain(", ".join(missing))
                + "."
            )
        st.caption("Workers on other machines are confined by what their own systems have.")


@st.cache_data(ttl=3600, max_entries=1, show_spinner="Trying what a stage can do …")
def _protections() -> list[protections.Protection]:
    return protections.report()


def _form() -> None:
    home = context.store().home
    try:
        known, fixed = Settings.load(home), from_environment()
    except InputError as error:
        st.error(plain(str(error)), title="These settings cannot be used")
        _offer_defaults(home)
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
        chosen["stage_minutes"] = st.number_input(
            "Processor minutes per stage",
            1,
            MOST_STAGE_MINUTES,
            known.stage_minutes,
            placeholder=f"Automatic: {DEFAULT_STAGE_MINUTES:,}",
            disabled="stage_minutes" in fixed,
            help="A stage that uses more processor time, of all its threads together, is ended. "
            f"Left empty: {DEFAULT_STAGE_MINUTES:,} minutes, a day of one core.",
        )
        if st.form_submit_button(
            "Apply and restart the engine",
            type="primary",
            icon=":material/restart_alt:",
            help="Runs under way go on from their last finished stage.",
        ):
            _apply({**chosen, **fixed})


def _offer_defaults(home: Path) -> None:
    """A file of settings that cannot be used is replaced when asked for, not behind one's back."""
    if (home / SETTINGS_FILE).exists() and st.button(
        "Use the defaults instead",
        icon=":material/restart_alt:",
        help=f"Replaces {SETTINGS_FILE} by one that sets nothing. Studies and results stay.",
    ):
        Settings().save(home)
        st.rerun()


def _apply(chosen: dict[str, Any]) -> None:
    """Check, keep and use the settings; what the environment sets is not kept."""
    sign_in.require_administrator()
    store = context.store()
    try:
        if st.session_state["settings_place"] == "dask" and not chosen["scheduler"]:
            raise InputError("A Dask cluster needs its scheduler's address, tls://10.0.0.5:8786.")
        saved = Settings.saved(store.home)
        replace(saved, **{name: value or None for name, value in chosen.items()})  # type: ignore[arg-type]
        own = {n: v or None for n, v in chosen.items() if not os.environ.get(VARIABLES[n])}
        unset = dict.fromkeys(VARIABLES)
        replace(saved, **{**unset, **own}).save(store.home)  # type: ignore[arg-type]
    except InputError as error:
        st.error(plain(str(error)), title="These settings cannot be used")
        return
    with st.spinner("The engine ends and starts again …"):
        stop_engine(store)
        ensure_engine(store)
    st.success("The engine starts with these settings; that takes about 15 s.")


draw()
