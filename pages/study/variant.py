"""Inside one variant: its layers, its weights, its recipe, how it was measured."""

import pandas as pd
import streamlit as st

from optimizer.charts.weights import histogram_figure, histogram_table
from optimizer.errors import FeatherweightError
from optimizer.format import format_seconds
from optimizer.headlines import how_measured
from optimizer.measure.histogram import WeightHistogram, weight_histogram
from optimizer.measure.tflite_file import TfliteFile
from optimizer.measure.weights import Weight
from optimizer.measured import Measured, marked_name, measured
from optimizer.plan import STAGE_NAMES
from optimizer.presets import explain
from optimizer.store.records import Study, Variant
from pages.parts import context
from pages.parts.advice import draw_next
from pages.parts.chart import draw_chart
from pages.parts.downloads import layers_of, variant_downloads
from pages.parts.guarantees import draw_guarantees, warn_of_broken
from pages.parts.headlines import draw_details, draw_headlines
from pages.parts.takeaway import draw_takeaway
from pages.parts.terms import draw_terms
from pages.parts.text import plain

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
    variant = _variant(study)
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
    _layers(variant)
    if baseline is not None and baseline.state == "done":
        _weights(variant, baseline)
    _recipe(variant, found)
    _measured(study, found)
    draw_takeaway(study, variant)


def _variant(study: Study) -> Variant:
    """The variant in the address, or the one chosen last; a picker changes it."""
    variants = context.store().list_variants(study.id)
    if not variants:
        st.info("This study has no variants yet.")
        st.stop()
    chosen = context.chosen_variant_id(study)
    by_id = {variant.id: variant for variant in variants}
    if chosen is not None and chosen not in by_id:
        st.warning(
            f"The address names the variant {chosen!r}, which is not in this study. "
            "Another one is shown."
        )
    ids = list(by_id)
    st.session_state["variant_pick"] = chosen if chosen in by_id else ids[-1]
    picked = st.selectbox(
        "Variant",
        ids,
        format_func=lambda variant_id: marked_name(by_id[variant_id]),
        key="variant_pick",
        help="Every variant of this study, the baseline too.",
        on_change=lambda: context.choose_variant(by_id[st.session_state["variant_pick"]]),
    )
    context.choose_variant(by_id[picked])
    return by_id[picked]


def _layers(variant: Variant) -> None:
    st.subheader("Layers, as read out of the file")
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
    st.dataframe(
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


@st.cache_data(max_entries=64, show_spinner="Reading the file")
def _weight_names(key: str, names: tuple[str, ...]) -> list[str]:
    """Layer and operator of each weight tensor in a stored file."""
    return [_label(weight) for weight in _read(key, names)]


@st.cache_data(max_entries=512, show_spinner="Reading the weights")
def _histogram(before: str, after: str, names: tuple[str, ...], label: str) -> WeightHistogram:
    """One layer's weights in two stored files; only the counts are kept in memory."""
    first, second = (
        next(weight.dequantized() for weight in _read(key, names) if _label(weight) == label)
        for key in (before, after)
    )
    return weight_histogram(first, second)


def _read(key: str, names: tuple[str, ...]) -> tuple[Weight, ...]:
    return TfliteFile.read(context.store().artifacts.read(key, "model.tflite"), names).weights


def _label(weight: Weight) -> str:
    return f"{weight.name} ({weight.op})"


def _weights(variant: Variant, baseline: Variant) -> None:
    st.subheader("Weights before and after")
    names, keys = _layer_names(variant), (baseline.stages["convert"], variant.stages["convert"])
    try:
        before, after = (_weight_names(key, names) for key in keys)
        both = [name for name in after if name in before]
        if not both:
            st.info("No layer of this file can be matched with one of the baseline.")
            return
        name = st.selectbox(
            "Layer", both, help="The baseline's layer of the same name is compared."
        )
        histogram = _histogram(*keys, names, name)
    except FeatherweightError as error:
        st.error(plain(str(error)))
        return
    total = histogram.after_zeros + sum(histogram.after) or 1
    draw_chart(
        histogram_figure(histogram),
        "weights",
        f"Histogram of the weights of {name} in the baseline and in this variant",
        histogram_table(histogram),
    )
    st.caption(
        f"Exact zeros, not drawn: {histogram.before_zeros:,} before "
        f"({100 * histogram.before_zeros / total:.1f} %), {histogram.after_zeros:,} after "
        f"({100 * histogram.after_zeros / total:.1f} %) of {total:,} weights."
    )


def _layer_names(variant: Variant) -> tuple[str, ...]:
    study = context.store().get_study(variant.study_id)
    facts = context.store().get_model(study.model_id).facts or {"layers": []}
    return tuple(layer["name"] for layer in facts["layers"])


def _recipe(variant: Variant, found: Measured) -> None:
    st.subheader("What was done")
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
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Seconds per stage")


def _stage_order(item: tuple[str, float]) -> int:
    return STAGE_NAMES.index(item[0]) if item[0] in STAGE_NAMES else len(STAGE_NAMES)


def _measured(study: Study, found: Measured) -> None:
    st.subheader("How it was measured")
    st.markdown("\n".join(f"- {line}" for line in how_measured(found)))
    if study.environment:
        with st.expander("Versions and hardware"):
            st.json(study.environment)


draw()
