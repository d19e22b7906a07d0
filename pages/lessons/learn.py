"""The lessons: all of them as cards, or the one that the address names."""

import importlib

import streamlit as st

from optimizer.lessons.lesson import Lesson
from optimizer.lessons.registry import LESSONS, find_lesson
from pages.lessons import frame
from pages.parts.terms import LEARN
from pages.parts.text import plain


def draw() -> None:
    """Draw the page."""
    asked = st.query_params.get("lesson")
    lesson = find_lesson(asked) if asked else None
    if lesson is not None:
        importlib.import_module(f"pages.lessons.bodies.{lesson.module}").draw(lesson)
        return
    st.title("Learn")
    if asked:
        st.warning(
            f"There is no lesson {plain(repr(asked))}. Choose one below.", title="Unknown lesson"
        )
    _overview()


def _overview() -> None:
    st.markdown(
        "Short lessons on what this workbench does to a model, and why. In each you **predict** "
        "first, then **see** the answer computed from the weights of a real network, and then "
        "**try it**: the engine runs it on a sample, in less than a minute."
    )
    done = sum(frame.has_predicted(lesson) for lesson in LESSONS)
    st.progress(
        done / len(LESSONS),
        text=f"{done} of {len(LESSONS)} lessons begun in this session, about "
        f"{sum(lesson.minutes for lesson in LESSONS)} minutes in all",
    )
    for first in range(0, len(LESSONS), 3):
        row = st.columns(3)
        for column, lesson in zip(row, LESSONS[first : first + 3], strict=False):
            with column:
                _card(lesson)
    st.subheader("Terms")
    st.caption("What the words on the screen mean, by the lesson that explains them.")
    for lesson in LESSONS:
        st.page_link(LEARN, label=lesson.title, query_params={"lesson": lesson.id})
        st.markdown(
            "\n".join(f"- **{name}** {definition}" for name, definition in lesson.terms.items())
        )


def _card(lesson: Lesson) -> None:
    with st.container(border=True, key=f"lesson-{lesson.id}", height="stretch"):
        st.markdown(f"**{LESSONS.index(lesson) + 1}. {lesson.title}**")
        st.markdown(lesson.question)
        badges = [f":gray-badge[:material/schedule: {lesson.minutes} min]"]
        if frame.has_predicted(lesson):
            badges.append(":blue-badge[:material/psychology: Predicted]")
        if frame.has_tried(lesson):
            badges.append(":green-badge[:material/check: Tried]")
        st.markdown(" ".join(badges))
        st.page_link(
            LEARN,
            label=f"Open: {lesson.title}",
            icon=":material/school:",
            query_params={"lesson": lesson.id},
        )


draw()
