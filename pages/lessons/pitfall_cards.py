"""Cards that each ask about one pitfall, and answer with what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from optimizer.format import format_bytes
from optimizer.lessons import folding_and_pitfalls as lesson_math
from optimizer.lessons.bundled_study import INT8, bundled_result
from optimizer.measured import Measured
from pages.lessons import frame
from pages.parts.terms import term_link


@dataclass(frozen=True)
class Card:
    """One pitfall.

    Attributes:
        key: names its widgets.
        question: what the student chooses an answer to, Markdown.
        options: key → answer in words.
        right: key of the right one, found in what was measured.
        text: the truth with its figures, Markdown; asked for once a choice is made.
    """

    key: str
    title: str
    question: str
    options: Mapping[str, str]
    right: Callable[[], str]
    text: Callable[[], str]


def draw_cards() -> None:
    """Draw all cards, each with its answer once the student has chosen."""
    for card in _CARDS:
        with st.container(border=True, key=f"pitfall-{card.key}"):
            st.markdown(f"**{card.title}**\n\n{card.question}")
            chosen = st.radio(
                f"Your prediction: {card.title}",
                list(card.options),
                index=None,
                format_func=card.options.__getitem__,
                key=f"pitfall-choice-{card.key}",
                label_visibility="collapsed",
                help="The answer appears when you choose.",
            )
            if chosen is not None:
                frame.verdict(chosen == card.right(), card.text())


def _per_cent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _scaling_right() -> str:
    falls = [
        lesson_math.accuracy_scaled(mode, 1) - lesson_math.accuracy_scaled(mode, 16)
        for mode in ("float32", "int8")
    ]
    return "int8" if falls[1] > falls[0] else "float"


def _scaling() -> str:
    figures = [
        f"{mode} reads {_per_cent(lesson_math.accuracy_scaled(mode, 16))} right instead of "
        f"{_per_cent(lesson_math.accuracy_scaled(mode, 1))}"
        for mode in ("float32", "int8")
    ]
    small = [_per_cent(lesson_math.accuracy_scaled(mode, 1 / 16)) for mode in ("float32", "int8")]
    return (
        f"Measured just now: {'; '.join(figures)}. No error is raised. int8 clips inputs at the "
        "end of the range it was calibrated for. Sixteen times too **small** leaves "
        f"{small[0]} and {small[1]}, not far from guessing."
    )


def _softmax_right() -> str:
    before, after = lesson_math.softmax_twice().accuracy
    return "confidence" if before == after else "accuracy"


def _softmax() -> str:
    found = lesson_math.softmax_twice()
    return (
        f"Measured just now: the accuracy is {_per_cent(found.accuracy[0])} before and "
        f"{_per_cent(found.accuracy[1])} after, because softmax keeps the order. The mean largest "
        f"probability falls from {_per_cent(found.confidence[0])} to "
        f"{_per_cent(found.confidence[1])}, and the cross-entropy rises from "
        f"{found.loss[0]:.3f} to {found.loss[1]:.3f} nats. Whoever sets a threshold, or trains "
        "with `from_logits` the wrong way round, is wrong without a word."
    )


def _rest_right() -> str:
    before, after = lesson_math.overhead(None).rest, lesson_math.overhead(INT8).rest
    return "grows" if after > before else "shrinks"


def _rest() -> str:
    before, after = lesson_math.overhead(None), lesson_math.overhead(INT8)
    more = after.rest - before.rest
    return (
        f"In the float32 file {format_bytes(before.rest)} are no weights or biases, in the int8 "
        f"file {format_bytes(after.rest)}: scales and zero points of every channel, and operators "
        f"that convert at both ends. int8 saves 3 bytes for each weight, so a network of this "
        f"shape with fewer than about {more / 3:,.0f} weights would not get any smaller "
        f"(estimate: {more:,} bytes divided by 3)."
    )


def _flash() -> str:
    raw, compressed = lesson_math.pruned_sizes()
    return (
        f"**{format_bytes(raw)}**: the file has four bytes for every weight, zeros too, and the "
        f"runtime reads it in place. Only the download is {format_bytes(compressed)} with gzip. "
        "Fewer bytes in flash come from int8, from fewer channels, or from TFLite's sparse "
        "encoding."
    )


def _dynamic_right() -> str:
    return str(lesson_math.arithmetic(lesson_math.DYNAMIC).get("hybrid", 0))


def _ratio(found: Measured) -> str:
    known = found.latency and found.latency.ratio
    return f"{known:.2f}" if known else "not measured"


def _dynamic() -> str:
    ops = lesson_math.arithmetic(lesson_math.DYNAMIC)
    full = lesson_math.arithmetic(INT8)
    return (
        f"**{ops.get('hybrid', 0)}** have int8 weights with float activations, "
        f"{ops.get('float32', 0)} compute in float32: weights of fewer than 1,024 values are left "
        "as they are, and pooling, reshaping and softmax have none. In the full int8 file "
        f"{full.get('int8', 0)} compute in int8. Latency over the baseline's in the sample study: "
        f"{_ratio(bundled_result(lesson_math.DYNAMIC))} and {_ratio(bundled_result(INT8))}. "
        "TensorFlow Lite for Microcontrollers has no kernels for the first kind of file."
    )


def _int16_right() -> str:
    found = bundled_result(lesson_math.INT16).latency
    return "much" if found and (found.ratio or 0) > 5 else "little"


def _int16() -> str:
    found, int8 = bundled_result(lesson_math.INT16), bundled_result(INT8)
    delegate = found.latency.delegate if found.latency else None
    return (
        f"**{_ratio(found)}** times the float32 latency; int8 takes {_ratio(int8)} times. The "
        f"file is correct, with {_per_cent(found.value or 0)} accuracy, but here its operators "
        f"run on {term_link('reference kernel', 'reference kernels')} ("
        f"{term_link('delegate')}: {delegate or 'not known'}). Whether a format is fast "
        "depends on the kernels that are there for it. Another file may have a single "
        "operator without an int8 kernel: it stays in float, with conversions around it. The "
        "Variant page says whether every operator computes in integers."
    )


_CARDS = (
    Card(
        "scaling",
        "The wrong input scaling",
        "The model was trained on pixels from 0 to 1. The app sends them from 0 to 16. What "
        "happens?",
        {
            "error": "The runtime reports an error",
            "none": "Nothing: the network adapts to its input",
            "float": "Both files read worse, float32 most",
            "int8": "Both files read worse, int8 most",
        },
        _scaling_right,
        _scaling,
    ),
    Card(
        "softmax",
        "One softmax too many",
        f"The model ends in softmax. The app takes its outputs for {term_link('logits')} and "
        "applies softmax again. What suffers?",
        {
            "accuracy": "The accuracy",
            "confidence": "The probabilities, not the accuracy",
            "none": "Nothing: softmax twice is softmax",
        },
        _softmax_right,
        _softmax,
    ),
    Card(
        "rest",
        "Tiny layers do not get smaller",
        "int8 makes weights a quarter as large. What becomes of everything else in the file?",
        {
            "shrinks": "It becomes a quarter too",
            "same": "It stays as it is",
            "grows": "It grows",
        },
        _rest_right,
        _rest,
    ),
    Card(
        "flash",
        "Flash is not download",
        "The sample model is pruned to 80 % zeros. How much flash does its file take?",
        {
            "fifth": "A fifth of the unpruned file",
            "third": "About a third of it, as gzip says",
            "all": "As much as the unpruned file",
        },
        lambda: "all",
        _flash,
    ),
    Card(
        "dynamic",
        "Dynamic range is not int8",
        f"The sample's file has 8 operators. With {term_link('dynamic range quantization')}, how "
        "many of them work with int8 weights?",
        {"8": "All 8", "5": "The 5 that have weights", "3": "3", "0": "None"},
        _dynamic_right,
        _dynamic,
    ),
    Card(
        "int16",
        "A format without fast kernels",
        "int16×8 has int8 weights and 16-bit activations. How long does the sample take in it on a "
        "desktop processor?",
        {
            "less": "Less than in float32",
            "little": "Up to 5 times as long as in float32",
            "much": "More than 5 times as long",
        },
        _int16_right,
        _int16,
    ),
)
