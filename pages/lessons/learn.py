"""The lessons: all of them as cards, or the one that the address names."""

import importlib

import streamlit as st

from optimizer.lessons.lesson import Lesson
from optimizer.lessons.registry import LESSONS, find_lesson
from pages.lessons import frame
from pages.parts.terms import LEARN
from pages.parts.text import plain

_SHOWN = "lessons_shown"


def draw() -> None:
    """Draw the page."""
    asked = st.query_params.get("lesson")
    lesson = find_lesson(asked) if asked else None
    _write_address(lesson)
    if lesson is not None:
        importlib.import_module(f"pages.lessons.bodies.{lesson.module}").draw(lesson)
        return
    st.title("Learn")
    if asked:
        st.warning(
            f"There is no lesson {plain(repr(asked))}. Choose one below.", title="Unknown lesson"
        )
    _overview()


def _write_address(lesson: Lesson | None) -> None:
    """Make the address that of what is shown.

    A link from a page to itself changes what ``st.query_params`` says, but not the address in the
    browser. Written at every run, each would be a step of the browser's history.
    """
    shown = lesson.id if lesson else None
    if st.session_state.setdefault(_SHOWN, shown) == shown:
        return
    st.session_state[_SHOWN] = shown
    st.query_params.from_dict({"lesson": shown} if shown else {})


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
    st.header("Terms")
    st.caption("What the words on the screen mean, by the lesson that explains them.")
    for lesson in LESSONS:
        st.page_link(LEARN, label=lesson.title, query_params={"lesson": lesson.id})
        st.markdown(
            "\n".join(f"- **{name}** {definition}" for name, definition in lesson.terms.items())
        )


def _card(lesson: Lesson) -> None:
    with st.container(border=True, key=f"lesson-{lesson.id}", height="stretch"):
        number = LESSONS.index(lesson) + 1
        st.markdown(f"**{number}. {lesson.title}**")
        st.markdown(lesson.question)
        badges = [f":gray-badge[:material/schedule: {lesson.minutes} min]"]
        if frame.has_predicted(lesson):
            badges.append(":blue-badge[:material/psychology: Predicted]")
        if frame.has_tried(lesson):
            badges.append(":green-badge[:material/check: Tried]")
        st.markdown(" ".join(badges))
        st.page_link(
            LEARN,
            label=f"Open lesson {number}",
            icon=":material/school:",
            query_params={"lesson": lesson.id},
        )


draw()
