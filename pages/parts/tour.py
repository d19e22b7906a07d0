"""A two-minute way through the workbench for somebody who sees it for the first time."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from pages.parts import context

_STEP, _DECLINED = "tour_step", "tour_declined"


@dataclass(frozen=True)
class Stop:
    """A page on the way.

    Attributes:
        page: the page's file.
        path: the page's address, empty for none.
        title: what the stop is about.
        text: what to look at, and what to try there.
    """

    page: str
    path: str
    title: str
    text: str


STOPS = (
    Stop(
        context.COMPARE,
        "compare",
        "One model, made smaller in many ways",
        "Every point is the same network that reads handwritten digits, made smaller in another "
        "way. Left is smaller, up is more accurate. **Click a point**: the figures above the chart "
        "compare it with the model as it was. All of them were measured on the file itself.",
    ),
    Stop(
        context.EXPLORE,
        "explore",
        "How much may it cost?",
        "**Drag the accuracy budget.** The recommended variant changes with it, and the page says "
        "why the others lost.",
    ),
    Stop(
        context.INSPECT,
        "inspect",
        "What happened inside",
        "**Choose a pruned or clustered variant**, and a layer: its weights before and after, how "
        "many are zero, how many different values are left, and where the zeros are.",
    ),
    Stop(
        context.OPTIMIZE,
        "optimize",
        "Make one yourself",
        "**Press a preset, then Run.** The right-hand side says what will happen; training takes "
        "some seconds on this small model, and goes on when you leave the page.",
    ),
    Stop(
        context.COMPARE,
        "compare",
        "Take it away",
        "Your variant is in the chart as soon as it is measured. **Download .tflite** is the file "
        "to deploy; the recipe and the script make it again, without this workbench.",
    ),
    Stop(
        context.NEW_STUDY,
        "new",
        "Now your own model",
        "Bring a Keras model and some data, or pick another sample. Nothing in an upload is ever "
        "executed, and your files stay with this workbench.",
    ),
)


def draw_tour(path: str) -> None:
    """The stop that the tour is at, or an invitation where only the sample study is here.

    Args:
        path: the address of the page that will be drawn below.
    """
    step = st.session_state.get(_STEP)
    if step is not None:
        _draw_stop(int(step), path)
    elif path == "compare" and not st.session_state.get(_DECLINED) and _is_new():
        _invite()


def _is_new() -> bool:
    studies = context.store().list_studies()
    return len(studies) == 1 and studies[0].origin == "sample"


def _invite() -> None:
    with st.container(border=True, key="tour"):
        text, start, later = st.columns([6, 2, 2], vertical_alignment="center")
        text.markdown("**New here?** Two minutes show what this workbench does, on a real model.")
        if start.button(
            "Show me around",
            type="primary",
            icon=":material/explore:",
            width="stretch",
            help="Six short stops; end it whenever you like.",
        ):
            _go(0)
        later.button(
            "No, thanks",
            width="stretch",
            help="Hides this invitation.",
            on_click=lambda: st.session_state.update({_DECLINED: True}),
        )


def _draw_stop(step: int, path: str) -> None:
    stop = STOPS[step]
    with st.container(border=True, key="tour"):
        text, back, onward, end = st.columns([7, 1.2, 1.2, 1.2], vertical_alignment="center")
        text.caption(f"Tour, stop {step + 1} of {len(STOPS)}")
        text.markdown(f"**{stop.title}.** {stop.text}")
        if path != stop.path:
            if onward.button("Resume", width="stretch", help="Back to where the tour was."):
                _go(step)
        else:
            if back.button(
                "Back", width="stretch", disabled=step == 0, help="To the stop before this one."
            ):
                _go(step - 1)
            last = step == len(STOPS) - 1
            if not last and onward.button(
                "Next", type="primary", width="stretch", help=f"To “{STOPS[step + 1].title}”."
            ):
                _go(step + 1)
        if end.button("End", width="stretch", help="Ends the tour; you stay on this page."):
            st.session_state[_DECLINED] = True
            del st.session_state[_STEP]
            st.rerun()


def _go(step: int) -> None:
    st.session_state[_STEP] = step
    stop = STOPS[step]
    sample = next((s for s in context.store().list_studies() if s.origin == "sample"), None)
    query = {} if sample is None or stop.page == context.NEW_STUDY else context.study_link(sample)
    st.switch_page(stop.page, query_params=query)
