"""One variant: its figures, its layers, its recipe, how it was measured."""

import pandas as pd
import streamlit as st

from optimizer.errors import FeatherweightError
from optimizer.format import format_seconds
from optimizer.headlines import how_measured
from optimizer.measured import Measured, measured
from optimizer.plan import STAGE_NAMES
from optimizer.presets import explain
from optimizer.store.records import Study, Variant
from pages.parts import context
from pages.parts.advice import draw_next
from pages.parts.downloads import layers_of, variant_downloads
from pages.parts.guarantees import draw_guarantees, warn_of_broken
from pages.parts.headlines import draw_details, draw_headlines
from pages.parts.table import show_table
from pages.parts.takeaway import draw_takeaway
from pages.parts.terms import draw_terms
from pages.parts.text import plain
from pages.parts.variant_picker import pick_variant

_STAGE_TITLES = {
    "import_model": "Read the model",
    "prepare_data": "Read the data",
    "prune": "Prune",
    "cluster": "Cluster",
    "quantize_aware": "Quantization-aware training",
    "convert": "Convert to TFLite",
    "evaluate": "Measure accuracy",
    "benchmark": "Measure latency",
}


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    title = st.container()
    variant = pick_variant(study)
    title.title(variant.name)
    if measured(variant) is None:
        if variant.error:
            st.error(plain(variant.error), title="This variant failed")
        else:
            st.info(f"This variant is {variant.state}. The Runs page shows what happened to it.")
            st.page_link(context.RUNS, label="Open Runs", icon=":material/pending_actions:")
        return
    baseline = context.store().baseline(study.id)
    found = measured(variant)
    assert found is not None
    warn_of_broken(found)
    draw_headlines(variant, baseline)
    draw_details(variant, baseline)
    variant_downloads(variant, "variant")
    if not variant.is_baseline:
        st.page_link(
            context.OPTIMIZE,
            label="Start a new recipe from this one",
            icon=":material/tune:",
            query_params=context.study_link(study, copy=variant.id),
        )
    draw_next(study, variant)
    draw_guarantees(variant, baseline, found)
    _layers(study, variant)
    _recipe(variant, found)
    _measured(study, found)
    draw_takeaway(study, variant)


def _layers(study: Study, variant: Variant) -> None:
    st.header("Layers, as read out of the file")
    st.page_link(
        context.INSPECT,
        label="Inspect: weights before and after, errors and time of each layer, flipped inputs",
        icon=":material/troubleshoot:",
        query_params=context.study_link(study, variant=variant.id),
    )
    draw_terms("sparsity", "weight clustering", "quantization", "per channel")
    try:
        layers = layers_of(variant)
    except FeatherweightError as error:
        st.error(str(error))
        return
    rows = [
        {
            "Layer": layer["name"],
            "Operator": layer["type"],
            "Shape": " × ".join(map(str, layer["shape"])),
            "Dtype": layer["dtype"],
            "Zeros (%)": None if layer["sparsity"] is None else 100 * layer["sparsity"],
            "Distinct values": layer["distinct"],
            "Distinct per channel": layer.get("distinct_per_channel"),
            "Bytes": layer["bytes"],
        }
        for layer in layers
    ]
    show_table(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "Zeros (%)": st.column_config.NumberColumn(format="%.1f"),
            "Distinct values": st.column_config.NumberColumn(
                help="Over the whole tensor, as stored"
            ),
            "Distinct per channel": st.column_config.NumberColumn(
                help="The most in any one output channel. A tensor quantized per channel has a "
                "scale for each, so this is the number that clustering promises."
            ),
            "Bytes": st.column_config.NumberColumn(format="localized"),
        },
        alt="Weight tensors of the file with dtype, zeros, distinct values and bytes",
    )


def _recipe(variant: Variant, found: Measured) -> None:
    st.header("What was done")
    st.markdown("\n".join(f"{i}. {line}" for i, line in enumerate(explain(variant.recipe), 1)))
    with st.expander("Recipe JSON"):
        st.code(variant.recipe.canonical_json(indent=2), language="json")
    rows = [
        {
            "Stage": _STAGE_TITLES.get(name, name),
            "Took": format_seconds(seconds),
            "": "already computed for another run" if name in found.cached else "",
        }
        for name, seconds in sorted(found.seconds.items(), key=_stage_order)
    ]
    show_table(pd.DataFrame(rows), hide_index=True, alt="Seconds per stage")


def _stage_order(item: tuple[str, float]) -> int:
    return STAGE_NAMES.index(item[0]) if item[0] in STAGE_NAMES else len(STAGE_NAMES)


def _measured(study: Study, found: Measured) -> None:
    st.header("How it was measured")
    st.markdown("\n".join(f"- {line}" for line in how_measured(found)))
    if study.environment:
        with st.expander("Versions and hardware"):
            st.json(study.environment)


draw()
