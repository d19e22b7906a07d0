"""The side bar: which study is open, and how the engine is."""

from __future__ import annotations

from typing import Any

import streamlit as st

from optimizer.engine.client import ensure_engine
from optimizer.store.records import ACTIVE
from pages.parts import context, sign_in
from pages.parts.faults import explaining
from pages.parts.pace import interval


def draw_sidebar() -> None:
    """Draw the study picker and the engine's state."""
    with st.sidebar:
        _study_picker()
        _engine()
        sign_in.draw_person()


def _study_picker() -> None:
    studies = {study.id: study for study in context.store().list_studies()}
    if not studies:
        return
    current = context.remembered_study_id()
    known = current in studies
    st.session_state["study_picker"] = current if known else None
    st.selectbox(
        "Open study",
        list(studies),
        index=0 if known else None,
        format_func=lambda study_id: studies[study_id].name,
        key="study_picker",
        placeholder="Choose a study",
        help="All study pages show this study.",
        on_change=_open_picked,
    )


def _open_picked() -> None:
    chosen = st.session_state["study_picker"]
    if chosen:
        lesson = st.query_params.get("lesson")
        st.query_params.clear()
        context.remember_study(chosen)
        if lesson:  # a lesson is of no study, and stays open
            st.query_params["lesson"] = lesson


def _engine() -> None:
    """Look again every second while something is under way, else only to notice a dead engine."""
    busy = ensure_engine(context.store()).status in ("starting", "warming", "stopping")
    live = busy or bool(context.store().list_runs(states=ACTIVE, limit=1))
    st.fragment(explaining(_draw_engine), run_every=interval(1.0 if live else 10.0))()


def _draw_engine() -> None:
    status = ensure_engine(context.store())
    running = context.store().list_runs(states=ACTIVE)
    shown: dict[str, tuple[str, Any, str, str]] = {
        "ready": ("Engine ready", "green", "check_circle", ""),
        "warming": (
            "Engine warming up",
            "orange",
            "hourglass_top",
            "TensorFlow is loading; about 15 s.",
        ),
        "starting": ("Engine starting", "orange", "hourglass_top", "About 15 s."),
        "stopping": ("Engine stopping", "orange", "hourglass_bottom", ""),
        "failed": ("Engine did not start", "red", "error", "It is tried again in a few seconds."),
        "off": ("Engine off", "gray", "pause_circle", "FEATHERWEIGHT_NO_ENGINE is set."),
    }
    label, color, icon, text = shown[status.status]
    if running:
        waiting = sum(run.state == "queued" for run in running)
        text = f"{len(running) - waiting} running, {waiting} queued"
    st.badge(label, icon=f":material/{icon}:", color=color, help=status.detail or None)
    if running:
        st.page_link(context.RUNS, label=text, icon=":material/pending_actions:")
    elif text:
        st.caption(text)
    if status.status == "failed" and status.detail and sign_in.may_administer():
        with st.expander("Engine log"):
            st.code(status.detail, language=None)
