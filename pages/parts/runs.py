"""A run as a card: its stages, progress, time left, cancel, log."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from optimizer.format import format_seconds, format_when
from optimizer.store.records import ACTIVE, Run, RunStage
from pages.parts.context import store

_MARKS = {
    "waiting": (":material/schedule:", "gray"),
    "running": (":material/progress_activity:", "blue"),
    "done": (":material/check_circle:", "green"),
    "failed": (":material/error:", "red"),
    "cancelled": (":material/block:", "gray"),
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
        head, action = st.columns([5, 1], vertical_alignment="center")
        icon, color = _MARKS["waiting" if run.state == "queued" else run.state]
        head.markdown(f"**{_escape(run.title)}**  :{color}-badge[{icon} {run.state}]")
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
            st.error(run.error)
        for stage in stages:
            _stage_line(stage)
        _log(run)


def _cancel(run_id: str) -> None:
    store().request_cancel(run_id)


def _progress(run: Run, stages: list[RunStage]) -> None:
    if run.state == "queued":
        st.caption("Waiting for the engine.")
        return
    started = run.started_at or run.created_at
    elapsed = _seconds_between(started, run.finished_at)
    if run.state not in ACTIVE:
        st.caption(f"{format_when(run.created_at)}, took {format_seconds(elapsed)}")
        return
    if stages:
        done = sum(
            1.0 if stage.state == "done" else (stage.fraction or 0.0) for stage in stages
        ) / len(stages)
        finished = sum(stage.state == "done" for stage in stages)
        st.progress(
            min(done, 1.0),
            text=f"{finished} of {len(stages)} stages done, {format_seconds(elapsed)} so far",
        )


def _stage_line(stage: RunStage) -> None:
    icon, color = _MARKS[stage.state]
    parts = [f":{color}[{icon}] {stage.label}"]
    if stage.cached:
        parts.append(":gray[already computed]")
    elif stage.state == "done" and stage.seconds is not None:
        parts.append(f":gray[{format_seconds(stage.seconds)}]")
    elif stage.state == "running":
        parts.append(f":gray[{_running_text(stage)}]")
    elif stage.state == "cancelled" and stage.message:
        parts.append(f":gray[{_escape(stage.message)}]")
    st.markdown(" · ".join(parts))


def _running_text(stage: RunStage) -> str:
    parts = [_escape(stage.message)]
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


def _escape(text: str) -> str:
    """Text of a person's in Markdown: no markup, no colours, no LaTeX."""
    return "".join(f"\\{char}" if char in r"\`*_{}[]()#+!|<>$:~" else char for char in text)
