"""Inside one variant: its layers, its weights, its recipe, how it was measured."""

from typing import Any

import pandas as pd
import streamlit as st

from optimizer.charts.style import CONFIG
from optimizer.charts.weights import histogram_figure
from optimizer.errors import FeatherweightError
from optimizer.format import format_bytes, format_metric, format_ms, format_seconds
from optimizer.measure.histogram import weight_histogram
from optimizer.measure.tflite_file import TfliteFile
from optimizer.plan import STAGE_NAMES
from optimizer.presets import explain
from optimizer.store.records import Study, Variant
from pages.parts import context
from pages.parts.downloads import layers_of, variant_downloads
from pages.parts.headlines import draw_headlines


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    variant = _variant(study)
    st.title(variant.name)
    if variant.state != "done":
        if variant.error:
            st.error(variant.error, title="This variant failed")
        else:
            st.info(f"This variant is {variant.state}; the Runs page shows its progress.")
            st.page_link(context.RUNS, label="Open Runs", icon=":material/pending_actions:")
        return
    baseline = context.store().baseline(study.id)
    draw_headlines(variant, baseline)
    variant_downloads(variant, "variant")
    if not variant.is_baseline:
        st.page_link(
            context.OPTIMIZE,
            label="Start a new recipe from this one",
            icon=":material/tune:",
            query_params=context.study_link(study, copy=variant.id),
        )
    for note in (variant.results or {}).get("notes", []):
        st.caption(f":material/info: {note}")
    _layers(variant)
    if baseline is not None and baseline.state == "done":
        _weights(variant, baseline)
    _recipe(variant)
    _measured(study, variant)


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
        format_func=lambda variant_id: by_id[variant_id].name,
        key="variant_pick",
        on_change=lambda: context.choose_variant(by_id[st.session_state["variant_pick"]]),
    )
    context.choose_variant(by_id[picked])
    return by_id[picked]


def _layers(variant: Variant) -> None:
    st.subheader("Layers, as read out of the file")
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
            "Zeros (%)": 100 * layer["sparsity"],
            "Distinct values": layer["distinct"],
            "Distinct per channel": layer["distinct_per_channel"],
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


@st.cache_data(max_entries=16, show_spinner="Reading the weights")
def _file_weights(key: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Layer and operator → dequantized weights of a stored file."""
    data = context.store().artifacts.read(key, "model.tflite")
    return {
        f"{weight.name} ({weight.op})": weight.dequantized()
        for weight in TfliteFile.read(data, names).weights
    }


def _weights(variant: Variant, baseline: Variant) -> None:
    st.subheader("Weights before and after")
    names = _layer_names(variant)
    try:
        after = _file_weights(variant.stages["convert"], names)
        before = _file_weights(baseline.stages["convert"], names)
    except FeatherweightError as error:
        st.error(str(error))
        return
    both = [name for name in after if name in before]
    if not both:
        st.info("No layer of this file can be matched with one of the baseline.")
        return
    name = st.selectbox("Layer", both, help="The baseline's layer of the same name is compared.")
    histogram = weight_histogram(before[name], after[name])
    total = max(1, after[name].size)
    st.plotly_chart(
        histogram_figure(histogram),
        config=CONFIG,
        key="weights",
        alt=f"Histogram of the weights of {name} in the baseline and in this variant",
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


def _recipe(variant: Variant) -> None:
    st.subheader("What was done")
    st.markdown("\n".join(f"{i}. {line}" for i, line in enumerate(explain(variant.recipe), 1)))
    with st.expander("Recipe JSON"):
        st.code(variant.recipe.canonical_json(indent=2), language="json")
    results = variant.results or {}
    rows = [
        {
            "Stage": name.replace("_", " "),
            "Took": format_seconds(seconds),
            "": "already computed for another run" if name in results["cached"] else "",
        }
        for name, seconds in sorted(results["seconds"].items(), key=_stage_order)
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Seconds per stage")


def _stage_order(item: tuple[str, float]) -> int:
    return STAGE_NAMES.index(item[0]) if item[0] in STAGE_NAMES else len(STAGE_NAMES)


def _measured(study: Study, variant: Variant) -> None:
    st.subheader("How it was measured")
    results = variant.results or {}
    latency = results["latency_ms"]
    low, high = results["metric_interval"]
    metric = results["metric"]
    memory = results["peak_memory_bytes"]
    lines = [
        f"Quality: {metric} {format_metric(metric, results['metrics'][metric])} on "
        f"{results['accuracy_n']} held-out samples; 95 % interval {format_metric(metric, low)} to "
        f"{format_metric(metric, high)}.",
        f"Latency: p50 {format_ms(latency['p50'])}, p90 {format_ms(latency['p90'])}, p99 "
        f"{format_ms(latency['p99'])} over {latency['runs']} runs in {latency['rounds']} rounds, "
        f"taken in turns with the baseline in one process; {latency['threads']} thread, "
        f"{latency['delegate']}, {latency['device']}.",
        "Peak memory: "
        + (
            "not measured."
            if memory is None
            else f"{format_bytes(memory)} while loading and running."
        ),
        f"Sizes: {format_bytes(results['size_bytes'])} as it ships, "
        f"{format_bytes(results['gzip_bytes'])} gzip-compressed (level 9), "
        f"{format_bytes(results['parameter_bytes'])} of parameters.",
    ]
    st.markdown("\n".join(f"- {line}" for line in lines))
    if study.environment:
        with st.expander("Versions and hardware"):
            st.json(study.environment)


draw()
