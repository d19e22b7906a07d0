"""A run as a card: its stages, progress, time left, cancel, log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from optimizer.engine.client import ensure_engine
from optimizer.errors import InputError
from optimizer.format import format_seconds, format_when
from optimizer.measured import state_text
from optimizer.run_progress import FEW_STAGES, RESUMED, RunProgress, run_progress
from optimizer.store.records import ACTIVE, Run, VariantCounts
from pages.parts.context import store
from pages.parts.faults import explaining
from pages.parts.pace import interval
from pages.parts.stage_list import MARKS, draw_stages, seconds_between
from pages.parts.text import plain

_WAITING = {
    "starting": "The engine is starting; this takes about 15 s, once.",
    "warming": "The engine is warming up; this takes about 15 s, once.",
    "ready": "In the queue.",
    "failed": "The engine did not start; the side bar has its log. This run waits.",
    "off": "The engine is switched off; this run waits until it is on.",
}


_LOOK_SECONDS = 0.5
_PAGE_SECONDS = 2.0
"""A page that follows a run is drawn again at most so often."""
_MOST_BROKEN = 5


def live_runs(run_ids: tuple[str, ...], *, follow: bool = False) -> None:
    """Cards of runs under way; the whole page runs again when the first of them ends.

    Args:
        run_ids: the runs.
        follow: whether the page shows variants, and so runs again when more have results.
    """
    seen = [store().count_variants(run_id) for run_id in run_ids] if follow else None
    st.fragment(_live, run_every=interval(_LOOK_SECONDS))(run_ids, seen, time.monotonic())


@explaining
def _live(run_ids: tuple[str, ...], seen: Sequence[VariantCounts] | None, drawn_at: float) -> None:
    runs = [store().get_run(run_id) for run_id in run_ids]
    counts = [store().count_variants(run_id) for run_id in run_ids]
    for run, count in zip(runs, counts, strict=True):
        run_card(run, count)
    if any(run.state not in ACTIVE for run in runs):
        st.rerun()
    due = time.monotonic() - drawn_at >= interval(_PAGE_SECONDS)
    if seen is not None and counts != seen and due:
        st.rerun()


def run_card(run: Run, counts: VariantCounts | None = None) -> None:
    """Draw one run; ``counts`` says how far its variants are."""
    with st.container(border=True, key=f"run-{run.id}"):
        head, action = st.columns([2, 1], vertical_alignment="center")
        icon, color = MARKS["waiting" if run.state == "queued" else run.state]
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
            stages = store().list_stages(run.id)
            progress = run_progress(run, stages, datetime.now(UTC))
            _progress(run, progress, counts or store().count_variants(run.id))
            if run.error:
                st.error(plain(run.error))
            draw_stages(stages, progress)
            _log(run)
            return
        _took(run)
        if run.error:
            st.error(plain(run.error))
        _broken(run)
        details = st.expander("Stages and log", key=f"details-{run.id}", on_change="rerun")
        if details.open:  # a list of runs has many cards, most of which nobody opens
            with details:
                stages = store().list_stages(run.id)
                draw_stages(stages, run_progress(run, stages, datetime.now(UTC)))
                _log(run)


def _broken(run: Run) -> None:
    """The variants of a finished run whose files do not keep what their recipes promised."""
    broken = store().broken_variants(run.id)
    for variant in broken[:_MOST_BROKEN]:
        st.warning(plain(f"{variant.name}: {state_text(variant)}"), icon=":material/heart_broken:")
    if len(broken) > _MOST_BROKEN:
        st.caption(f"{len(broken) - _MOST_BROKEN} more; the table on Compare marks all of them.")


@explaining
def _cancel(run_id: str) -> None:
    store().request_cancel(run_id)


def _took(run: Run) -> None:
    elapsed = seconds_between(run.started_at or run.created_at, run.finished_at)
    st.caption(f"{_where(run)}{format_when(run.created_at)}, took {format_seconds(elapsed)}")


def _progress(run: Run, progress: RunProgress, counts: VariantCounts) -> None:
    if run.state == "queued":
        st.caption(_WAITING.get(ensure_engine(store()).status, "Waiting for the engine."))
        return
    if (status := ensure_engine(store()).status) in ("starting", "warming", "failed"):
        st.caption(f"{_WAITING[status]} Then this run goes on from its last finished stage.")
    if not progress.stages:
        return
    elapsed = seconds_between(run.started_at or run.created_at, run.finished_at)
    parts = [f"{progress.finished} of {progress.stages} stages done"]
    if counts.variants > 1:
        parts.insert(0, f"{counts.measured} of {counts.variants} variants measured")
    if counts.failed and counts.variants > 1:
        parts.append(f"{counts.failed} failed")
    parts.append(f"{format_seconds(elapsed)} so far")
    if progress.seconds_left is not None and progress.stages > FEW_STAGES:
        parts.append(f"about {format_seconds(max(1.0, progress.seconds_left))} left")
    st.progress(progress.fraction, text=", ".join(parts))


def _where(run: Run) -> str:
    """The study that a run belongs to, for a list of the runs of all."""
    if run.study_id is None:
        return ""
    try:
        return f"{plain(store().get_study(run.study_id).name)} · "
    except InputError:
        return "a deleted study · "


def _log(run: Run) -> None:
    text = store().read_log(run.id)
    resumed = text.count(RESUMED)
    if resumed:
        often = "once" if resumed == 1 else f"{resumed} times"
        st.caption(
            f":material/history: Resumed {often} after the engine had ended; what was done before "
            "was kept and not done again."
        )
    with st.popover("Log", icon=":material/article:"):
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
