"""The page of the lesson on sparsity schedules."""

from __future__ import annotations

import streamlit as st

from optimizer.charts.lessons_sparsity_schedules import curve_figure, mask_figure
from optimizer.lessons import sparsity_schedules as lesson_math
from optimizer.lessons.lesson import Lesson
from optimizer.lessons.sample import kernel
from optimizer.measured import measured
from optimizer.schedules import ConstantSchedule, PolynomialSchedule, Schedule, StepsSchedule
from optimizer.store.records import Variant
from pages.lessons import frame
from pages.parts.chart import draw_chart


def draw(lesson: Lesson) -> None:
    """Draw the lesson."""
    frame.begin(
        lesson,
        "**Pruning** sets the least important weights to zero while the network trains on. A "
        "**sparsity schedule** says which share is zero at which moment. TFMOT's "
        "`PolynomialDecay` follows\n\n"
        "$$s(t) = s_f + (s_i - s_f)\\left(1 - \\frac{t - t_0}{t_1 - t_0}\\right)^{p}$$\n\n"
        "from the initial sparsity $s_i$ at begin $t_0$ to the final sparsity $s_f$ at end $t_1$, "
        "with power $p$, usually 3.",
    )
    at, target = 100 * lesson_math.PREDICTED_AT, 100 * lesson_math.TARGET
    guess = frame.predict_slider(
        lesson,
        f"A schedule of power 3 rises from 0 to {target:.0f} % over the whole training. How many "
        f"per cent of the weights are zero after the **first quarter** of it?",
        "Sparsity after a quarter (%)",
        (0, target, 1),
        20,
        "% zeros",
    )
    if guess is None:
        return
    truth = 100 * lesson_math.predicted_truth()
    frame.see(
        f"After a quarter of the way, **{truth:.1f} %** are zero: "
        f"${target:.0f} - {target:.0f} \\cdot 0.75^3 = {truth:.1f}$. A straight line would be at "
        f"{at / 100 * target:.0f} %."
    )
    frame.answer(lesson, guess, truth, (0, target), "% zeros")
    _play(guess)
    frame.remember(lesson)
    done = frame.try_it(
        lesson,
        f"The same {target:.0f} % of zeros along three schedules, {lesson_math.EPOCHS} epochs "
        "each. Only the moment differs. Which network reads digits best?",
    )
    if done:
        _conclude(done)
    frame.next_lesson(lesson)


def _play(guess: float) -> None:
    """The controls, the curve and the mask that moves along it."""
    st.markdown(
        "Move the controls, then drag **Now** through the training and watch the mask of a real "
        f"kernel: layer `{lesson_math.LAYER}` of the sample model."
    )
    controls, charts = st.columns([1, 2.2], gap="large")
    with controls:
        schedule = _schedule()
        now = st.slider(
            "Now (% of the fine-tuning)",
            0,
            100,
            25,
            key="schedules-now",
            help="The moment at which curve and mask are shown.",
        )
    whole = isinstance(schedule, PolynomialSchedule) and (
        schedule.begin,
        schedule.end,
        schedule.power,
    ) == (0.0, 1.0, 3.0)
    prediction = (lesson_math.PREDICTED_AT, guess / 100) if whole else None
    values = kernel(lesson_math.LAYER)
    found = lesson_math.moment(values, schedule, now / 100)
    with charts:
        draw_chart(
            curve_figure(schedule, now / 100, prediction),
            "schedules-curve",
            f"The schedule; after {now} % of the fine-tuning it asks for "
            f"{100 * found.asked:.1f} % zeros.",
            mode_bar=False,
        )
    rows = values.reshape(len(values), -1)
    draw_chart(
        mask_figure(rows, found.mask.reshape(rows.shape)),
        "schedules-mask",
        f"Map of {values.size:,} weights of which {found.zeros:,} are zero",
        mode_bar=False,
    )
    st.caption(
        f"{found.zeros:,} of {values.size:,} weights are zero, those with a magnitude below "
        f"{found.threshold:.4f}. The kept ones hold "
        f"{100 * lesson_math.energy_kept(values, found.mask):.1f} % of the sum of squares. The map "
        "uses the trained weights as they are; in a real run they change between updates."
    )


def _schedule() -> Schedule:
    kind = st.segmented_control(
        "Kind",
        ["Polynomial", "Constant", "Steps"],
        default="Polynomial",
        required=True,
        key="schedules-kind",
        help="Polynomial rises along a curve, constant jumps once, steps jump several times.",
    )
    final = (
        st.slider(
            "Final sparsity (%)",
            10,
            95,
            80,
            5,
            key="schedules-final",
            help="The share of zeros that the schedule ends with.",
        )
        / 100
    )
    if kind == "Constant":
        begin = st.slider(
            "Begin (% of the fine-tuning)",
            0,
            95,
            0,
            5,
            key="schedules-begin",
            help="When all of it happens.",
        )
        return ConstantSchedule(target_sparsity=final, begin=begin / 100)
    if kind == "Steps":
        count = st.slider(
            "Number of jumps",
            2,
            8,
            3,
            key="schedules-jumps",
            help="Equal jumps, the last one three quarters through the fine-tuning.",
        )
        return StepsSchedule(
            steps=tuple(
                (round(0.75 * i / (count - 1), 4), round(final * (i + 1) / count, 4))
                for i in range(count)
            )
        )
    power = st.slider(
        "Power",
        0.5,
        8.0,
        3.0,
        0.5,
        key="schedules-power",
        help="1 is a straight line; larger powers take more weights early.",
    )
    window: tuple[int, int] = st.slider(
        "Begin and end (% of the fine-tuning)",
        0,
        100,
        (0, 100),
        5,
        key="schedules-window",
        help="The curve rises between them; after the end the network trains with the final mask.",
    )
    begin, end = window
    if begin == end:
        begin, end = (begin, begin + 5) if begin < 100 else (95, 100)
    return PolynomialSchedule(final_sparsity=final, power=power, begin=begin / 100, end=end / 100)


def _conclude(variants: list[Variant]) -> None:
    """What the measured accuracies say, in words that are true of them."""
    found = [measured(variant) for variant in variants]
    late, early, cubic = (item.value if item else None for item in found[1:])
    if late is None or early is None or cubic is None:
        return
    names = {"late jump": late, "early jump": early, "cubic curve": cubic}
    best = max(names, key=names.__getitem__)
    worst = min(names, key=names.__getitem__)
    samples = found[1].samples if found[1] else None
    st.markdown(
        f"The {best} did best with {100 * names[best]:.1f} % and the {worst} worst with "
        f"{100 * names[worst]:.1f} %. Both files have the same share of zeros; what differs is how "
        f"much training was left to mend. One of the {samples} test images is "
        f"{100 / (samples or 1):.2f} points, so do not read much into small differences."
    )
