"""The page of the lesson on compressed sizes."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from optimizer.charts.lessons_compressed_size import sizes_figure
from optimizer.format import format_bytes, format_times
from optimizer.lessons import compressed_size as lesson_math
from optimizer.lessons.compressed_size import DTypeName, Sizes
from optimizer.lessons.lesson import Lesson
from optimizer.lessons.sample import kernel
from optimizer.measured import measured
from optimizer.store.records import Variant
from pages.lessons import frame
from pages.parts.chart import draw_chart
from pages.parts.terms import term_link

_STEPS = tuple(step / 100 for step in range(0, 100, 5))


def draw(lesson: Lesson) -> None:
    """Draw the lesson."""
    values = kernel(lesson_math.LAYER)
    percent, raw_kb = 100 * lesson_math.SPARSITY, values.nbytes / 1000
    frame.begin(
        lesson,
        f"Pruning sets weights to zero: their {term_link('sparsity')} rises. Articles promise "
        "models that are several times smaller. Look at the bytes themselves.",
    )
    limits = (0, float(round(raw_kb)) + 6, 1)
    guess = frame.predict_slider(
        lesson,
        f"Layer `{lesson_math.LAYER}` of the sample model has {values.size:,} float32 weights: "
        f"{raw_kb:.1f} kB in the file. **{percent:.0f} %** of them are set to zero. How many kB "
        "does the layer take in the `.tflite` then?",
        "Bytes of the layer in the file (kB)",
        limits,
        round(raw_kb / 2),
        "kB",
    )
    if guess is None:
        return
    found = lesson_math.sizes(values, lesson_math.SPARSITY, "float32")
    frame.see(
        f"Still **{found.raw / 1000:.1f} kB**: each weight takes its four bytes, whether it is "
        f"0.37 or 0. Compressed with gzip, the same bytes shrink to "
        f"**{found.gzip / 1000:.1f} kB**, {format_times(found.raw / found.gzip)} smaller."
    )
    frame.answer(lesson, guess, found.raw / 1000, (0, limits[1]), "kB")
    _play(guess)
    frame.remember(lesson)
    done = frame.try_it(
        lesson,
        f"The whole model with {percent:.0f} % zeros: as it comes, in TFLite's sparse encoding, "
        "and with weights in 8 bits. Watch two columns: the file and the gzip.",
    )
    if done:
        _conclude(done)
    frame.next_lesson(lesson)


@st.cache_data(max_entries=4, show_spinner="Compressing")
def _curve(dtype: DTypeName) -> list[Sizes]:
    return lesson_math.size_curve(kernel(lesson_math.LAYER), dtype, _STEPS)


def _play(guess: float) -> None:
    st.markdown(
        "Move the sparsity. Every point is the real layer, pruned by magnitude and compressed "
        "here and now."
    )
    controls, charts = st.columns([1, 2.2], gap="large")
    with controls:
        zeros = st.slider(
            "Zeros (%)",
            0,
            99,
            80,
            key="sizes-zeros",
            help="The share of the layer's weights, the smallest ones, that are set to zero.",
        )
        dtype: DTypeName = (
            st.segmented_control(
                "Stored as",
                ["float32", "int8"],
                default="float32",
                required=True,
                key="sizes-dtype",
                help="int8: one byte a weight, with one scale for the layer.",
            )
            or "float32"
        )
    now = lesson_math.sizes(kernel(lesson_math.LAYER), zeros / 100, dtype)
    rows = [
        ("Raw, as the file has it", now.raw),
        ("Sparse encoding", now.sparse),
        ("gzip, level 9", now.gzip),
        ("Entropy", now.entropy),
    ]
    table = pd.DataFrame(
        {
            "Stored": [name for name, _ in rows],
            "Bytes": ["not possible" if v is None else format_bytes(v) for _, v in rows],
            "Smaller": ["–" if not v else format_times(now.raw / v) for _, v in rows],
        }
    )
    prediction = (lesson_math.SPARSITY, guess) if dtype == "float32" else None
    with charts:
        draw_chart(
            sizes_figure(_curve(dtype), now, prediction),
            "sizes-curve",
            f"Bytes of the layer against its zeros; at {zeros} % raw {format_bytes(now.raw)}, "
            f"gzip {format_bytes(now.gzip)}, entropy {format_bytes(now.entropy)}.",
            mode_bar=False,
        )
    st.dataframe(table, hide_index=True, height="content", alt="Bytes of the layer")
    st.markdown(
        "**Entropy** is where a perfect code would end that looks at each weight by itself: "
        "$H_2(s)$ bits to say whether a weight is zero, where $s$ is the sparsity and "
        "$H_2(s) = -s\\log_2 s - (1-s)\\log_2(1-s)$, and for each weight that is left the entropy "
        "of its bytes. gzip does not know where a number begins and uses whole bits, so it stays "
        "above. "
        "**Sparse encoding** keeps the weights that are left, with "
        "a column of 2 bytes for each; few zeros make it *larger* than raw."
    )


def _conclude(variants: list[Variant]) -> None:
    baseline, plain_, sparse, small = (measured(variant) for variant in variants)
    files = [item.size_bytes if item else None for item in (baseline, plain_, sparse, small)]
    zips = [item.gzip_bytes if item else None for item in (baseline, plain_, sparse, small)]
    if None in files or None in zips:
        return
    size = [float(value or 0) for value in files]
    packed = [float(value or 0) for value in zips]
    st.markdown(
        f"Pruned, the file is {_change(size[1], size[0])} and its gzip "
        f"{format_times(packed[0] / packed[1])} smaller. Sparse encoding makes the file itself "
        f"{format_times(size[0] / size[2])} smaller than the baseline's. With 8-bit weights the "
        f"zeros still count: the download is {format_times(packed[0] / packed[3])} smaller."
    )


def _change(size: float, before: float) -> str:
    """How two file sizes compare, in words."""
    change = size / before - 1
    if abs(change) < 0.01:
        return "as large as before (within 1 %)"
    return f"{abs(100 * change):.0f} % {'larger' if change > 0 else 'smaller'}"
