"""The page of the lesson on batch normalization folding and other pitfalls."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from optimizer.charts.lessons_folding_and_pitfalls import ranges_figure, rounding_figure
from optimizer.lessons import folding_and_pitfalls as lesson_math
from optimizer.lessons.folding_and_pitfalls import Folding, rounding_error
from optimizer.lessons.lesson import Lesson
from optimizer.measured import measured
from optimizer.store.records import Variant
from pages.lessons import frame
from pages.lessons.pitfall_cards import draw_cards
from pages.parts.chart import draw_chart
from pages.parts.terms import term_link


def draw(lesson: Lesson) -> None:
    """Draw the lesson."""
    frame.begin(
        lesson,
        "After training, BatchNormalization does the same to every input:\n\n"
        "$$y = \\gamma \\, \\frac{w * x - \\mu}{\\sqrt{\\sigma^2 + \\varepsilon}} + \\beta "
        "\\quad = \\quad \\underbrace{\\left(w \\cdot f\\right)}_{w'} * x + "
        "\\underbrace{\\left(\\beta - \\mu f\\right)}_{b'}, \\qquad "
        "f = \\frac{\\gamma}{\\sqrt{\\sigma^2 + \\varepsilon}}$$\n\n"
        "So the converter multiplies it into the kernel: "
        f"{term_link('batch normalization folding')}.",
    )
    picked = frame.predict_choice(
        lesson,
        "The first convolution of the sample MobileNet and its normalization become one "
        f"convolution. {lesson_math.IMAGES} real images go through both, in float32. How far "
        "apart are the outputs at most, **relative to the largest output**?",
        {
            "zero": "Exactly 0: it is the same formula",
            "tiny": "Less than 0.0001 %",
            "small": "0.0001 % to 0.1 %",
            "large": "More than 0.1 %",
        },
    )
    if picked is None:
        return
    found = lesson_math.difference()
    share = found.largest / found.output
    right = (
        "zero" if share == 0 else "tiny" if share < 1e-6 else "small" if share < 1e-3 else "large"
    )
    frame.see()
    frame.verdict(
        picked == right,
        f"Computed just now: at most **{found.largest:.2g}** over {found.values:,} outputs, the "
        f"largest of which is {found.output:.3g}: {100 * share:.2g} %. The formula is the same, "
        "the order of the roundings is not: float32 carries about 7 digits.",
    )
    _arithmetic(lesson_math.folding())
    st.markdown("**Six more pitfalls.** Predict each, then see what was measured on the sample.")
    draw_cards()
    frame.remember(lesson)
    done = frame.try_it(
        lesson,
        "Three files that people call int8: int8 weights only, integers inside, integers from end "
        "to end. What differs?",
    )
    if done:
        _conclude(done)
    frame.next_lesson(lesson)


def _arithmetic(layer: Folding) -> None:
    st.markdown(
        f"**The real numbers** of `{lesson_math.CONVOLUTION}` and `{lesson_math.NORMALIZATION}`, "
        f"$\\varepsilon$ = {layer.epsilon:g}. Choose a channel and follow it."
    )
    channel = st.slider(
        "Output channel",
        0,
        len(layer.gamma) - 1,
        int(np.argmax(layer.factor)),
        key="folding-channel",
        help="Of the first convolution of the sample MobileNet.",
    )
    weight = layer.kernel[1, 1, 0, channel]
    st.dataframe(
        pd.DataFrame(
            [
                ("γ", f"{layer.gamma[channel]:.5f}", "learned scale"),
                ("β", f"{layer.beta[channel]:.5f}", "learned offset"),
                ("μ", f"{layer.mean[channel]:.5f}", "moving mean"),
                ("σ²", f"{layer.variance[channel]:.5f}", "moving variance"),
                ("f", f"{layer.factor[channel]:.5f}", "γ / √(σ² + ε)"),
                ("w, centre", f"{weight:.5f}", "weight of the convolution"),
                (
                    "w′, centre",
                    f"{layer.folded_kernel[1, 1, 0, channel]:.5f}",
                    f"{weight:.5f} · {layer.factor[channel]:.5f}",
                ),
                (
                    "b′",
                    f"{layer.folded_bias[channel]:.5f}",
                    f"{layer.beta[channel]:.5f} − {layer.mean[channel]:.5f} · "
                    f"{layer.factor[channel]:.5f}",
                ),
            ],
            columns=["Number", "Value", "What it is"],
        ),
        hide_index=True,
        height="content",
        alt=f"Normalization and folded weights of channel {channel}",
    )
    left, right = st.columns(2, gap="large")
    with left:
        draw_chart(
            ranges_figure(layer),
            "folding-ranges",
            f"Largest weight of each of {len(layer.gamma)} channels before and after folding",
            mode_bar=False,
        )
    with right:
        draw_chart(
            rounding_figure(layer),
            "folding-rounding",
            "Rounding error of each channel of the folded kernel in int8, with one scale and with "
            "one per channel",
            mode_bar=False,
        )
    worst = [
        100 * float(rounding_error(kernel, False).max())
        for kernel in (layer.kernel, layer.folded_kernel)
    ]
    best = 100 * float(rounding_error(layer.folded_kernel, True).max())
    spread = [
        float(largest.max() / largest.min())
        for largest in (
            np.abs(kernel).reshape(-1, kernel.shape[-1]).max(axis=0)
            for kernel in (layer.kernel, layer.folded_kernel)
        )
    ]
    st.markdown(
        f"The factors pull the channels apart: the largest channel is {spread[0]:.2f} times the "
        f"smallest before, {spread[1]:.2f} times after. With one scale for the tensor the worst "
        f"channel's rounding error grows from {worst[0]:.2f} to {worst[1]:.2f} % of its largest "
        f"weight; a scale per channel keeps it at {best:.2f} %."
    )


def _conclude(variants: list[Variant]) -> None:
    found = [measured(variant) for variant in variants[1:]]
    labels = [exercise.label for exercise in lesson_math.LESSON.exercises]
    ends = [
        f"“{label}” takes {(variant.results or {}).get('input_dtype', 'unknown')} and returns "
        f"{(variant.results or {}).get('output_dtype', 'unknown')}"
        for label, variant in zip(labels, variants[1:], strict=True)
    ]
    if not all(found):
        return
    st.markdown(
        f"{'; '.join(ends)}. Only the last has no float left at its ends, as integer-only "
        "devices want it."
    )
