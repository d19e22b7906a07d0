"""The page of the lesson on quantization-aware training."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from optimizer.charts.lessons_quantization_aware_training import (
    gradient_figure,
    path_figure,
    training_figure,
)
from optimizer.format import format_points
from optimizer.lessons import quantization_aware_training as lesson_math
from optimizer.lessons.bundled_study import AWARE, INT8, bundled_result, measured_on
from optimizer.lessons.lesson import Lesson
from optimizer.lessons.quantization_aware_training import GRADIENTS, WAYS, Neuron
from optimizer.measured import Measured, measured
from optimizer.store.records import Variant
from pages.lessons import frame
from pages.parts.chart import draw_chart
from pages.parts.terms import term_link


def draw(lesson: Lesson) -> None:
    """Draw the lesson."""
    frame.begin(
        lesson,
        f"{term_link('fake quantization', 'Fake quantization')} puts the rounding into the forward "
        "pass, so that the loss feels it:\n\n"
        "$$\\hat{w} = \\mathrm{clip}\\left(s \\cdot \\mathrm{round}(w / s),\\; w_{min},\\; "
        "w_{max}\\right)$$\n\n"
        "But gradient descent multiplies by $\\partial \\hat{w} / \\partial w$, and a staircase is "
        "flat between its steps.",
    )
    start, target, step = lesson_math.START, lesson_math.TARGET, lesson_math.STEP
    picked = frame.predict_choice(
        lesson,
        f"A weight begins at {start:g} and should become {target:g}. It is rounded to multiples of "
        f"{step:g} before it is used. Gradient descent takes the **true** derivative of the "
        f"rounding. Where is the weight after {lesson_math.STEPS} steps?",
        {
            "near": "At 0.5 or 0.75, the nearest values on the grid",
            "exact": f"At {target:g} exactly",
            "between": "Somewhere on the way, because the steps are coarse",
            "start": f"At {start:g}, where it began",
        },
    )
    if picked is None:
        return
    path = lesson_math.descend(start, target, step, lesson_math.RATE, "true")
    frame.see()
    frame.verdict(
        picked == "start",
        f"After {lesson_math.STEPS} steps it is at **{path.weight[-1]:g}**: the derivative of the "
        "staircase is 0 wherever it exists, so every step is 0. The "
        f"{term_link('straight-through estimator')} puts a 1 in its place.",
    )
    _one_weight()
    _one_neuron()
    _on_the_sample()
    frame.remember(lesson)
    done = frame.try_it(
        lesson,
        f"The whole sample network: {term_link('post-training quantization')} against "
        f"{term_link('quantization-aware training')}, each with a scale per channel and with one "
        "per tensor. Where does training on pay?",
    )
    if done:
        _conclude(done)
    frame.next_lesson(lesson)


def _one_weight() -> None:
    st.markdown("**One weight.** Move the controls: when does it arrive, and does it rest there?")
    controls, charts = st.columns([1, 2.2], gap="large")
    with controls:
        start = st.slider(
            "First value of w",
            -1.4,
            1.4,
            lesson_math.START,
            0.05,
            key="qat-start",
            help="Beyond −1 and 1 it lies outside the range: there the STE's derivative is 0 too.",
        )
        target = st.slider(
            "Target",
            -0.9,
            0.9,
            lesson_math.TARGET,
            0.05,
            key="qat-target",
            help="What the rounded weight should be; a value that is not on the grid is never met.",
        )
        step = st.select_slider(
            "Distance on the grid",
            [0.05, 0.1, 0.2, 0.25, 0.5, 1.0],
            lesson_math.STEP,
            key="qat-step",
            help="The scale: a coarse grid has few bits.",
        )
        rate = st.select_slider(
            "Learning rate",
            [0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
            lesson_math.RATE,
            key="qat-rate",
            help="Of gradient descent on ½(ŵ − target)².",
        )
    paths = {
        gradient: lesson_math.descend(start, target, step, rate, gradient) for gradient in GRADIENTS
    }
    with charts:
        draw_chart(
            path_figure(paths, target),
            "qat-path",
            f"With the true gradient w ends at {paths['true'].weight[-1]:.3f}, with the STE at "
            f"{paths['ste'].weight[-1]:.3f}, where {paths['ste'].used[-1]:.3f} is used",
            mode_bar=False,
        )
        draw_chart(
            gradient_figure(step),
            "qat-gradient",
            "A staircase; its true derivative, 0; the STE's, 1 between −1 and 1 and 0 outside",
            mode_bar=False,
        )
    jumps = paths["ste"].jumps
    said = "never changes" if not jumps else f"changes {jumps} time{'s' * (jumps != 1)}"
    st.caption(
        f"With the STE the rounded weight {said} in {lesson_math.STEPS} steps. A target between "
        "two grid values makes it oscillate between them, which is a known trouble of QAT."
    )


@st.cache_data(max_entries=32, show_spinner=False)
def _neuron(bits: int, rate: float) -> Neuron:
    return lesson_math.neuron(bits, rate)


def _one_neuron() -> None:
    st.markdown(
        "**One neuron, really trained.** It has 64 weights, one for each pixel, and tells odd "
        "digits from even ones. It was trained in floats; then its weights are rounded, and it "
        "trains on."
    )
    controls, charts = st.columns([1, 2.2], gap="large")
    with controls:
        bits = st.slider(
            "Bits of the weights",
            2,
            8,
            4,
            key="qat-bits",
            help="2 bits leave −1, 0 and 1 times the scale.",
        )
        rate = st.select_slider(
            "Learning rate of the second training",
            [0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
            lesson_math.AWARE_RATE,
            key="qat-neuron-rate",
            help="Large ones make rounded weights jump to and fro, and the loss with them.",
        )
    found = _neuron(bits, rate)
    with charts:
        draw_chart(
            training_figure(found),
            "qat-training",
            "Training loss after the second training: "
            + ", ".join(f"{WAYS[way]} {losses[-1]:.3f}" for way, losses in found.losses.items()),
            mode_bar=False,
        )
    st.dataframe(
        pd.DataFrame(
            {
                "Weights": [WAYS[way] for way in found.accuracy],
                "Test accuracy (%)": [100 * value for value in found.accuracy.values()],
                "Training loss (nats)": [float(found.losses[way][-1]) for way in found.accuracy],
            }
        ),
        hide_index=True,
        height="content",
        column_config={
            "Test accuracy (%)": st.column_config.NumberColumn(format="%.1f"),
            "Training loss (nats)": st.column_config.NumberColumn(format="%.4f"),
        },
        alt="Accuracy and loss of the neuron with float, rounded and retrained weights",
    )
    st.caption(
        f"Computed just now: {lesson_math.AWARE_STEPS} steps over all 1,347 training images, "
        "accuracy on the 450 test images. With the true gradient nothing moves: it is PTQ."
    )


def _on_the_sample() -> None:
    after, aware, base = bundled_result(INT8), bundled_result(AWARE), bundled_result()
    st.markdown(
        f"**A whole network at 8 bits** ({measured_on()}): float32 {_accuracy(base)}, int8 after "
        f"training {_accuracy(after)}, int8 QAT {_accuracy(aware)}. One of the {base.samples} test "
        f"images is {100 / (base.samples or 1):.2f} points: differences of that size say nothing."
    )


def _accuracy(found: Measured) -> str:
    return "not measured" if found.value is None else f"**{100 * found.value:.2f} %**"


def _conclude(variants: list[Variant]) -> None:
    found = [measured(variant) for variant in variants]
    values = [item.value for item in found if item and item.value is not None]
    if len(values) < len(variants):
        return
    base, after, aware, after_tensor, aware_tensor = values
    samples = next(item.samples for item in found if item) or 1
    st.markdown(
        f"Against float32, per channel: PTQ {format_points(after - base)}, QAT "
        f"{format_points(aware - base)}; per tensor: PTQ {format_points(after_tensor - base)}, QAT "
        f"{format_points(aware_tensor - base)}. One image is {100 / samples:.2f} points"
        + (
            ": on this easy task 8 bits hurt so little that training on has next to nothing to win."
            if max(base - after, base - after_tensor) <= 2.5 / samples
            else "."
        )
    )
