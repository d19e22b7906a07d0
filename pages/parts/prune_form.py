"""Pruning as widgets: schedule, structure, criterion, scope."""

from __future__ import annotations

from typing import Any

import streamlit as st

from optimizer.recipe import Prune
from pages.parts.schedule_form import (
    KEEP,
    SCHEDULES,
    load_schedule,
    schedule_curve,
    schedule_form,
)

_STRUCTURES = {
    "unstructured": "Single weights",
    "block": "Blocks",
    "n_m": "n:m pattern",
    "channels": "Channels",
}
_STRUCTURE_TEXT = {
    "unstructured": "Any weight may become zero: the most accurate for a given sparsity. The file "
    "gets smaller once compressed; the model does not get faster.",
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
    structure = prune.structure
    load_schedule(prune.schedule, channels=structure.kind == "channels")
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
        list(SCHEDULES),
        format_func=SCHEDULES.__getitem__,
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
    schedule = schedule_form(str(kind), structure)
    prune = {"schedule": schedule, "structure": structure, **_choice(structure)}
    schedule_curve(prune)
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
            _number(
                left,
                "Block: input channels",
                "opt_block_in",
                4,
                1,
                1024,
                "How many input channels (rows of a Dense kernel) become zero together. Blocks "
                "of 4 × 1 and 1 × 4 are what sparse kernels on CPUs like.",
            ),
            _number(
                right,
                "Block: output channels",
                "opt_block_out",
                1,
                1,
                1024,
                "How many output channels (columns of a Dense kernel) become zero together. "
                "Larger blocks cost more accuracy.",
            ),
        ]
        return {"kind": kind, "size": size}
    if kind == "n_m":
        n = _number(
            left,
            "n: weights left",
            "opt_n",
            2,
            1,
            63,
            "At most so many of every m consecutive weights along the input channels are not "
            "zero; below m.",
        )
        m = _number(
            right,
            "m: group size",
            "opt_m",
            4,
            2,
            64,
            "How many consecutive weights share the n. 2:4 is what recent GPUs accelerate.",
        )
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


def _number(place: Any, label: str, key: str, default: int, low: int, high: int, text: str) -> int:
    st.session_state.setdefault(key, default)
    return int(place.number_input(label, low, high, key=key, persist_state=KEEP, help=text))
