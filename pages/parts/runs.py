"""A run as a card: its stages, progress, time left, cancel, log."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from optimizer.engine.client import ensure_engine
from optimizer.errors import InputError
from optimizer.format import format_seconds, format_when
from optimizer.measured import measured, state_text
from optimizer.store.records import ACTIVE, Run, RunStage
from pages.parts.context import store
from pages.parts.text import plain

_MARKS = {
    "waiting": (":material/schedule:", "gray"),
    "running": (":material/progress_activity:", "blue"),
    "done": (":material/check_circle:", "green"),
    "failed": (":material/error:", "red"),
    "cancelled": (":material/block:", "gray"),
}


_WAITING = {
    "starting": "The engine is starting; this takes about 15 s, once.",
    "warming": "The engine is warming up; this takes about 15 s, once.",
    "ready": "In the queue.",
    "failed": "The engine did not start; the side bar has its log. This run waits.",
    "off": "The engine is switched off; this run waits until it is on.",
}


@st.fragment(run_every=0.5)
def live_runs(run_ids: tuple[str, ...]) -> None:
    """Cards of runs under way; the whole page runs again when the first of them ends."""
    runs = [store().get_run(run_id) for run_id in run_ids]
    for run in runs:
        run_card(run)
    if any(run.state not in ACTIVE for run in runs):
        st.rerun()


def run_card(run: Run) -> None:
    """Draw one run."""
    stages = store().list_stages(run.id)
    with st.container(border=True, key=f"run-{run.id}"):
        head, action = st.columns([2, 1], vertical_alignment="center")
        icon, color = _MARKS["waiting" if run.state == "queued" else run.state]
        head.markdown(f"**{plain(run.title)}**  :{color}-badge[{icon} {run.state}]")
        if run.state in ACTIVE:
            action.button(
                "Cancel",
                key=f"cancel-{run.id}",
                icon=":material/stop_circle:",
                help="Ends this run's stages at once. What is finished is kept.",
                on_click=_cancel,
                args=(run.id,),
                disabled=run.cancel_requested,
                width="stretch",
            )
        _progress(run, stages)
        if run.error:
            st.error(plain(run.error))
        if run.state in ACTIVE:
            _stages(stages)
            _log(run)
        else:
            _broken(run)
            with st.expander("Stages and log"):
                _stages(stages)
                _log(run)


def _broken(run: Run) -> None:
    """The variants of a finished run whose files do not keep what their recipes promised."""
    for variant_id in run.variant_ids:
        try:
            variant = store().get_variant(variant_id)
        except InputError:  # deleted since
            continue
        found = measured(variant)
        if found and found.broken:
            st.warning(
                plain(f"{variant.name}: {state_text(variant)}"), icon=":material/heart_broken:"
            )


def _cancel(run_id: str) -> None:
    store().request_cancel(run_id)


def _progress(run: Run, stages: list[RunStage]) -> None:
    if run.state == "queued":
        st.caption(_WAITING.get(ensure_engine(store()).status, "Waiting for the engine."))
        return
    started = run.started_at or run.created_at
    elapsed = _seconds_between(started, run.finished_at)
    if run.state not in ACTIVE:
        st.caption(f"{_where(run)}{format_when(run.created_at)}, took {format_seconds(elapsed)}")
        return
    if (status := ensure_engine(store()).status) in ("starting", "warming", "failed"):
        st.caption(f"{_WAITING[status]} Then this run goes on from its last finished stage.")
    if stages:
        done = sum(
            1.0 if stage.state == "done" else (stage.fraction or 0.0) for stage in stages
        ) / len(stages)
        finished = sum(stage.state == "done" for stage in stages)
        st.progress(
            min(done, 1.0),
            text=f"{finished} of {len(stages)} stages done, {format_seconds(elapsed)} so far",
        )


def _where(run: Run) -> str:
    """The study that a run belongs to, for a list of the runs of all."""
    if run.study_id is None:
        return ""
    try:
        return f"{plain(store().get_study(run.study_id).name)} · "
    except InputError:
        return "a deleted study · "


def _stages(stages: list[RunStage]) -> None:
    """One line for all that was there already, then a line for each of the others."""
    cached = [stage.label for stage in stages if stage.cached]
    if cached:
        names = ", ".join(dict.fromkeys(cached))
        st.markdown(f":green[:material/check_circle:] :gray[Already computed: {names}]")
    for stage in stages:
        if not stage.cached:
            _stage_line(stage)


def _stage_line(stage: RunStage) -> None:
    icon, color = _MARKS[stage.state]
    parts = [f":{color}[{icon}] {stage.label}"]
    if stage.state == "done" and stage.seconds is not None:
        parts.append(f":gray[{format_seconds(stage.seconds)}]")
    elif stage.state == "running":
        parts.append(f":gray[{_running_text(stage)}]")
    elif stage.state == "cancelled" and stage.message:
        parts.append(f":gray[{plain(stage.message)}]")
    st.markdown(" · ".join(parts))


def _running_text(stage: RunStage) -> str:
    parts = [plain(stage.message)]
    loss = stage.numbers.get("loss")
    if loss is not None:
        parts.append(f"loss {loss:.4f}")
    if stage.started_at:
        elapsed = _seconds_between(stage.started_at, None)
        parts.append(f"{format_seconds(elapsed)} so far")
        if stage.fraction and 0.05 < stage.fraction < 1:
            left = elapsed * (1 - stage.fraction) / stage.fraction
            parts.append(f"about {format_seconds(left)} left")
    return ", ".join(part for part in parts if part)


def _log(run: Run) -> None:
    with st.popover("Log", icon=":material/article:"):
        text = store().read_log(run.id)
        if not text:
            st.caption("Nothing logged yet.")
            return
        st.code(text[-6000:], language=None)
        st.download_button(
            "Download the whole log",
            text,
            file_name=f"run-{run.id}.log",
            key=f"log-{run.id}",
            on_click="ignore",
            icon=":material/download:",
        )


def _seconds_between(start: str, end: str | None) -> float:
    last = datetime.fromisoformat(end) if end else datetime.now(UTC)
    return max(0.0, (last - datetime.fromisoformat(start)).total_seconds())
