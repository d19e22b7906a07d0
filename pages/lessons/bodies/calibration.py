"""The page of the lesson on calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from optimizer.charts.lessons_affine_quantization import range_figure
from optimizer.charts.lessons_calibration import accuracy_figure, count_figure
from optimizer.data.representative import Draw
from optimizer.errors import FeatherweightError
from optimizer.lessons import calibration as lesson_math
from optimizer.lessons.calibration import DATASETS, Range
from optimizer.lessons.lesson import Lesson
from optimizer.lessons.practice import practice_study
from optimizer.lessons.sample import layer_names
from optimizer.measured import measured
from optimizer.store.records import ACTIVE, Run
from pages.lessons import frame
from pages.parts import context
from pages.parts.chart import draw_chart
from pages.parts.runs import live_runs
from pages.parts.terms import term_link
from pages.parts.text import plain

_COUNTS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)


def draw(lesson: Lesson) -> None:
    """Draw the lesson."""
    frame.begin(
        lesson,
        "In an int8 file every layer's output has a range of real values that its 256 integers "
        "cover. **Calibration** finds these ranges: it runs a **representative dataset** "
        "through the float model and notes the smallest "
        "and the largest value of each layer. What the model meets later and lies outside is "
        f"{term_link('clipping', 'clipped')}.",
    )
    limits = (0, 50, 0.5)
    guess = frame.predict_slider(
        lesson,
        f"Somebody is lazy and calibrates with a **single image**. Then the network reads the 450 "
        f"test images. What share of the values that layer `{lesson_math.LAYER}` computes lie "
        "outside its range?",
        "Values outside the range (%)",
        limits,
        20,
        "% of the values",
    )
    if guess is None:
        return
    truth = 100 * lesson_math.predicted_truth()
    frame.see(
        f"**{truth:.1f} %**, counted over all values of the layer. Is that much? The float model's "
        "decision often survives: the largest output stays the largest. Other mistakes are worse."
    )
    frame.answer(lesson, guess, truth, (0, 50), "% of the values")
    _play()
    st.markdown("**How many images are enough?**")
    draw_chart(
        count_figure(_by_count(lesson_math.LAYER), guess / 100),
        "calibration-count",
        f"Share of clipped values of layer {lesson_math.LAYER} against the number of images that "
        "it was calibrated with",
        mode_bar=False,
    )
    frame.remember(lesson)
    _try(lesson)
    frame.next_lesson(lesson)


@st.cache_data(max_entries=8, show_spinner="Running the float model")
def _by_count(layer: str) -> list[tuple[int, list[float]]]:
    return lesson_math.by_count(layer, _COUNTS)


@st.cache_data(max_entries=64, show_spinner="Running the float model")
def _range(draw_kind: Draw, count: int, seed: int, layer: str) -> Range:
    return lesson_math.calibrated(lesson_math.drawn(draw_kind, count, seed), layer)


def _play() -> None:
    st.markdown(
        "Choose what to calibrate with, and look at what a layer computes **on the test set**: "
        "blue is inside the range that was found, orange is clipped."
    )
    controls, charts = st.columns([1, 2.2], gap="large")
    with controls:
        chosen: Draw = st.radio(
            "Calibrate with",
            list(DATASETS),
            index=1,
            format_func=lambda name: DATASETS[name][0].upper() + DATASETS[name][1:],
            key="calibration-draw",
            help="The images the float model runs to find its ranges.",
        )
        count, seed = lesson_math.COUNT, 0
        if chosen == "random":
            count = st.select_slider(
                "Images",
                _COUNTS,
                lesson_math.COUNT,
                key="calibration-images",
                help="How many training images, drawn at random. 100 to 500 are usual.",
            )
            seed = st.slider(
                "Draw", 0, 9, 0, key="calibration-seed", help="Another number, other images."
            )
        names = layer_names()
        layer = st.selectbox(
            "Layer",
            names,
            index=names.index(lesson_math.LAYER),
            key="calibration-layer",
            help="Whose output is shown. “image” is the network's input, “digit” its output before "
            "the softmax.",
        )
    found = _range(chosen, count, seed, layer)
    values = lesson_math.test_activations()[layer].ravel()
    grid = (np.arange(-128, 128) - found.zero_point) * found.scale
    with charts:
        draw_chart(
            range_figure(values, found.low, found.high, grid, "Activation", 360),
            "calibration-range",
            f"Histogram of what {layer} computes on the test set; calibration found the range "
            f"{found.low:.4g} to {found.high:.4g}, {100 * found.clipped:.2f} % lie outside",
            mode_bar=False,
        )
    row = st.container(horizontal=True)
    for title, value, text in (
        ("Range found", f"{found.low:.3g} … {found.high:.4g}", "Smallest and largest value seen."),
        ("Scale", f"{found.scale:.3g}", "The range divided by 255."),
        ("Zero point", f"{found.zero_point}".replace("-", "−"), "The integer that stands for 0."),
        ("Clipped", f"{100 * found.clipped:.2f} %", "Test values beyond the outermost integers."),
        (
            "Integers in use",
            f"{found.steps_used} of 256",
            "How many of the integers the middle 99.9 % of the test values span.",
        ),
        ("SQNR", f"{found.sqnr_db:.1f} dB", "Of this layer's values on the test set."),
    ):
        row.metric(title, value, help=text, border=True)


def _try(lesson: Lesson) -> None:
    frame.begin_trial(
        "The converter makes six int8 files, each calibrated with one of the datasets above, and "
        "each reads the 450 test images. Decide first: **which of them ruin the network?**"
    )
    store = context.store()
    run = lesson_math.last_trial(store)
    if run is not None and run.state in ACTIVE:
        live_runs((run.id,))
        return
    if run is not None and run.state == "done" and run.result:
        _results(run)
        frame.mark_tried(lesson)
        return
    if run is not None and run.error:
        st.error(plain(run.error), title="The run failed")
    if frame.run_button(lesson):
        try:
            lesson_math.start_trial(store)
        except FeatherweightError as error:
            st.error(plain(str(error)), title="The sample cannot be run")
            return
        st.rerun()


def _results(run: Run) -> None:
    """What each dataset led to, and what that says."""
    found: list[dict[str, Any]] = (run.result or {})["found"]
    draws = [chosen["draw"] for chosen in run.options["sets"]]
    names, short = ([texts[name] for name in draws] for texts in (DATASETS, lesson_math.SHORT))
    values = [float(item["value"]) for item in found]
    study = practice_study(context.store())
    baseline = measured(context.store().baseline(study.id)) if study else None
    draw_chart(
        accuracy_figure(
            short,
            values,
            [item["interval"] for item in found],
            baseline.value if baseline else None,
        ),
        "calibration-accuracy",
        "Accuracy of six int8 files: "
        + ", ".join(f"{n} {100 * v:.1f} %" for n, v in zip(names, values, strict=True)),
        mode_bar=False,
    )
    st.dataframe(
        pd.DataFrame(
            {
                "Calibrated with": short,
                "Samples": [item["samples"] for item in found],
                "Accuracy (%)": [100 * value for value in values],
                "95 % interval (%)": [
                    f"{100 * item['interval'][0]:.1f} to {100 * item['interval'][1]:.1f}"
                    for item in found
                ],
            }
        ),
        hide_index=True,
        height="content",
        column_config={"Accuracy (%)": st.column_config.NumberColumn(format="%.2f")},
        alt="Accuracy of the int8 file after calibrating with each dataset",
    )
    pairs = list(zip(names, values, strict=True))
    ruined = [name for name, value in pairs if value < values[0] - 0.05]
    equal = [name for name, value in pairs[1:] if abs(value - values[0]) < 1e-9]
    text = f"Ruined: {'; '.join(ruined)}." if ruined else "None of them ruined the network."
    if equal:
        text += f" As good as the proper dataset, on these {found[0]['n']} images: "
        text += f"{'; '.join(equal)}."
    st.markdown(
        f"{text} Unusual images still fill the range roughly; images on another scale move it by "
        "orders of magnitude. That one image is enough here says nothing about another network."
    )
