"""One search as it stands: progress, the answer, every trial in a chart and in a table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from optimizer.charts.searching import MEASURES, measure_of, search_figure, search_info, trial_rows
from optimizer.charts.style import CONFIG
from optimizer.comparison import metric_column
from optimizer.engine.client import ensure_engine
from optimizer.format import format_seconds, format_when, is_share, lowered, metric_title
from optimizer.search.confirmation import contenders
from optimizer.search.goal import Goal, SearchOptions
from optimizer.search.record import goal_of
from optimizer.search.words import STATES, goal_text, trial_text
from optimizer.store.records import ACTIVE, Run, Study, Trial
from pages.parts import context
from pages.parts.faults import explaining
from pages.parts.pace import interval
from pages.parts.table import show_table
from pages.parts.text import plain

_PHASES = {
    "baseline": "Measuring the baseline",
    "space": "Looking at the model, to know what can be tried",
    "trials": "Trying candidates",
    "confirming": "Checking the best on samples that the search did not see",
}


def search_view(study: Study, run: Run) -> None:
    """Draw a search; the page runs again when it ends."""
    if run.state in ACTIVE:
        st.fragment(_live, run_every=interval(1.0))(study.id, run.id)
    else:
        _draw(study, run)


@explaining
def _live(study_id: str, run_id: str) -> None:
    run = context.store().get_run(run_id)
    if run.state not in ACTIVE:
        st.rerun()
    _draw(context.store().get_study(study_id), run)


def _draw(study: Study, run: Run) -> None:
    options, goal = SearchOptions.parse(run.options), goal_of(run)
    trials = context.store().list_trials(run.id)
    metric = ((run.result or {}).get("goal") or {}).get("metric")
    with st.container(border=True, key=f"search-{run.id}"):
        st.markdown(f"**{plain(goal_text(options, metric or _metric(study)))}.**")
        if run.state in ACTIVE:
            _progress(run, options, goal, trials)
        else:
            _ending(study, run, trials)
    if goal is None or not trials:
        return
    answer = (run.result or {}).get("answer") or {}
    winner = answer.get("number") if answer.get("kind") == "found" else None
    _chart(run, goal, trials, winner)
    _table(study, run, goal, trials, winner)


def _metric(study: Study) -> str | None:
    return study.objective.get("metric")


def _progress(run: Run, options: SearchOptions, goal: Goal | None, trials: list[Trial]) -> None:
    result = run.result or {}
    phase = _PHASES.get(str(result.get("phase")), "Waiting for the engine")
    status = ensure_engine(context.store())
    if run.state == "queued" or status.status != "ready":
        phase = {"off": "The engine is switched off; the search waits until it is on"}.get(
            status.status, phase
        )
    asked = [t for t in trials if t.origin != "study" and t.state != "refused"]
    ended = sum(trial.state != "running" for trial in asked)
    spent = _spent(run)
    shares = []
    if options.trials:
        shares.append(ended / options.trials)
    if options.minutes:
        shares.append(spent / (60 * options.minutes))
    text = f"{phase} · {ended}{f' of {options.trials}' if options.trials else ''} trials done"
    st.progress(min(1.0, max(shares, default=0.0)), text=f"{text} · {_left(shares, spent)}")
    for trial in (trial for trial in asked if trial.state == "running"):
        st.caption(f":blue[:material/progress_activity:] {plain(_running(trial))}")
    if goal is not None:
        best = contenders(trials, goal)
        if best:
            st.markdown(f"Best so far, not confirmed yet: {plain(trial_text(best[0]))}.")
        elif trials:
            st.markdown("No trial keeps the limits so far.")
    st.button(
        "Cancel",
        key=f"cancel-search-{run.id}",
        icon=":material/stop_circle:",
        help="Ends what runs at once. What is finished is kept in the study.",
        on_click=_cancel,
        args=(run.id,),
        disabled=run.cancel_requested,
    )


@explaining
def _cancel(run_id: str) -> None:
    context.store().request_cancel(run_id)


def _spent(run: Run) -> float:
    if run.started_at is None:
        return 0.0
    return (datetime.now(UTC) - datetime.fromisoformat(run.started_at)).total_seconds()


def _left(shares: list[float], spent: float) -> str:
    done = max(shares, default=0.0)
    if not 0.05 < done < 1:
        return f"{format_seconds(spent)} so far"
    return f"at most about {format_seconds(spent * (1 - done) / done)} left"


def _running(trial: Trial) -> str:
    text = trial.recipe.name
    if trial.intermediate:
        stage, epoch, epochs, value = trial.intermediate[-1]
        text += f", metric {value:.4g} after epoch {epoch} of {epochs} ({stage.replace('_', ' ')})"
    return text


def _ending(study: Study, run: Run, trials: list[Trial]) -> None:
    answer = (run.result or {}).get("answer")
    spent = (run.result or {}).get("spent_seconds")
    took = f", took {format_seconds(spent)}" if spent else ""
    if run.state == "failed":
        st.error(plain(run.error or "It failed; the Runs page has the log."), title="Failed")
    elif run.state == "cancelled":
        st.info("This search was cancelled; what it finished is in the study, not confirmed.")
    elif answer:
        box = st.success if answer["kind"] == "found" else st.warning
        head = "Found" if answer["kind"] == "found" else "Not achievable"
        box(plain(answer["text"].removeprefix("Found: ")), title=head)
        for remark in answer.get("remarks") or ():
            st.caption(plain(remark))
        if answer.get("variant_id"):
            st.page_link(
                context.VARIANT,
                label="See the variant" if answer["kind"] == "found" else "See the nearest",
                icon=":material/layers:",
                query_params=context.study_link(study, variant=answer["variant_id"]),
            )
    st.caption(f"{format_when(run.created_at)}{took}. {plain(_counts(trials))}")


def _counts(trials: list[Trial]) -> str:
    """How many trials there were, by what became of them."""
    asked = [trial for trial in trials if trial.origin != "study"]
    known = len(trials) - len(asked)
    parts = [
        f"{count} {STATES[state]}"
        for state in STATES
        if (count := sum(trial.state == state for trial in asked))
    ]
    text = f"Trials: {', '.join(parts)}." if parts else "No trials."
    return text + (f" {known} finished variants of the study were taken along." if known else "")


def _chart(run: Run, goal: Goal, trials: list[Trial], winner: int | None) -> None:
    if goal.baseline.metric is None:
        return
    usual = measure_of(goal)
    measures = [m for m in MEASURES if m != "latency_ratio" or _has_latency(trials)]
    measure = st.segmented_control(
        "Cost",
        measures,
        default=usual if usual in measures else measures[0],
        format_func={
            "gzip_bytes": "gzip",
            "size_bytes": "File size",
            "latency_ratio": "Latency",
        }.__getitem__,
        required=True,
        key=f"search_measure-{run.id}",
        help="What the horizontal axis shows. gzip: the file compressed, as a download is.",
    )
    info = search_info(trials, goal, winner, measure)
    st.plotly_chart(
        search_figure(info),
        config=CONFIG,
        key=f"search_chart-{run.id}",
        alt=f"{len(info.points)} trials of the search: {lowered(MEASURES[measure])} against "
        f"{metric_column(info.metric)}; dashed lines are the limits",
    )
    where = f"{metric_title(goal.metric)} on the half of the test set that the search judges by."
    if info.not_shown:
        where += (
            f" {info.not_shown} skipped or failed trials were not measured; the table says why."
        )
    st.caption(where)


def _has_latency(trials: list[Trial]) -> bool:
    return any(trial.figures.get("latency_ratio") is not None for trial in trials)


def _table(study: Study, run: Run, goal: Goal, trials: list[Trial], winner: int | None) -> None:
    table = pd.DataFrame(trial_rows(trials, goal, winner))
    if table["Latency ratio"].isna().all():
        table = table.drop(columns="Latency ratio")
    column, number = metric_column(goal.metric or "accuracy"), st.column_config.NumberColumn
    event: Any = show_table(
        table,
        hide_index=True,
        height=min(420, 40 + 35 * len(table)),
        on_select="rerun",
        selection_mode="single-row",
        key=f"search_table-{run.id}",
        column_config={
            "id": None,
            "Recipe": st.column_config.TextColumn(width="medium"),
            "Keeps the limits": st.column_config.TextColumn(
                help="On the half of the test set that the search judges by"
            ),
            "gzip (kB)": number(format="%.1f", help="The .tflite, gzip-compressed"),
            "Size (kB)": number(format="%.1f", help="The .tflite as it ships"),
            column: number(
                format="%.2f" if is_share(goal.metric) else "%.4g",
                help="On the half of the test set that the search judges by; the variant's page "
                "has that of the whole test set",
            ),
            "Latency ratio": number(format="%.2f", help="To the baseline; below 1 is faster"),
            "Took (s)": number(format="%.1f", help="From its begin to its end, waiting included"),
            "Why": st.column_config.TextColumn(
                width="large", help="Why it was tried, ended early, skipped, or what failed"
            ),
        },
        alt="All trials of the search with what was measured of them",
    )
    rows = event.selection.rows if event else []
    if rows and table.iloc[rows[0]]["id"]:
        st.page_link(
            context.VARIANT,
            label=f"See {plain(str(table.iloc[rows[0]]['Recipe']))}",
            icon=":material/layers:",
            query_params=context.study_link(study, variant=str(table.iloc[rows[0]]["id"])),
        )
