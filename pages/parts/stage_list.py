"""The stages of a run: a line for each of a few, sums for many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import streamlit as st

from optimizer.format import format_seconds
from optimizer.run_progress import FEW_STAGES, RunProgress, stage_seconds_left
from optimizer.store.records import RunStage
from pages.parts.text import plain

MARKS = {
    "waiting": (":material/schedule:", "gray"),
    "running": (":material/progress_activity:", "blue"),
    "done": (":material/check_circle:", "green"),
    "failed": (":material/error:", "red"),
    "cancelled": (":material/block:", "gray"),
}


def draw_stages(stages: Sequence[RunStage], progress: RunProgress) -> None:
    """Draw a run's stages; ``progress`` sums them up."""
    if len(stages) <= FEW_STAGES:
        _each(stages)
        return
    for stage in (*progress.running, *progress.failed):
        _line(stage, why=True)
    for more, what in ((progress.more_running, "running"), (progress.more_failed, "failed")):
        if more:
            st.caption(f"{more} more {what}")
    if progress.cached:
        icon, color = MARKS["done"]
        st.markdown(f":{color}[{icon}] :gray[Already computed: {progress.cached} stages]")
    sums = {"done": progress.done, "waiting": progress.waiting, "cancelled": progress.cancelled}
    for state, counts in sums.items():
        if counts:
            icon, color = MARKS[state]
            text = f"{state.capitalize()}: {_counted(counts)}"
            st.markdown(f":{color}[{icon}] :gray[{text}]")


def seconds_between(start: str, end: str | None) -> float:
    """Seconds from one UTC ISO 8601 time to another, or to now."""
    last = datetime.fromisoformat(end) if end else datetime.now(UTC)
    return max(0.0, (last - datetime.fromisoformat(start)).total_seconds())


def _each(stages: Sequence[RunStage]) -> None:
    """One line for all that was there already, then a line for each of the others."""
    cached = [stage.label for stage in stages if stage.cached]
    if cached:
        names = ", ".join(dict.fromkeys(cached))
        st.markdown(f":green[:material/check_circle:] :gray[Already computed: {names}]")
    for stage in stages:
        if not stage.cached:
            _line(stage)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{label} × {count}" if count > 1 else label for label, count in counts.items()
    )


def _line(stage: RunStage, *, why: bool = False) -> None:
    """One stage; ``why`` says what made it fail, where the run itself does not."""
    icon, color = MARKS[stage.state]
    parts = [f":{color}[{icon}] {stage.label}"]
    if stage.state == "done" and stage.seconds is not None:
        parts.append(f":gray[{format_seconds(stage.seconds)}]")
    elif stage.state == "running":
        parts.append(f":gray[{_running_text(stage)}]")
    elif stage.message and (why or stage.state != "failed"):
        parts.append(f":gray[{plain(stage.message)}]")
    st.markdown(" · ".join(parts))


def _running_text(stage: RunStage) -> str:
    parts = [plain(stage.message)]
    loss = stage.numbers.get("loss")
    if loss is not None:
        parts.append(f"loss {loss:.4f}")
    if stage.started_at:
        elapsed = seconds_between(stage.started_at, None)
        parts.append(f"{format_seconds(elapsed)} so far")
        left = stage_seconds_left(stage, elapsed)
        if left is not None:
            parts.append(f"about {format_seconds(left)} left")
    return ", ".join(part for part in parts if part)
