"""The page of the lesson on collaborative optimization."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from optimizer.charts.lessons_collaborative_optimization import kept_figure
from optimizer.errors import FeatherweightError
from optimizer.format import format_bytes
from optimizer.lessons import collaborative_optimization as lesson_math
from optimizer.lessons.bundled_study import AWARE, CLUSTERED, PRUNED, bundled_result, measured_on
from optimizer.lessons.collaborative_optimization import Clustered, Kept, zeros
from optimizer.lessons.lesson import Lesson
from optimizer.store.records import ACTIVE, Run, Variant
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
        f"{term_link('magnitude pruning', 'Pruning')} makes zeros, "
        f"{term_link('weight clustering', 'clustering')} makes shared values, "
        f"{term_link('quantization-aware training')} makes integers. Each of them trains the "
        "network on, and training moves weights.",
    )
    limits = (0, 100, 1)
    guess = frame.predict_slider(
        lesson,
        f"The last layer of the sample was pruned: {100 * lesson_math.SPARSITY:.0f} % of its "
        f"{lesson_math.pruned_kernel().size} weights are zero. Now it is clustered by "
        f"k-means, and its {lesson_math.CLUSTERS} {term_link('centroid', 'centroids')} "
        "train for **one step**, without any care for zeros. What share is still zero?",
        "Zeros that are left (%)",
        limits,
        60,
        "% zeros",
    )
    if guess is None:
        return
    plain_way = _clustered(lesson_math.CLUSTERS, False, lesson_math.RATE)
    truth = 100 * zeros(plain_way.trained)
    frame.see(
        f"**{truth:.0f} %** are left. k-means itself leaves {100 * zeros(plain_way.placed):.0f} %: "
        "pruning took the small weights, so nothing lies near zero and one centroid is exactly "
        "there. But all zeros share that centroid, and its gradient is the sum of theirs, here "
        f"{plain_way.slope:.3f}: one step moves them all."
    )
    frame.answer(lesson, guess, truth, limits[:2], "% zeros")
    _play()
    _bundled()
    frame.remember(lesson)
    done = frame.try_it(
        lesson,
        "The sample network is pruned, clustered and quantized; every step preserves what is "
        "there. What do zeros, distinct weights and gzip say after each?",
    )
    if done:
        _without(lesson, done)
    frame.next_lesson(lesson)


@st.cache_data(max_entries=64, show_spinner=False)
def _clustered(count: int, preserve: bool, rate: float) -> Clustered:
    return lesson_math.cluster_and_train(count, preserve, rate)


def _play() -> None:
    st.markdown(
        "The real gradient of the real layer, over all training images. Preserving masks the "
        "zeros and clusters the others only."
    )
    controls, table = st.columns([1, 2.2], gap="large")
    with controls:
        count = st.slider(
            "Clusters",
            3,
            64,
            lesson_math.CLUSTERS,
            key="collaborative-clusters",
            help="Centroids in this layer, the one at zero included.",
        )
        rate = st.select_slider(
            "Learning rate",
            [0.0, 1e-6, 1e-4, 0.01, 0.1],
            lesson_math.RATE,
            key="collaborative-rate",
            help="Of the one step that trains the centroids. 0 trains nothing.",
        )
    rows = []
    for preserve in (False, True):
        found = _clustered(count, preserve, rate)
        steps = (
            ("Pruned", found.pruned),
            ("k-means", found.placed),
            ("one step of training", found.trained),
        )
        for name, weights in steps:
            rows.append(
                {
                    "Zeros": "preserved" if preserve else "not preserved",
                    "After": name,
                    "Zeros (%)": 100 * zeros(weights),
                    "Distinct weights": len(set(weights.tolist())),
                }
            )
    with table:
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            height="content",
            column_config={"Zeros (%)": st.column_config.NumberColumn(format="%.1f")},
            alt="Zeros and distinct weights of the last layer, with and without preserving",
        )


def _bundled() -> None:
    rows = []
    for label, recipe in (
        ("float32 baseline", None),
        ("int8 QAT alone", AWARE),
        ("Prune 80 %", PRUNED),
        ("Prune 80 %, QAT, preserving", {**PRUNED, **AWARE}),
        ("Prune 80 %, cluster 16, QAT, preserving", {**PRUNED, **CLUSTERED, **AWARE}),
    ):
        found = bundled_result(recipe)
        rows.append(
            {
                "File": label,
                "Accuracy (%)": 100 * (found.value or 0),
                "Zeros (%)": 100 * (found.sparsity or 0),
                "Distinct weights": found.max_distinct_weights,
                "Raw": format_bytes(found.size_bytes or 0),
                "gzip": format_bytes(found.gzip_bytes or 0),
            }
        )
    st.markdown("**What preserving keeps in a whole network**")
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="content",
        column_config={
            "File": st.column_config.TextColumn(pinned=True),
            "Accuracy (%)": st.column_config.NumberColumn(format="%.2f"),
            "Zeros (%)": st.column_config.NumberColumn(format="%.1f"),
            "Distinct weights": st.column_config.NumberColumn(
                help="In one layer at most; in one output channel where each has its own scale."
            ),
        },
        alt="Measured zeros, distinct weights and sizes after each step of the sample study",
    )
    st.caption(f"Read out of the files of {measured_on()}.")


def _without(lesson: Lesson, variants: list[Variant]) -> None:
    """The same steps without preserving: ask for them, or show both side by side."""
    st.markdown("**And without preserving?** The same recipes, the same training, no masks.")
    store = context.store()
    run = lesson_math.newest_without(store)
    if run is not None and run.state in ACTIVE:
        live_runs((run.id,))
        return
    if run is not None and run.state == "done" and run.result:
        _side_by_side(run, variants)
        return
    if run is not None and run.error:
        st.error(plain(run.error), title="The run failed")
    if st.button(
        "Run without preserving",
        key=f"without-{lesson.id}",
        type="primary",
        icon=":material/play_arrow:",
        help="Clusters and quantizes the pruned sample with stages that keep no zeros and no "
        "clusters; less than a minute.",
    ):
        try:
            lesson_math.start_without(store)
        except FeatherweightError as error:
            st.error(plain(str(error)), title="The sample cannot be run")
            return
        st.rerun()


def _side_by_side(run: Run, variants: list[Variant]) -> None:
    labels = [label for label, _ in lesson_math.CHAIN]
    found: list[Kept] = [
        lesson_math.kept(label, True, variant.results or {})
        for label, variant in zip(labels, variants[1:], strict=True)
    ]
    found += [
        lesson_math.kept(label, False, results)
        for label, results in zip(labels[1:], (run.result or {})["found"], strict=True)
    ]
    draw_chart(
        kept_figure(found),
        "collaborative-kept",
        "Zeros and gzip sizes with and without preserving: "
        + ", ".join(
            f"{item.label} {'preserving' if item.preserving else 'not preserving'} "
            f"{100 * item.sparsity:.0f} % and {format_bytes(item.gzip_bytes)}"
            for item in found
        ),
        pd.DataFrame(
            {
                "Steps": [item.label for item in found],
                "Preserving": ["yes" if item.preserving else "no" for item in found],
                "Zeros (%)": [round(100 * item.sparsity, 1) for item in found],
                "Distinct weights": [item.distinct for item in found],
                "gzip": [format_bytes(item.gzip_bytes) for item in found],
                "Accuracy (%)": [round(100 * item.value, 2) for item in found],
            }
        ),
        mode_bar=False,
    )
    last = labels[-1]
    kept, lost = (
        next(item for item in found if item.label == last and item.preserving == preserving)
        for preserving in (True, False)
    )
    st.markdown(
        f"After all three steps preserving leaves {100 * kept.sparsity:.1f} % zeros and "
        f"{kept.distinct} distinct weights, and {format_bytes(kept.gzip_bytes)} after gzip; "
        f"without it {100 * lost.sparsity:.1f} %, {lost.distinct} and "
        f"{format_bytes(lost.gzip_bytes)}: {lost.gzip_bytes / kept.gzip_bytes:.1f} times the "
        f"download. The accuracies are {100 * kept.value:.2f} % and {100 * lost.value:.2f} %. "
        "The zeros that are left without preserving are small weights that rounding to int8 "
        "made zero."
    )
