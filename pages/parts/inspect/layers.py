"""Every operator in a table, and how far its output is from what it should be."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from optimizer.charts.inspection import MOST_ROWS, error_figure, operator_names
from optimizer.errors import FeatherweightError
from optimizer.inspection.layers import OperatorFacts, operator_facts
from optimizer.inspection_plan import Inspection
from optimizer.store.records import Study, Variant
from pages.parts import context
from pages.parts.chart import draw_chart
from pages.parts.table import show_table
from pages.parts.text import plain
from pages.parts.variant_picker import known_layers


@st.cache_data(max_entries=64, show_spinner="Reading the file")
def read_operators(key: str, baseline: str | None, names: tuple[str, ...]) -> list[OperatorFacts]:
    """The operators of a stored file, compared with those of another."""
    artifacts = context.store().artifacts
    reference = artifacts.read(baseline, "model.tflite") if baseline else None
    return operator_facts(artifacts.read(key, "model.tflite"), reference, names)


def draw_layers(study: Study, variant: Variant, baseline: Variant, inspection: Inspection) -> None:
    """Draw the section."""
    reference = None if variant.is_baseline else baseline.stages["convert"]
    try:
        facts = read_operators(variant.stages["convert"], reference, known_layers(study))
    except FeatherweightError as error:
        st.error(plain(str(error)))
        return
    st.header("Operators, in the order they run")
    _table(facts, inspection)
    st.caption(_about_weights(variant))
    if inspection.activations is not None:
        _errors(facts, inspection.activations, variant)


def _table(facts: list[OperatorFacts], inspection: Inspection) -> None:
    errors = (inspection.activations or {}).get("operators", {})
    times = {
        piece["operators"][0]: 1000 * piece["ms"]
        for piece in (inspection.profile or {}).get("pieces", [])
        if len(piece["operators"]) == 1
    }
    rows = [
        {
            "#": number,
            "Operator": f"{each.layer} · {each.kind}" if each.labels else each.kind,
            "Time (µs)": times.get(each.index),
            "Activation error (%)": _percent((errors.get(str(each.index)) or {}).get("twin")),
            "From baseline (%)": _percent((errors.get(str(each.index)) or {}).get("baseline")),
            "Bytes": each.weight_bytes,
            "Zeros (%)": _percent(each.sparsity),
            "Distinct": each.distinct,
            "Weights": each.weight_dtype,
            "Weights changed (%)": _percent(each.change.rms_relative if each.change else None),
            "SQNR (dB)": each.change.sqnr_db if each.change else None,
            "Rounding, estimated (%)": _percent(each.rounding_relative),
            "MACs": each.macs or None,
            "Computes in": each.output_dtype,
            "Output": " × ".join(map(str, each.output_shape)),
        }
        for number, each in enumerate(facts, 1)
    ]
    show_table(
        pd.DataFrame(rows).dropna(axis="columns", how="all"),
        hide_index=True,
        column_config=_columns(),
        placeholder="",
        alt="Operators with their times, errors, bytes, zeros and multiply-accumulates",
    )


def _columns() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    return {
        "#": number(width="small"),
        "Computes in": st.column_config.Column(help="dtype of its output"),
        "MACs": number(format="localized", help="Multiply-accumulates of one inference"),
        "Bytes": number(format="localized", help="Of its weights in the file, without biases"),
        "Zeros (%)": number(format="%.1f", help="Weights that are exactly zero"),
        "Distinct": number(
            help="Distinct values; the most in any one channel where each has its own scale"
        ),
        "Weights changed (%)": number(
            format="%.3g",
            help="Root mean square of the difference from the baseline’s weights, as a share of "
            "theirs: rounding, and what pruning, clustering and fine-tuning changed",
        ),
        "SQNR (dB)": number(
            format="%.1f",
            help="Signal to quantization noise: the same as 20 · log10(100 / changed). 6 dB more "
            "is half the difference",
        ),
        "Rounding, estimated (%)": number(
            format="%.3g",
            help="An estimate from the scale alone: rounding to steps of that size gives an error "
            "of scale / √12 when errors spread evenly over a step",
        ),
        "Activation error (%)": number(
            format="%.3g",
            help="Measured: this file against the same weights computed in float32, from the "
            "input up to this operator",
        ),
        "From baseline (%)": number(
            format="%.3g",
            help="Measured: this layer’s output against the float32 baseline’s on the same samples",
        ),
        "Time (µs)": number(format="%.2f", help="Measured; see Time for how and how exactly"),
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _about_weights(variant: Variant) -> str:
    if variant.is_baseline:
        return "This is the baseline: the others are compared with it."
    recipe = variant.recipe
    if recipe.prune or recipe.cluster or recipe.quantize.aware:
        return (
            "“Weights changed” holds everything this recipe did to them: training moved them as "
            "well as rounding. The estimate of rounding alone is beside it, for weights stored as "
            "integers. Layers whose shape changed cannot be compared."
        )
    return (
        "Nothing was trained here, so “Weights changed” is the measured quantization error of the "
        "weights."
    )


def _errors(facts: list[OperatorFacts], activations: dict[str, Any], variant: Variant) -> None:
    st.header("Where the error arises")
    for name, why in activations["unavailable"].items():
        what = "the float32 interpretation of this file" if name == "twin" else "the baseline"
        st.info(f"Could not be compared with {what}: {plain(why)}")
    measured = [
        value for each in activations["operators"].values() for value in each.values() if value
    ]
    if not measured:
        st.info(
            "This is the baseline itself: nothing to compare it with."
            if variant.is_baseline
            else "No operator’s output differs or can be matched with the baseline’s."
        )
        return
    names = operator_names(facts)
    draw_chart(
        error_figure(facts, activations, names),
        "operator_errors",
        "Relative error of each operator’s output",
        _errors_table(facts, activations, names),
    )
    text = (
        f"The {MOST_ROWS} largest are drawn; all are in the table. "
        if len(facts) > MOST_ROWS
        else ""
    )
    text += (
        f"Measured on {activations['samples']} test samples with TensorFlow Lite’s own kernels, "
        "accumulated from the input up to each operator. "
    )
    if activations["quantized"]:
        text += (
            "“From quantizing activations” compares the file with itself in float32: the same "
            "stored weights, nothing rounded in between, as TFLite’s QuantizationDebugger compares "
            "layers, but on the very file that ships. "
        )
    else:
        text += "Nothing in this file computes in integers, so there is no such error. "
    if not variant.is_baseline:
        text += (
            "“From the baseline” is everything the recipe changed; layers of another shape are "
            "left out. Of a retrained model it is large by nature: other weights can serve as well."
        )
    st.caption(text)


def _errors_table(
    facts: list[OperatorFacts], activations: dict[str, Any], names: dict[int, str]
) -> pd.DataFrame:
    found = activations["operators"]
    return pd.DataFrame(
        {
            "Operator": [names[each.index] for each in facts],
            "From quantizing activations (%)": [
                _percent(found[str(each.index)]["twin"]) for each in facts
            ],
            "From the baseline (%)": [
                _percent(found[str(each.index)]["baseline"]) for each in facts
            ],
        }
    )
