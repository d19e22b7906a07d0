"""The page of the lesson on weight clustering."""

from __future__ import annotations

import numpy as np
import streamlit as st

from optimizer.charts.lessons_weight_clustering import clusters_figure, inertia_figure
from optimizer.format import format_bytes, format_times
from optimizer.lessons import weight_clustering as lesson_math
from optimizer.lessons.lesson import Lesson
from optimizer.lessons.sample import kernel
from optimizer.lessons.weight_clustering import STARTS, Start, Step
from optimizer.measured import measured
from optimizer.store.records import Variant
from pages.lessons import frame
from pages.parts.chart import draw_chart

_PLACE = "clustering-place"


def draw(lesson: Lesson) -> None:
    """Draw the lesson."""
    weights = kernel(lesson_math.LAYER).ravel()
    frame.begin(
        lesson,
        "**Weight clustering** lets the weights of a layer share "
        "a few values, the **centroids**. Where should these be? So that "
        "the weights move as little as possible: that is k-means in one dimension.",
    )
    count = lesson_math.CLUSTERS
    truth = lesson_math.cost(np.bincount(np.arange(weights.size) % count))
    limits = (1, 32, 0.5)
    guess = frame.predict_slider(
        lesson,
        f"Layer `{lesson_math.LAYER}` has {weights.size:,} weights of 32 bits. After clustering "
        f"there are only **{count}** different values, which are kept in a table; each weight "
        "becomes the number of its row. How many times smaller is that?",
        "Times smaller",
        limits,
        4,
        "times smaller",
    )
    if guess is None:
        return
    frame.see(
        f"**{format_times(truth.ratio)}**: an index into {count} rows takes "
        f"$\\log_2 {count} = {truth.index_bits}$ bits, and the table of {count} floats adds "
        f"{4 * count} bytes:\n\n"
        f"$$\\frac{{n \\cdot 32}}{{n \\log_2 k + 32 k}} = \\frac{{{weights.size} \\cdot 32}}"
        f"{{{weights.size} \\cdot {truth.index_bits} + 32 \\cdot {count}}} = {truth.ratio:.2f}$$"
    )
    frame.answer(lesson, guess, truth.ratio, (0, 32), "times smaller")
    _play(weights)
    frame.remember(lesson)
    done = frame.try_it(
        lesson,
        "The whole model, clustered three ways. TFMOT starts its centroids as you saw, and then "
        "**trains** them by gradient descent with the network instead of moving them to the mean.",
    )
    if done:
        _conclude(done)
    frame.next_lesson(lesson)


@st.cache_data(max_entries=8, show_spinner="Clustering")
def _paths(count: int) -> dict[Start, list[Step]]:
    weights = kernel(lesson_math.LAYER).ravel()
    return {
        start: lesson_math.lloyd(weights, lesson_math.first_centroids(weights, count, start))
        for start in STARTS
    }


def _play(weights: np.ndarray) -> None:
    st.markdown(
        "Now do it yourself, a step at a time, on the real weights of that layer. **Assign** gives "
        "each weight to its nearest centroid; **Move** puts each centroid at the mean of its "
        "weights."
    )
    controls, charts = st.columns([1, 2.2], gap="large")
    with controls:
        start: Start = st.radio(
            "Centroids start",
            list(STARTS),
            format_func=STARTS.__getitem__,
            key="clustering-start",
            on_change=_restart,
            help="Linear: evenly between the smallest and the largest weight. Random: anywhere "
            "between. Density-based: where weights are many. k-means++: drawn far apart.",
        )
        count = st.slider(
            "Clusters",
            2,
            64,
            lesson_math.CLUSTERS,
            key="clustering-count",
            on_change=_restart,
            help="How many values the layer's weights share. 16 and 32 are usual.",
        )
        paths = _paths(count)
        steps = paths[start]
        place = min(st.session_state.get(_PLACE, 0), len(steps) - 1)
        _buttons(steps, place)
    now = steps[place]
    with charts:
        draw_chart(
            clusters_figure(weights, now),
            "clustering-histogram",
            f"Histogram of {weights.size:,} weights with {len(now.centroids)} centroids at step "
            f"{place}",
            mode_bar=False,
        )
    st.caption(_said(now, place, len(steps) - 1))
    if now.action != "start":
        _bits(now)
    draw_chart(
        inertia_figure(paths, start, place),
        "clustering-inertia",
        "Inertia over the steps from each initialization: "
        + ", ".join(
            f"{STARTS[name]} ends at {path[-1].inertia:.3g}" for name, path in paths.items()
        ),
        mode_bar=False,
    )
    best = min(paths, key=lambda name: paths[name][-1].inertia)
    lowest, highest = (
        extreme(path[-1].inertia for path in paths.values()) for extreme in (min, max)
    )
    st.caption(
        f"With {count} clusters {STARTS[best]} ends lowest here, at {lowest:.4g}; the worst start "
        f"ends {100 * (highest / lowest - 1):.0f} % higher. At most {lesson_math.MAX_STEPS} rounds "
        "are done."
    )


def _restart() -> None:
    st.session_state[_PLACE] = 0


def _go(place: int) -> None:
    st.session_state[_PLACE] = place


def _buttons(steps: list[Step], place: int) -> None:
    last = len(steps) - 1
    following = steps[place + 1].action if place < last else None
    with st.container(horizontal=True):
        for action, label, icon, text in (
            ("assign", "Assign", "category", "Give each weight to its nearest centroid."),
            ("move", "Move", "moving", "Put each centroid at the mean of its weights."),
        ):
            st.button(
                label,
                key=f"clustering-{action}",
                icon=f":material/{icon}:",
                type="primary" if following == action else "secondary",
                disabled=following != action,
                help=text,
                on_click=_go,
                args=(place + 1,),
            )
    with st.container(horizontal=True):
        st.button(
            "To the end",
            key="clustering-end",
            icon=":material/fast_forward:",
            disabled=place == last,
            help=f"At most {lesson_math.MAX_STEPS} rounds, or until no weight changes its cluster.",
            on_click=_go,
            args=(last,),
        )
        st.button(
            "Start again",
            key="clustering-again",
            icon=":material/replay:",
            disabled=place == 0,
            help="Back to where the centroids started.",
            on_click=_restart,
        )


def _said(step: Step, place: int, last: int) -> str:
    """What the last step did, in words."""
    if step.action == "start":
        return f"Step 0 of {last}: the centroids stand where they start; no weight is assigned yet."
    if step.action == "assign":
        did = f"{step.moved:,} weights changed their cluster"
        did = "no weight changes its cluster: done" if not step.moved else did
    else:
        did = f"{step.moved} centroids moved"
    return f"Step {place} of {last}: {did}. Inertia {step.inertia:.4g}."


def _bits(step: Step) -> None:
    members = np.bincount(step.nearest, minlength=len(step.centroids))
    found = lesson_math.cost(members)
    row = st.container(horizontal=True)
    for title, value, text in (
        ("Bits per weight", str(found.index_bits), "Of an index of fixed length."),
        (
            "With the best code",
            f"{found.entropy_bits:.2f} bits",
            "The entropy of the indices: frequent clusters get shorter codes, as Huffman coding in "
            "Deep Compression does.",
        ),
        ("Layer with table", format_bytes(found.bytes_fixed), "At fixed length."),
        ("Empty clusters", str(int((members == 0).sum())), "Centroids that no weight is near."),
    ):
        row.metric(title, value, help=text, border=True)


def _conclude(variants: list[Variant]) -> None:
    base, plus, linear, four = (measured(variant) for variant in variants)
    if not (base and plus and linear and four):
        return
    values = [item.value for item in (plus, linear, four)]
    packed = [float(item.gzip_bytes or 0) for item in (base, plus, linear, four)]
    if None in values or not all(packed):
        return
    kinds = "the k-means++ start", "the linear start"
    first, second = (100 * float(value or 0) for value in values[:2])
    if abs(first - second) < 1e-9:
        ahead = f"Both starts with 16 clusters reach {first:.1f} %."
    else:
        ahead = (
            f"With 16 clusters {kinds[first < second]} is ahead, {max(first, second):.1f} % "
            f"against {min(first, second):.1f} %."
        )
    st.markdown(
        f"{ahead} Four clusters end at {100 * float(values[2] or 0):.1f} %. The downloads are "
        f"{', '.join(format_times(packed[0] / value) for value in packed[1:])} smaller than the "
        "baseline's, the files themselves are not."
    )
