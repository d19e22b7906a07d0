"""The page of the lesson on latency."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from optimizer.charts.lessons_latency import histogram_figure, rounds_figure, series_figure
from optimizer.errors import FeatherweightError
from optimizer.format import format_when
from optimizer.lessons import latency as lesson_math
from optimizer.lessons.bundled_study import bundled_result, measured_on
from optimizer.lessons.latency import Timing
from optimizer.lessons.lesson import Lesson
from optimizer.store.records import ACTIVE, Run
from pages.lessons import frame
from pages.parts import context
from pages.parts.chart import draw_chart
from pages.parts.runs import live_runs
from pages.parts.terms import term_link
from pages.parts.text import plain


def draw(lesson: Lesson) -> None:
    """Draw the lesson."""
    frame.begin(
        lesson,
        f"Run the same network on the same input twice, and it takes two different times. A "
        f"{term_link('percentile')} says how they spread: half of the inferences take longer than "
        "p50, one in a hundred takes longer than p99.",
    )
    limits = (1, 5, 0.05)
    guess = frame.predict_slider(
        lesson,
        "The float32 sample model ran tens of thousands of times, after a warm-up, on a quiet "
        "machine. **How many times p50 is p99?**",
        "p99 / p50",
        limits,
        2,
        "times p50",
    )
    if guess is None:
        return
    truth = lesson_math.bundled_tail()
    frame.see(
        f"**{truth:.2f}** times: {_bundled_figures()} ({measured_on()}). "
        "The tail is not the network's: other processes, interrupts and the clock make it, so on "
        "a busy machine it is longer. **Your own machine** answers in step 5."
    )
    frame.answer(lesson, guess, truth, limits[:2], "times p50")
    st.markdown(
        "A mean follows the tail, a median does not. That is why this workbench compares medians, "
        "and measures files in alternating rounds: what disturbs one round disturbs all of them. "
        f"How far a file differs from its own copy is the {term_link('noise floor')}."
    )
    frame.remember(lesson)
    _try(lesson)
    frame.next_lesson(lesson)


def _bundled_figures() -> str:
    found = bundled_result().latency
    if found is None:
        return "not measured"
    shares = (("p50", found.p50_ms), ("p90", found.p90_ms), ("p99", found.p99_ms))
    figures = ", ".join(f"{name} {1000 * value:.2f} µs" for name, value in shares if value)
    return f"{figures} over {found.runs or 0:,} inferences"


def _try(lesson: Lesson) -> None:
    frame.begin_trial(
        f"Time {lesson_math.COUNT:,} inferences one by one, from the very first, **here and now**; "
        "then the file against a copy of itself, and one thread against several. Guess first: how "
        "many times longer does the first one take, and do more threads help?"
    )
    store = context.store()
    run = lesson_math.newest_trial(store)
    active = run is not None and run.state in ACTIVE
    left, right = st.columns(2)
    file = left.selectbox(
        "File",
        list(lesson_math.FILES),
        key="latency-file",
        help="The sample model in different arithmetic. int16×8 runs on reference kernels here.",
    )
    threads = right.select_slider(
        "Threads to compare with one",
        [2, 3, 4, 8],
        lesson_math.most_threads(),
        key="latency-threads",
        help="More than the processor has cores make them wait for each other.",
    )
    if not active and frame.run_button(lesson):
        try:
            lesson_math.start_trial(store, file, threads)
        except FeatherweightError as error:
            st.error(plain(str(error)), title="The sample cannot be run")
            return
        st.rerun()
    if run is None:
        return
    if active:
        live_runs((run.id,))
    elif run.state == "done" and run.result:
        _results(run)
        frame.mark_tried(lesson)
    elif run.error:
        st.error(plain(run.error), title="The run failed")


def _results(run: Run) -> None:
    timing = Timing.of(run)
    st.markdown(
        f"**{timing.file}, every inference** · {timing.device}, {format_when(run.created_at)}"
    )
    warm_up = st.slider(
        "First inferences left out",
        0,
        500,
        lesson_math.WARM_UP,
        key="latency-warm-up",
        help="What is left out as warm-up does not count in the figures and the histogram.",
    )
    times = timing.after(warm_up)
    found = lesson_math.summary(times)
    left, right = st.columns(2, gap="large")
    with left:
        draw_chart(
            series_figure(timing.series, warm_up),
            "latency-series",
            f"Time of each of {len(timing.series):,} invocations; the first took "
            f"{timing.series[0]:.1f} µs, the median of those counted is {found.p50:.1f} µs",
            mode_bar=False,
        )
    with right:
        draw_chart(
            histogram_figure(times, found),
            "latency-histogram",
            f"Histogram of the times: p50 {found.p50:.1f}, p90 {found.p90:.1f}, p99 "
            f"{found.p99:.1f} µs",
            mode_bar=False,
        )
    row = st.container(horizontal=True)
    for title, value, text in (
        ("Building it", f"{timing.load:,.0f} µs", "Interpreter made and tensors allocated."),
        ("First", f"{timing.series[0]:,.1f} µs", "The very first inference."),
        ("First / p50", f"{timing.series[0] / found.p50:.1f}", "What warm-up is worth."),
        ("p50", f"{found.p50:.2f} µs", "Half of them take longer."),
        ("Mean", f"{found.mean:.2f} µs", "Follows the outliers."),
        ("p99 / p50", f"{found.p99 / found.p50:.2f}", "The tail, in this one run."),
        ("Slowest", f"{found.largest:,.0f} µs", "Of those that count."),
    ):
        row.metric(title, value, help=text, border=True)
    _rounds(timing)


def _rounds(timing: Timing) -> None:
    st.markdown("**The same file twice, and with more threads**")
    copy, threads = timing.compared("copy"), timing.compared("threads")
    draw_chart(
        rounds_figure(timing),
        "latency-rounds",
        f"Medians of {len(timing.rounds['copy'])} rounds: the copy takes {copy['ratio']:.3f} times "
        f"as long as the file, {timing.threads} threads {threads['ratio']:.3f} times",
        pd.DataFrame(dict(timing.rounds)),
        mode_bar=False,
    )
    low, high = threads["ratio_ci"]
    if not threads["significant"]:
        said = "which is no difference beyond the noise"
    elif threads["ratio"] > 1:
        said = "so they make it slower: handing out so little work takes longer than doing it"
    else:
        said = "so they make it faster"
    st.markdown(
        f"The copy takes **{copy['ratio']:.3f}** times as long as the file (95 % interval "
        f"{copy['ratio_ci'][0]:.3f} to {copy['ratio_ci'][1]:.3f}), although they are the same: the "
        f"noise floor of this measurement is {100 * timing.floor:.1f} %. {timing.threads} threads "
        f"take **{threads['ratio']:.3f}** times as long as one ({low:.3f} to {high:.3f}), {said}."
    )
