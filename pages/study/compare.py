"""The study's variants side by side: what each costs and what it saves."""

from typing import Any

import streamlit as st

from optimizer.charts.bars import bars_figure, bars_info, measures
from optimizer.charts.style import CONFIG
from optimizer.charts.tradeoff import COST_TITLES, Cost, tradeoff_figure, tradeoff_info
from optimizer.comparison import comparison_table, metric_column, suggested
from optimizer.store.records import ACTIVE, Study, Variant
from pages.parts import context
from pages.parts.downloads import study_downloads, variant_downloads
from pages.parts.headlines import draw_headlines
from pages.parts.runs import live_runs

_SIZES: dict[str, Cost] = {
    "As it ships": "size_bytes",
    "gzip": "gzip_bytes",
    "Parameters": "parameter_bytes",
}
_BARS = {
    "Size": "size",
    "gzip size": "gzip",
    "Quality": "metric",
    "Latency": "latency",
    "Memory": "memory",
    "Agreement": "agreement",
    "Zeros": "sparsity",
}


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    st.title(study.name)
    variants = context.store().list_variants(study.id)
    _active(study)
    done = [variant for variant in variants if variant.results]
    if not done:
        _nothing_yet(study, variants)
        return
    selected = _selected(study, done)
    baseline = next((variant for variant in done if variant.is_baseline), None)
    _choose(done, selected)
    draw_headlines(selected, baseline)
    variant_downloads(selected, "compare")
    st.page_link(
        context.VARIANT,
        label="Look inside this variant",
        icon=":material/layers:",
        query_params=context.study_link(study, variant=selected.id),
    )
    if len(done) == 1:
        st.info(
            "Only the baseline so far. Choose a recipe and run it to have something to compare."
        )
        st.page_link(
            context.OPTIMIZE,
            label="Choose a recipe",
            icon=":material/tune:",
            query_params=context.study_link(study),
        )
    _tradeoffs(done, selected)
    _bars(done, selected)
    _table(variants)
    study_downloads(study, variants)
    _failures(variants)


def _active(study: Study) -> None:
    runs = context.store().list_runs(study_id=study.id, states=ACTIVE)
    if runs:
        live_runs(tuple(run.id for run in reversed(runs)))


def _nothing_yet(study: Study, variants: list[Variant]) -> None:
    if any(variant.state in ACTIVE for variant in variants):
        st.info("The baseline is being measured; the charts appear when it is done.")
        return
    _failures(variants)
    st.info("Nothing has been measured in this study yet.")
    if st.button("Measure the baseline", type="primary", icon=":material/play_arrow:"):
        ids = [variant.id for variant in variants if variant.is_baseline]
        context.store().queue_run("variants", "Baseline", study_id=study.id, variant_ids=ids)
        st.rerun()


def _selected(study: Study, done: list[Variant]) -> Variant:
    """The chosen variant; at first the smallest download that costs at most a point."""
    chosen = context.chosen_variant_id(study)
    for variant in done:
        if variant.id == chosen:
            return variant
    return suggested(done) or done[0]


def _choose(done: list[Variant], selected: Variant) -> None:
    ids = [variant.id for variant in done]
    names = {variant.id: variant.name for variant in done}
    st.session_state["compare_pick"] = selected.id
    st.selectbox(
        "Variant",
        ids,
        format_func=names.__getitem__,
        key="compare_pick",
        help="Or click a point or a row below.",
        on_change=lambda: _pick(st.session_state["compare_pick"], done),
    )


def _pick(variant_id: str, done: list[Variant]) -> None:
    for variant in done:
        if variant.id == variant_id:
            context.choose_variant(variant)


def _tradeoffs(done: list[Variant], selected: Variant) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Size against quality")
        label = st.segmented_control(
            "Which size",
            list(_SIZES),
            default="gzip",
            required=True,
            key="size_measure",
            label_visibility="collapsed",
            help="As it ships: bytes on the device. gzip: bytes of a download.",
        )
        cost = _SIZES[label or "gzip"]
        _tradeoff(done, selected, cost, "size_chart")
    with right:
        st.subheader("Latency against quality")
        st.caption("Measured on this machine; other hardware differs. Up and left is better.")
        _tradeoff(done, selected, "latency", "latency_chart")


def _tradeoff(done: list[Variant], selected: Variant, cost: Cost, key: str) -> None:
    info = tradeoff_info(done, cost, selected.id)
    front = ", ".join(point.name for point in info.front)
    event: Any = st.plotly_chart(
        tradeoff_figure(info),
        config=CONFIG,
        key=f"{key}-{cost}",
        on_select="rerun",
        selection_mode="points",
        alt=f"{COST_TITLES[cost]} against quality for {len(info.points)} variants. "
        f"On the Pareto front: {front}.",
    )
    points = event.selection.points if event else []
    if points and points[0].get("customdata"):
        picked = points[0]["customdata"]
        picked = picked[0] if isinstance(picked, list) else picked
        seen = st.session_state.get(f"{key}-seen")
        if picked != seen:
            st.session_state[f"{key}-seen"] = picked
            _pick(picked, done)
            st.rerun()


def _bars(done: list[Variant], selected: Variant) -> None:
    st.subheader("One measure at a time")
    label = st.segmented_control(
        "Measure",
        list(_BARS),
        default="Size",
        required=True,
        key="bar_measure",
        label_visibility="collapsed",
    )
    metric = (done[0].results or {})["metric"]
    info = bars_info(done, measures(metric)[_BARS[label or "Size"]], selected.id)
    if not info.values:
        st.info("This was not measured for any variant.")
        return
    st.plotly_chart(
        bars_figure(info),
        config=CONFIG,
        key="bars",
        alt=f"{info.title} of {len(info.values)} variants, the smallest first",
    )


def _table(variants: list[Variant]) -> None:
    st.subheader("All variants")
    table = comparison_table(variants)
    metric = next((v.results["metric"] for v in variants if v.results), "accuracy")
    number = st.column_config.NumberColumn
    event: Any = st.dataframe(
        table,
        hide_index=True,
        key="variants_table",
        on_select="rerun",
        selection_mode="single-row",
        placeholder="–",
        column_order=[column for column in table.columns if column != "id"],
        column_config={
            "Size (kB)": number(format="%.1f", help="The .tflite as it ships"),
            "gzip (kB)": number(format="%.1f", help="The same, gzip-compressed"),
            metric_column(metric): number(format="%.2f" if metric == "accuracy" else "%.4g"),
            "Δ " + metric_column(metric): number(
                format="%+.2f" if metric == "accuracy" else "%.4g"
            ),
            "Agreement (%)": number(format="%.2f", help="Same prediction as the baseline"),
            "p50 (ms)": number(format="%.4f"),
            "Latency ratio": number(format="%.2f", help="To the baseline; below 1 is faster"),
            "Peak memory (kB)": number(format="%.0f"),
            "Zeros (%)": number(format="%.1f", help="Among prunable weights, read from the file"),
            "Distinct weights": number(
                help="Most distinct values in one tensor (per channel where quantized so)"
            ),
            "Time to make (s)": number(format="%.1f"),
            "Size vs baseline (×)": number(format="%.2f", help="Baseline's size / this size"),
            "gzip vs baseline (×)": number(format="%.2f", help="Baseline's gzip / this gzip"),
        },
        alt="All variants with their measures and differences to the baseline",
    )
    rows = event.selection.rows if event else []
    if rows:
        picked = str(table.iloc[rows[0]]["id"])
        if picked != st.session_state.get("table-seen"):
            st.session_state["table-seen"] = picked
            _pick(picked, [variant for variant in variants if variant.results])
            st.rerun()


def _failures(variants: list[Variant]) -> None:
    for variant in variants:
        if variant.state == "failed":
            st.error(variant.error or "It failed.", title=f"{variant.name} failed")


draw()
