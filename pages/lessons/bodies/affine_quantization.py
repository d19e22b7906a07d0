"""The page of the lesson on affine quantization."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from optimizer.charts.lessons_affine_quantization import clip_figure, error_figure, range_figure
from optimizer.format import format_points, format_times
from optimizer.lessons import affine_quantization as lesson_math
from optimizer.lessons.affine_quantization import Quantized, Scheme
from optimizer.lessons.lesson import Lesson
from optimizer.lessons.sample import kernel
from optimizer.measured import measured
from optimizer.store.records import Variant
from pages.lessons import frame
from pages.parts.chart import draw_chart

_CLIPS = tuple(share / 100 for share in range(10, 101, 5))


def draw(lesson: Lesson) -> None:
    """Draw the lesson."""
    frame.begin(
        lesson,
        "Integer arithmetic needs integers. **Affine quantization** lays an even grid "
        "over the real numbers:\n\n"
        "$$q = \\mathrm{clip}\\left(\\mathrm{round}\\left(\\frac{x}{s}\\right) + z\\right)$$\n\n"
        "$$\\hat{x} = (q - z) \\cdot s$$\n\n"
        "with the **scale** $s$ and the **zero point** $z$, the integer "
        "that stands for 0.",
    )
    values = kernel(lesson_math.LAYER)
    limits = (0, 5, 0.05)
    guess = frame.predict_slider(
        lesson,
        f"All {values.size:,} weights of layer `{lesson_math.LAYER}` become integers from −127 to "
        "127, the largest magnitude at 127. How far can a weight be off at most, **in per cent of "
        "the largest weight**?",
        "Largest error (% of the largest weight)",
        limits,
        2,
        "% of the largest weight",
    )
    if guess is None:
        return
    truth = 100 * lesson_math.largest_error_share(values)
    frame.see(
        f"At most **{truth:.2f} %**, measured over all weights. The scale is the largest magnitude "
        "divided by 127, and rounding is off by at most half a scale: $\\frac{1}{2 \\cdot 127} = "
        f"{100 / 254:.2f}$ %."
    )
    frame.answer(lesson, guess, truth, (0, 5), "% of the largest weight")
    _play()
    frame.remember(lesson)
    done = frame.try_it(
        lesson,
        "The whole model with integers everywhere, per channel and per tensor, and in dynamic "
        "range: 8-bit weights alone. Does the accuracy notice?",
    )
    if done:
        _conclude(done)
    frame.next_lesson(lesson)


def _play() -> None:
    st.markdown(
        "Fewer bits show better what happens: try 3 or 4. Then narrow the range and look for the "
        "best SQNR, the ratio of signal to quantization noise."
    )
    controls, charts = st.columns([1, 2.2], gap="large")
    with controls:
        layer = st.selectbox(
            "Layer",
            lesson_math.LAYERS,
            index=lesson_math.LAYERS.index(lesson_math.LAYER),
            key="affine-layer",
            help="Of the sample model that reads digits.",
        )
        scheme = _scheme()
    values = kernel(layer)
    found = lesson_math.quantize(values, scheme)
    channel = _channel(found, values, controls) if scheme.per_channel else None
    place = channel or 0
    shown = values if channel is None else values[channel]
    smallest, largest = scheme.limits
    grid = (np.arange(smallest, largest + 1) - found.zero_point[place]) * found.scale[place]
    with charts:
        draw_chart(
            range_figure(shown, found.low[place], found.high[place], grid),
            "affine-range",
            f"Histogram of the weights of {layer} and the range from {found.low[place]:.4f} to "
            f"{found.high[place]:.4f} that {len(grid)} integers cover",
            mode_bar=False,
        )
    _figures(found, place, shown.size, int(_of(found.clipped, channel).sum()))
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**What each weight lost**")
        draw_chart(
            error_figure(found.error, found.clipped, float(found.scale.max()) / 2),
            "affine-error",
            f"Histogram of the errors; the largest is {found.largest_error:.5f}",
            mode_bar=False,
        )
    with right:
        st.markdown("**How much of the range is worth keeping**")
        draw_chart(
            clip_figure(_clip_curve(layer, scheme), scheme.clip, found.sqnr_db),
            "affine-clip",
            "SQNR over the share of the range that is kept",
            mode_bar=False,
        )
    _four_ways(values, scheme)


def _of(array: np.ndarray, channel: int | None) -> np.ndarray:
    return array if channel is None else array[channel]


@st.cache_data(max_entries=64, show_spinner=False)
def _clip_curve(layer: str, scheme: Scheme) -> list[tuple[float, float]]:
    return lesson_math.clip_curve(kernel(layer), scheme, _CLIPS)


def _scheme() -> Scheme:
    bits = st.slider(
        "Bits",
        2,
        8,
        lesson_math.BITS,
        key="affine-bits",
        help="TFLite uses 8; fewer make the grid visible.",
    )
    kind = st.segmented_control(
        "Zero point",
        ["Symmetric", "Asymmetric"],
        default="Symmetric",
        required=True,
        key="affine-symmetric",
        help="Symmetric: zero point 0, as TFLite's weights. Asymmetric: the range may lie anywhere "
        "around zero, as TFLite's activations.",
    )
    granularity = st.segmented_control(
        "Scales",
        ["Per tensor", "Per channel"],
        default="Per tensor",
        required=True,
        key="affine-granularity",
        help="One scale for the kernel, or one for each output channel.",
    )
    clip = st.slider(
        "Range kept (%)",
        10,
        100,
        100,
        5,
        key="affine-clip-share",
        help="Below 100 the range is narrower than the weights, and those outside are clipped.",
    )
    return Scheme(bits, kind == "Symmetric", granularity == "Per channel", clip / 100)


def _channel(found: Quantized, values: np.ndarray, place: st.delta_generator.DeltaGenerator) -> int:
    with place:
        return st.slider(
            "Channel shown",
            0,
            len(values) - 1,
            int(np.argmin(found.scale)),
            key=f"affine-channel-{len(values)}",
            help="The histogram, scale and zero point are those of this output channel; error and "
            "SQNR are of the whole layer.",
        )


def _figures(found: Quantized, place: int, count: int, clipped: int) -> None:
    row = st.container(horizontal=True)
    for title, value, text in (
        ("Scale", f"{found.scale[place]:.5f}", "Distance of two neighbours on the grid."),
        (
            "Zero point",
            f"{found.zero_point[place]}".replace("-", "−"),
            "The integer that stands for 0.",
        ),
        ("Clipped", f"{clipped:,} of {count:,}", "Weights that lay outside the range."),
        ("Largest error", f"{found.largest_error:.5f}", "Over the whole layer."),
        ("SQNR", f"{found.sqnr_db:.1f} dB", "Over the whole layer; 6 dB more is half the error."),
    ):
        row.metric(title, value, help=text, border=True)


def _four_ways(values: np.ndarray, scheme: Scheme) -> None:
    rows = []
    for symmetric in (True, False):
        for per_channel in (False, True):
            found = lesson_math.quantize(
                values, Scheme(scheme.bits, symmetric, per_channel, scheme.clip)
            )
            rows.append(
                {
                    "Zero point": "symmetric" if symmetric else "asymmetric",
                    "Scales": "per channel" if per_channel else "per tensor",
                    "SQNR (dB)": found.sqnr_db,
                    "Largest error": found.largest_error,
                    "Numbers to store": len(found.scale) * (1 if symmetric else 2),
                }
            )
    st.markdown(f"**The four ways with {scheme.bits} bits**")
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="content",
        column_config={
            "SQNR (dB)": st.column_config.NumberColumn(format="%.1f"),
            "Largest error": st.column_config.NumberColumn(format="%.5f"),
            "Numbers to store": st.column_config.NumberColumn(
                help="Scales, and zero points where they are not all 0."
            ),
        },
        alt="SQNR and largest error of this layer, symmetric or not, per tensor or per channel",
    )


def _conclude(variants: list[Variant]) -> None:
    base, channel, tensor, dynamic = (measured(variant) for variant in variants)
    if not (base and channel and tensor and dynamic):
        return
    values = [item.value for item in (base, channel, tensor, dynamic)]
    files = [float(item.size_bytes or 0) for item in (base, channel, tensor, dynamic)]
    if None in values or not all(files):
        return
    changes = [float(value or 0) - float(values[0] or 0) for value in values[1:]]
    if any(abs(change) > 1e-9 for change in changes):
        text = (
            f"Against the baseline, per channel changes the accuracy by "
            f"{format_points(changes[0])}, per tensor by {format_points(changes[1])}, 8-bit "
            f"weights alone by {format_points(changes[2])}."
        )
    else:
        text = (
            f"None of the three changes the accuracy on these {base.samples} test images: with "
            "8 bits the errors are small, and the largest output stays the largest."
        )
    st.markdown(
        f"{text} The files are {', '.join(format_times(files[0] / size) for size in files[1:])} "
        "smaller: here the raw file shrinks, because each weight takes one byte instead of four."
    )
