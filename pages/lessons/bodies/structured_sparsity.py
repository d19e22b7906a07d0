"""The page of the lesson on structured and unstructured sparsity."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from optimizer.charts.lessons_sparsity_schedules import mask_figure
from optimizer.charts.lessons_structured_sparsity import speed_figure
from optimizer.format import format_bytes
from optimizer.lessons import structured_sparsity as lesson_math
from optimizer.lessons.bundled_study import measured_on
from optimizer.lessons.lesson import Lesson
from optimizer.lessons.sample import kernel
from optimizer.lessons.structured_sparsity import FORMS, HARDWARE, Form
from optimizer.measured import measured
from optimizer.store.records import Variant
from pages.lessons import frame
from pages.parts.chart import draw_chart
from pages.parts.terms import term_link


def draw(lesson: Lesson) -> None:
    """Draw the lesson."""
    frame.begin(
        lesson,
        f"Zeros can lie anywhere ({term_link('unstructured sparsity')}), follow a pattern "
        f"({term_link('N:M sparsity')}), fill blocks, or take whole channels with them "
        f"({term_link('structured pruning')}). The number of zeros can be the same. Is the speed?",
    )
    limits = (0.3, 1.3, 0.01)
    guess = frame.predict_slider(
        lesson,
        "In the sample model, half of the weights are zero, wherever they mattered least. **Its "
        "latency divided by that of the unpruned model** is what?",
        "Latency / baseline",
        limits,
        0.6,
        "times the baseline's latency",
    )
    if guess is None:
        return
    speeds = lesson_math.speeds()
    half, channels = speeds[0], speeds[-1]
    low, high = half.interval
    frame.see(
        f"It is **{half.ratio:.2f}** (95 % interval {low:.3f} to {high:.3f}). The kernels are "
        "dense and multiply by each of the zeros. Removing channels until "
        f"{100 * channels.macs:.0f} % of the "
        f"{term_link('multiply-accumulate', 'multiply-accumulates')} are left brings "
        f"{channels.ratio:.2f}."
    )
    frame.answer(lesson, guess, half.ratio, limits[:2], "times the baseline's latency")
    draw_chart(
        speed_figure(speeds),
        "structured-speed",
        "Latency over the baseline's: "
        + ", ".join(f"{speed.label} {speed.ratio:.2f}" for speed in speeds),
        mode_bar=False,
    )
    st.caption(f"Measured in turns with the baseline, 1 thread: {measured_on()}.")
    _play()
    _hardware()
    frame.remember(lesson)
    done = frame.try_it(
        lesson,
        "Four ways to prune the sample by half, all measured together on **this** machine. Which "
        "one is faster, and which one keeps the accuracy?",
    )
    if done:
        _conclude(done)
    frame.next_lesson(lesson)


def _play() -> None:
    st.markdown(
        "**The same share of zeros in four forms.** The more freely they may lie, the more of the "
        "kernel's strength they leave. To find the others again costs bits."
    )
    controls, chart = st.columns([1, 2.2], gap="large")
    with controls:
        layer = st.selectbox(
            "Layer",
            lesson_math.LAYERS,
            key="structured-layer",
            help="Of the sample model that reads digits.",
        )
        form: Form = st.radio(
            "Zeros",
            list(FORMS),
            format_func=FORMS.__getitem__,
            key="structured-form",
            help="Chosen by magnitude: of single weights, of blocks, of channels.",
        )
        sparsity = st.slider(
            "Share of zeros (%)",
            0,
            95,
            50,
            5,
            key="structured-sparsity",
            help="A 2:4 pattern always has 50 %.",
        )
    values = kernel(layer)
    found = {name: lesson_math.masked(values, name, sparsity / 100) for name in FORMS}
    shown = found[form]
    with chart:
        draw_chart(
            mask_figure(values.reshape(len(values), -1), shown.mask),
            "structured-mask",
            f"Map of {layer} with {FORMS[form].lower()} zeros: "
            f"{100 * (1 - shown.mask.mean()):.0f} % zeros, {100 * shown.energy:.1f} % of the "
            "squared weights kept",
            mode_bar=False,
        )
    st.dataframe(
        pd.DataFrame(
            {
                "Zeros": [FORMS[name] for name in found],
                "Share (%)": [100 * (1 - item.mask.mean()) for item in found.values()],
                "Squared weights kept (%)": [100 * item.energy for item in found.values()],
                "Values": [format_bytes(item.value_bytes) for item in found.values()],
                "Where they are": [format_bytes(item.index_bytes) for item in found.values()],
            }
        ),
        hide_index=True,
        height="content",
        column_config={
            "Zeros": st.column_config.TextColumn(pinned=True),
            "Share (%)": st.column_config.NumberColumn(format="%.1f"),
            "Squared weights kept (%)": st.column_config.NumberColumn(
                format="%.1f", help="The higher, the less the layer changes."
            ),
            "Where they are": st.column_config.TextColumn(
                help="A bit for each weight, two bits for each kept one of a 2:4 pattern, a bit "
                "for each block, nothing for channels."
            ),
        },
        alt=f"What four forms of zeros keep of {layer}, and what they cost to store",
    )


def _hardware() -> None:
    st.markdown("**Where each form saves time**")
    st.markdown(
        "\n".join(f"- **{FORMS[form]}**: {where} ({source})" for form, where, source in HARDWARE)
    )
    st.caption("From documentation and papers, see Sources; not measured here.")


def _conclude(variants: list[Variant]) -> None:
    found = [measured(variant) for variant in variants[1:]]
    names = [exercise.label for exercise in lesson_math.LESSON.exercises]
    faster: list[str] = []
    equal: list[str] = []
    for name, item in zip(names, found, strict=True):
        if item is None or item.latency is None or item.latency.ratio is None:
            return
        differs = bool(item.latency.significant) and item.latency.ratio < 1
        (faster if differs else equal).append(f"“{name}” ({item.latency.ratio:.2f})")
    text = f"Faster than the baseline beyond the noise: {', '.join(faster) or 'none of them'}."
    if equal:
        text += f" Not faster: {', '.join(equal)}."
    st.markdown(text)
