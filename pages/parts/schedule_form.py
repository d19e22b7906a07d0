"""When pruning happens, as widgets: the kind of schedule, its values, its curve."""

from __future__ import annotations

from typing import Any

import streamlit as st

from optimizer.charts.style import CONFIG
from optimizer.charts.weights import schedule_figure
from optimizer.errors import InputError
from optimizer.recipe import Prune, Recipe
from optimizer.schedules import Schedule, steps_from_text, steps_text
from pages.parts.text import plain

KEEP: Any = "session"
SCHEDULES = {
    "none": "None",
    "constant": "Constant",
    "polynomial": "Polynomial",
    "steps": "Steps",
}
_MOST = 99.0
"""Highest sparsity that the sliders go to, in percent."""


def load_schedule(schedule: Schedule, *, channels: bool) -> None:
    """Set the widgets to a schedule; call before they are drawn."""
    state = st.session_state
    state["opt_channels_removed" if channels else "opt_final"] = _percent(schedule.final)
    state["opt_frequency"] = None
    if schedule.kind == "polynomial":
        state["opt_initial"] = _percent(schedule.initial_sparsity)
        state["opt_power"] = float(schedule.power)
        state["opt_window"] = (_percent(schedule.begin, 100.0), _percent(schedule.end, 100.0))
    elif schedule.kind == "constant":
        state["opt_begin"] = _percent(schedule.begin)
    else:
        state["opt_steps"] = steps_text(schedule)
    state["opt_frequency"] = schedule.frequency


def schedule_form(kind: str, structure: dict[str, Any]) -> dict[str, Any]:
    """Draw the widgets of a kind of schedule; returns it as plain data, not validated yet."""
    schedule: dict[str, Any]
    if kind == "steps":
        schedule = {"kind": "steps", "steps": _steps(structure)}
    elif kind == "polynomial":
        schedule = _polynomial(_final(structure))
    else:
        final = _final(structure)
        begin = slider(
            "Begin (% of fine-tuning)",
            "opt_begin",
            0,
            (0, 99, 1),
            "When the weights are removed, all at once. Earlier leaves more steps to recover.",
        )
        schedule = {"kind": "constant", "target_sparsity": final, "begin": begin}
    st.session_state.setdefault("opt_frequency", None)
    schedule["frequency"] = st.number_input(
        "Training steps between mask updates",
        1,
        100_000,
        key="opt_frequency",
        persist_state=KEEP,
        placeholder="Automatic",
        help="How often it is decided anew which weights go. Left empty, often enough for at "
        "least 20 updates, the last of them in time.",
    )
    return schedule


def schedule_curve(prune: dict[str, Any]) -> None:
    """Draw how the sparsity rises, when the values make a schedule."""
    try:
        parsed = Recipe.parse({"prune": prune}).prune
    except InputError:
        st.caption("The curve appears when the schedule is possible.")
        return
    assert parsed is not None
    st.plotly_chart(
        schedule_figure(parsed.schedule, st.session_state.get("opt_epochs", 3), _what(parsed)),
        config={**CONFIG, "displayModeBar": False},
        key="schedule_curve",
        alt="What is removed over the course of fine-tuning",
    )


def _what(prune: Prune) -> str:
    if prune.structure.kind == "channels":
        return "MACs removed" if prune.structure.target == "macs" else "Channels removed"
    return "Sparsity"


def _final(structure: dict[str, Any]) -> float:
    """The sparsity to end with, 0 to 1; an n:m pattern has its own."""
    if structure["kind"] == "n_m":
        n, m = structure["n"], structure["m"]
        if n < m:
            st.caption(f"A {n}:{m} pattern makes {100 * (1 - n / m):.4g} % of the weights zero.")
        return max(0.0, 1 - n / m)
    limits = (1, int(_MOST), 1)
    if structure["kind"] == "channels":
        macs = structure["target"] == "macs"
        label = "Multiply-accumulates" if macs else "Channels"
        return slider(
            f"{label} removed (%)",
            "opt_channels_removed",
            50,
            limits,
            "30 to 60 % is usual: half of the arithmetic often costs little accuracy after "
            "fine-tuning. Weights are removed for good, so more costs more than sparsity does.",
        )
    return slider(
        "Final sparsity (%)",
        "opt_final",
        80,
        limits,
        "Share of the weights that become zero. 50 to 80 % is usual; more costs accuracy.",
    )


def _polynomial(final: float) -> dict[str, Any]:
    st.session_state.setdefault("opt_window", (0.0, 75.0))
    st.session_state.setdefault("opt_power", 3.0)
    left, right = st.columns(2)
    with left:
        initial = slider(
            "Start at (%)",
            "opt_initial",
            0,
            (0, int(_MOST), 1),
            "What the schedule removes at its beginning (initial_sparsity). 0 is gentle; 50 "
            "leaves more time at the final value.",
        )
    power = right.slider(
        "Power",
        0.5,
        10.0,
        step=0.5,
        format="%g",
        key="opt_power",
        persist_state=KEEP,
        help="The curve's bend. 1 rises in a line; 3, the usual choice, removes much early and "
        "little late.",
    )
    window: Any = st.slider(
        "Begin and end (% of fine-tuning)",
        0.0,
        100.0,
        step=1.0,
        format="%g",
        key="opt_window",
        persist_state=KEEP,
        help="Between these the curve rises; the rest of the training lets the model recover.",
    )
    begin, end = window
    return {
        "kind": "polynomial",
        "initial_sparsity": initial,
        "final_sparsity": final,
        "power": power,
        "begin": _share(begin),
        "end": _share(end),
    }


def _steps(structure: dict[str, Any]) -> list[list[float]]:
    st.session_state.setdefault("opt_steps", "0 → 40, 25 → 60, 50 → 80")
    text = st.text_input(
        "Steps (% of fine-tuning → % removed)",
        key="opt_steps",
        persist_state=KEEP,
        max_chars=500,
        help="Pairs, both rising. 0 → 40, 50 → 80: from the start 40 % are removed, from the "
        "middle of the training on 80 %.",
    )
    if structure["kind"] == "n_m" and structure["n"] < structure["m"]:
        share = 100 * (1 - structure["n"] / structure["m"])
        st.caption(f"The last step has to end at {share:.4g} %, which is what the pattern removes.")
    try:
        return steps_from_text(text)
    except InputError as error:
        st.error(plain(str(error)))
        return []


def slider(label: str, key: str, default: int, limits: tuple[int, int, int], text: str) -> float:
    """A slider in percent; returns a share from 0 to 1."""
    st.session_state.setdefault(key, float(default))
    low, high, step = map(float, limits)
    return _share(
        st.slider(label, low, high, step=step, format="%g", key=key, persist_state=KEEP, help=text)
    )


def _percent(share: float, most: float = _MOST) -> float:
    return min(round(100 * share, 8), most)


def _share(percent: float) -> float:
    return round(percent / 100, 10)
