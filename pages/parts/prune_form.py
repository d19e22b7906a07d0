"""Pruning as widgets: schedule, structure, criterion, scope."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from optimizer.charts.style import CONFIG
from optimizer.charts.weights import schedule_figure
from optimizer.recipe import Prune, Recipe

KEEP: Any = "session"
_SCHEDULES = {
    "none": "None",
    "constant": "Constant",
    "polynomial": "Polynomial",
    "steps": "Steps",
}
_STRUCTURES = {
    "unstructured": "Single weights",
    "block": "Blocks",
    "n_m": "n:m pattern",
    "channels": "Channels",
}
_STRUCTURE_TEXT = {
    "unstructured": "Any weight may become zero: the most accurate for a given sparsity. The file "
    "is smaller once compressed; the model is not faster.",
    "block": "Blocks of weights become zero together, which sparse matrix kernels can skip.",
    "n_m": "Of every m consecutive weights at most n are left, as sparse tensor cores execute.",
    "channels": "Filters and units are removed: the model is smaller and faster on any hardware.",
}
_CRITERIA = {
    "magnitude": "Magnitude",
    "gradient": "Gradient (Taylor)",
    "random": "Random",
}
_SCOPES = {"layer": "Within each layer", "global": "Over all layers"}
_TARGETS = {"macs": "Multiply-accumulates", "channels": "Channels"}


def load_prune(prune: Prune | None) -> None:
    """Set the widgets to a recipe's pruning; call before they are drawn."""
    state = st.session_state
    state["opt_schedule"] = prune.schedule.kind if prune else "none"
    if prune is None:
        return
    schedule, structure = prune.schedule, prune.structure
    state["opt_final"] = round(100 * schedule.final)
    if schedule.kind == "polynomial":
        state["opt_initial"] = round(100 * schedule.initial_sparsity)
        state["opt_power"] = float(schedule.power)
        state["opt_window"] = (round(100 * schedule.begin), round(100 * schedule.end))
    elif schedule.kind == "constant":
        state["opt_begin"] = round(100 * schedule.begin)
    else:
        pairs = (f"{100 * begin:g} → {100 * sparsity:g}" for begin, sparsity in schedule.steps)
        state["opt_steps"] = ", ".join(pairs)
    state["opt_structure"] = structure.kind
    if structure.kind == "block":
        state["opt_block_in"], state["opt_block_out"] = structure.size
    elif structure.kind == "n_m":
        state["opt_n"], state["opt_m"] = structure.n, structure.m
    elif structure.kind == "channels":
        state["opt_target"], state["opt_multiple"] = structure.target, structure.multiple_of
    state["opt_criterion"], state["opt_scope"] = prune.criterion, prune.scope
    state["opt_gentle"] = prune.gentle_ends


def prune_form() -> dict[str, Any] | None:
    """Draw the widgets; returns a recipe's ``prune`` as plain data, not validated yet."""
    kind = st.segmented_control(
        "Sparsity schedule",
        list(_SCHEDULES),
        format_func=_SCHEDULES.__getitem__,
        required=True,
        key="opt_schedule",
        persist_state=KEEP,
        help="How pruning proceeds while the model is fine-tuned. Constant: all at once. "
        "Polynomial: little by little, which costs less accuracy. Steps: at moments of your own.",
    )
    if kind == "none":
        st.caption("No weights are removed.")
        return None
    structure = _structure()
    schedule = _schedule(str(kind), structure)
    prune = {"schedule": schedule, "structure": structure, **_choice(structure)}
    _curve(prune)
    return prune


def _structure() -> dict[str, Any]:
    kind: Any = st.segmented_control(
        "Structure",
        list(_STRUCTURES),
        format_func=_STRUCTURES.__getitem__,
        required=True,
        default="unstructured",
        key="opt_structure",
        persist_state=KEEP,
        help="Which weights are removed together. Only channels make a model faster on hardware "
        "that knows nothing about zeros.",
    )
    st.caption(_STRUCTURE_TEXT[kind])
    left, right = st.columns(2)
    if kind == "block":
        size = [
            _number(left, "Block: input channels", "opt_block_in", 4, 1, 1024, "Rows of a block."),
            _number(
                right, "Block: output channels", "opt_block_out", 1, 1, 1024, "Columns of a block."
            ),
        ]
        return {"kind": kind, "size": size}
    if kind == "n_m":
        n = _number(left, "n: weights left", "opt_n", 2, 1, 63, "Of every m consecutive weights.")
        m = _number(right, "m: group size", "opt_m", 4, 2, 64, "2:4 is what GPUs accelerate.")
        return {"kind": kind, "n": n, "m": m}
    if kind == "channels":
        target = left.selectbox(
            "Share of",
            list(_TARGETS),
            format_func=_TARGETS.__getitem__,
            key="opt_target",
            persist_state=KEEP,
            help="What the slider below is a share of. Multiply-accumulates are the arithmetic of "
            "one inference, as counted in the exported file.",
        )
        multiple = _number(
            right,
            "Channels left: multiple of",
            "opt_multiple",
            8,
            1,
            64,
            "Processors compute 4, 8 or 16 channels at once; odd numbers save less time than they "
            "remove. 1 removes exactly what is asked.",
        )
        return {"kind": kind, "target": target, "multiple_of": multiple}
    return {"kind": kind}


def _schedule(kind: str, structure: dict[str, Any]) -> dict[str, Any]:
    if kind == "steps":
        return {"kind": "steps", "steps": _steps()}
    final = _final(structure)
    if kind == "polynomial":
        return _polynomial(final)
    begin = _slider(
        "Begin (% of fine-tuning)",
        "opt_begin",
        0,
        (0, 95, 5),
        "When the weights are removed. Earlier leaves more steps to recover.",
    )
    return {"kind": "constant", "target_sparsity": final, "begin": begin / 100}


def _final(structure: dict[str, Any]) -> float:
    """The sparsity to end with, 0 to 1; an n:m pattern has its own."""
    if structure["kind"] == "n_m":
        return 1 - structure["n"] / structure["m"]
    if structure["kind"] == "channels":
        label = f"{_TARGETS[structure['target']]} removed (%)"
        text = "Half the multiply-accumulates usually cost little accuracy after fine-tuning."
    else:
        label = "Final sparsity (%)"
        text = "Share of the weights that become zero. 50 to 80 % is usual; more costs accuracy."
    return _slider(label, "opt_final", 80, (5, 98, 1), text) / 100


def _polynomial(final: float) -> dict[str, Any]:
    st.session_state.setdefault("opt_window", (0, 75))
    st.session_state.setdefault("opt_power", 3.0)
    left, right = st.columns(2)
    with left:
        initial = _slider(
            "Initial sparsity (%)",
            "opt_initial",
            0,
            (0, 95, 5),
            "Where the schedule starts. 0 is gentle; 50 leaves more time at high sparsity.",
        )
    power = right.slider(
        "Power",
        1.0,
        5.0,
        step=0.5,
        key="opt_power",
        persist_state=KEEP,
        help="1 rises in a line; 3, the usual choice, removes much early and little late.",
    )
    window: Any = st.slider(
        "Begin and end (% of fine-tuning)",
        0,
        100,
        step=5,
        key="opt_window",
        persist_state=KEEP,
        help="Between these the sparsity rises; the rest of the training lets the model recover.",
    )
    begin, end = window
    return {
        "kind": "polynomial",
        "initial_sparsity": initial / 100,
        "final_sparsity": final,
        "power": power,
        "begin": begin / 100,
        "end": end / 100,
    }


def _steps() -> list[list[float]]:
    st.session_state.setdefault("opt_steps", "0 → 40, 25 → 60, 50 → 80")
    text = st.text_input(
        "Steps (% of fine-tuning → % sparsity)",
        key="opt_steps",
        persist_state=KEEP,
        max_chars=500,
        help="Pairs, both rising: at 0 % of the training to 40 % sparsity, at 25 % to 60 %, …",
    )
    numbers = [float(number) / 100 for number in re.findall(r"\d+(?:\.\d+)?", text)]
    if len(numbers) % 2:
        st.caption("The last number has no partner; write pairs such as 0 → 40, 50 → 80.")
    return [list(pair) for pair in zip(numbers[::2], numbers[1::2], strict=False)]


def _choice(structure: dict[str, Any]) -> dict[str, Any]:
    """Which weights go first, and where they compete."""
    left, right = st.columns(2)
    chosen: dict[str, Any] = {
        "criterion": left.selectbox(
            "Criterion",
            list(_CRITERIA),
            format_func=_CRITERIA.__getitem__,
            key="opt_criterion",
            persist_state=KEEP,
            help="What matters: the size of a weight, how much the loss would change without it "
            "(weight × gradient), or nothing at all, as a control.",
        )
    }
    if structure["kind"] == "n_m":
        return chosen
    chosen["scope"] = right.selectbox(
        "Scope",
        list(_SCOPES),
        format_func=_SCOPES.__getitem__,
        key="opt_scope",
        persist_state=KEEP,
        help="Every layer reaches the sparsity, or weights of all layers compete, so that layers "
        "with much to spare lose more.",
    )
    chosen["gentle_ends"] = st.toggle(
        "Gentler on the first and last layer",
        key="opt_gentle",
        persist_state=KEEP,
        help="Halves the sparsity of these two: they are small and the most sensitive.",
    )
    return chosen


def _curve(prune: dict[str, Any]) -> None:
    try:
        recipe = Recipe.parse({"prune": prune})
    except ValueError:
        st.caption("The curve appears when the schedule is possible.")
        return
    assert recipe.prune is not None
    st.plotly_chart(
        schedule_figure(recipe.prune.schedule, st.session_state.get("opt_epochs", 3)),
        config={**CONFIG, "displayModeBar": False},
        key="schedule_curve",
        alt="Sparsity over the course of fine-tuning",
    )


def _slider(label: str, key: str, default: int, limits: tuple[int, int, int], text: str) -> int:
    st.session_state.setdefault(key, default)
    low, high, step = limits
    return int(st.slider(label, low, high, step=step, key=key, persist_state=KEEP, help=text))


def _number(place: Any, label: str, key: str, default: int, low: int, high: int, text: str) -> int:
    st.session_state.setdefault(key, default)
    return int(place.number_input(label, low, high, key=key, persist_state=KEEP, help=text))
