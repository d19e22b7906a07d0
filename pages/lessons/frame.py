"""The five steps that every lesson goes through, and what the session remembers of them.

The question, the prediction, seeing, what to remember, and trying it on a sample. A lesson's body
calls these functions in that order; everything after the prediction is hidden until the student
has committed to one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from optimizer.charts.lessons_frame import prediction_figure
from optimizer.errors import FeatherweightError
from optimizer.lessons import practice
from optimizer.lessons.lesson import Lesson
from optimizer.lessons.registry import LESSONS
from optimizer.store.records import Variant
from pages.parts import context
from pages.parts.chart import draw_chart
from pages.parts.runs import live_runs
from pages.parts.terms import LEARN
from pages.parts.text import plain

_COMMITTED, _TRIED = "lessons_committed", "lessons_tried"


def has_predicted(lesson: Lesson) -> bool:
    """Whether the student has committed to a prediction in this session."""
    return lesson.id in st.session_state.get(_COMMITTED, {})


def has_tried(lesson: Lesson) -> bool:
    """Whether the student has seen the lesson's measured results in this session."""
    return lesson.id in st.session_state.get(_TRIED, ())


def begin(lesson: Lesson, text: str) -> None:
    """Draw the head of a lesson and its question.

    Args:
        lesson: the lesson.
        text: the question in plain words, some sentences of Markdown.
    """
    st.page_link(LEARN, label="All lessons", icon=":material/arrow_back:")
    st.title(lesson.title)
    st.caption(
        f"Lesson {LESSONS.index(lesson) + 1} of {len(LESSONS)} · about {lesson.minutes} min · "
        f"explains {', '.join(lesson.terms)}"
    )
    st.header("1 · The question")
    st.markdown(f"**{lesson.question}**\n\n{text}")


def predict_slider(
    lesson: Lesson,
    question: str,
    label: str,
    limits: tuple[float, float, float],
    start: float,
    unit: str,
) -> float | None:
    """Let the student predict a figure.

    Args:
        lesson: the lesson.
        question: what to predict, Markdown.
        label: of the slider, with its unit.
        limits: lowest, highest, step.
        start: where the slider stands at first.
        unit: as it is written after the figure.

    Returns:
        The prediction, or ``None`` until there is one; the body ends there then.
    """
    st.header("2 · Predict")
    st.markdown(question)
    if has_predicted(lesson):
        guess = float(st.session_state[_COMMITTED][lesson.id])
        _predicted(lesson, f"{guess:,.4g} {unit}")
        return guess
    low, high, step = limits
    guess = st.slider(
        label,
        float(low),
        float(high),
        float(start),
        float(step),
        format="%g",
        key=f"guess-{lesson.id}",
        help="Your best guess; the answer appears when you commit to it.",
    )
    _commit(lesson, guess)
    return None


def predict_choice(lesson: Lesson, question: str, options: Mapping[str, str]) -> str | None:
    """Let the student predict which of several answers is right.

    Args:
        lesson: the lesson.
        question: what to predict, Markdown.
        options: key → answer in words, Markdown.

    Returns:
        The key of the prediction, or ``None`` until there is one; the body ends there then.
    """
    st.header("2 · Predict")
    st.markdown(question)
    if has_predicted(lesson):
        chosen = str(st.session_state[_COMMITTED][lesson.id])
        _predicted(lesson, options[chosen])
        return chosen
    picked = st.radio(
        "Your prediction",
        list(options),
        index=None,
        format_func=options.__getitem__,
        key=f"guess-{lesson.id}",
        help="Your best guess; the answer appears when you commit to it.",
    )
    _commit(lesson, picked)
    return None


def _predicted(lesson: Lesson, text: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"You predicted **{text}**.", width="content")
        st.button(
            "Predict again",
            key=f"again-{lesson.id}",
            icon=":material/replay:",
            help="Hides the answer and asks you anew.",
            on_click=lambda: st.session_state[_COMMITTED].pop(lesson.id, None),
        )


def _commit(lesson: Lesson, value: Any) -> None:
    """The button that commits, and what is behind it."""

    def commit() -> None:  # the control may have moved since this was drawn
        latest = st.session_state.get(f"guess-{lesson.id}", value)
        st.session_state.setdefault(_COMMITTED, {})[lesson.id] = latest

    st.button(
        "This is my prediction",
        key=f"commit-{lesson.id}",
        type="primary",
        icon=":material/lock:",
        disabled=value is None,
        help="Shows the answer and the rest of the lesson.",
        on_click=commit,
    )
    st.caption("The answer, the controls to play with and the run on a sample come after it.")


def see(text: str = "") -> None:
    """Begin the part in which the student sees, with what the answer is."""
    st.header("3 · See")
    if text:
        st.markdown(text)


def answer(
    lesson: Lesson, guess: float, truth: float, limits: tuple[float, float], unit: str
) -> None:
    """Draw a predicted figure beside the true one.

    Args:
        lesson: the lesson.
        guess, truth: in ``unit``.
        limits: lowest and highest figure of the slider.
        unit: of the figures.
    """
    draw_chart(
        prediction_figure(guess, truth, unit, *limits),
        f"answer-{lesson.id}",
        f"You predicted {guess:,.4g} {unit}; it is {truth:,.4g} {unit}.",
        mode_bar=False,
    )


def verdict(right: bool, text: str) -> None:
    """Say whether a choice was right, and why.

    Args:
        right: whether it was.
        text: the truth and its reason, Markdown.
    """
    box = st.success if right else st.info
    box(text, title="As you predicted" if right else "Not as you predicted")


def remember(lesson: Lesson) -> None:
    """Draw what to take away, and where it comes from."""
    st.header("4 · Remember")
    st.markdown("\n".join(f"- {sentence}" for sentence in lesson.remember))
    if lesson.references:
        links = " · ".join(f"[{source.title}]({source.url})" for source in lesson.references)
        st.markdown(f"Sources: {links}")


def begin_trial(text: str) -> None:
    """Begin the part in which the student runs something; :func:`try_it` does so itself.

    Args:
        text: what will run and what to look for, Markdown.
    """
    st.header("5 · Try it on a sample")
    st.markdown(text)


def run_button(lesson: Lesson) -> bool:
    """Draw the button that starts a run on the sample; whether it was pressed."""
    return st.button(
        "Run on the sample",
        key=f"try-{lesson.id}",
        type="primary",
        icon=":material/play_arrow:",
        help="Runs in the background on this machine's CPU, in less than a minute once the engine "
        "is ready. What was computed before is not computed again.",
    )


def mark_tried(lesson: Lesson) -> None:
    """Remember that the student has seen the lesson's measured results."""
    st.session_state.setdefault(_TRIED, set()).add(lesson.id)


def try_it(lesson: Lesson, text: str) -> list[Variant] | None:
    """Let the student run the lesson's exercises on the sample model.

    Args:
        lesson: the lesson.
        text: what will run and what to look for, Markdown.

    Returns:
        The baseline and the variant of each exercise once all have results, else ``None``.
    """
    begin_trial(text)
    store = context.store()
    variants = practice.exercise_variants(store, lesson)
    finished = [variant for variant in variants if variant and variant.results]
    active = practice.active_runs(store, variants)
    complete = len(finished) == len(variants)
    if active:
        live_runs(tuple(run.id for run in active), follow=True)
    if any(variant and variant.results for variant in variants[1:]):
        _results(lesson, variants)
    if not active and not complete:
        _ask(lesson, variants)
    if not complete:
        return None
    mark_tried(lesson)
    return finished


def _ask(lesson: Lesson, variants: list[Variant | None]) -> None:
    for variant in variants:
        if variant is not None and variant.error:
            st.error(plain(variant.error), title=f"{plain(variant.name)} failed")
    if run_button(lesson):
        try:
            practice.start(context.store(), lesson)
        except FeatherweightError as error:
            st.error(plain(str(error)), title="The sample cannot be run")
            return
        st.rerun()


def _results(lesson: Lesson, variants: list[Variant | None]) -> None:
    st.dataframe(
        practice.results_table(lesson, variants),
        hide_index=True,
        height="content",
        column_config={"Variant": st.column_config.TextColumn(pinned=True)},
        alt=f"Measured results of the exercises of the lesson {lesson.title}",
    )
    st.caption(
        "Measured on the files that were just made, on test samples that no training used. They "
        f"are in the study “{practice.STUDY_NAME}”."
    )
    study = practice.practice_study(context.store())
    last = next((variant for variant in reversed(variants) if variant and variant.results), None)
    if study is None or last is None:
        return
    with st.container(horizontal=True):
        st.page_link(
            context.VARIANT,
            label="Look inside the last variant",
            icon=":material/layers:",
            query_params=context.study_link(study, variant=last.id),
        )
        st.page_link(
            context.COMPARE,
            label="Compare all that lessons have run",
            icon=":material/scatter_plot:",
            query_params=context.study_link(study),
        )


def next_lesson(lesson: Lesson) -> None:
    """Draw the link to the lesson after this one, or back to all of them."""
    place = LESSONS.index(lesson) + 1
    st.divider()
    if place == len(LESSONS):
        st.page_link(LEARN, label="All lessons", icon=":material/school:")
        return
    following = LESSONS[place]
    st.page_link(
        LEARN,
        label=f"Next: {following.title}",
        icon=":material/arrow_forward:",
        query_params={"lesson": following.id},
    )
