"""The study's variants side by side: what each costs and what it saves."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from optimizer.charts.bars import bars_figure, bars_info
from optimizer.charts.style import CONFIG
from optimizer.charts.tradeoff import COST_TITLES, Cost, tradeoff_figure, tradeoff_info
from optimizer.comparison import (
    study_metric,
    suggested,
)
from optimizer.data.objective import LOWER_IS_BETTER
from optimizer.format import metric_words
from optimizer.measured import marked_name, measured
from optimizer.measures import measures
from optimizer.store.records import ACTIVE, Study, Variant
from pages.parts import context
from pages.parts.advice import draw_next_short
from pages.parts.downloads import study_downloads, variant_downloads
from pages.parts.guarantees import warn_of_broken
from pages.parts.headlines import draw_headlines
from pages.parts.latency import latency_origin
from pages.parts.runs import live_runs
from pages.parts.terms import draw_terms
from pages.parts.text import plain
from pages.parts.variants_table import failures, variants_table

_SIZES: dict[str, Cost] = {
    "As it ships": "size_bytes",
    "gzip": "gzip_bytes",
    "Parameters": "parameter_bytes",
}
_MOST_NAMES = 5
_MOST_FAILURES = 8
_SPEEDS: dict[str, Cost] = {"Latency": "latency", "Multiply-accumulates": "macs"}

_BARS = ("size", "gzip", "metric", "latency", "macs", "memory", "agreement", "sparsity")


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    st.title(plain(study.name))
    variants = context.study_variants(study)
    done = [variant for variant in variants if variant.results]
    _introduce(study, len(done), len(variants))
    _active(study)
    if not done:
        _nothing_yet(study, variants)
        return
    selected = _selected(study, done)
    baseline = next((variant for variant in done if variant.is_baseline), None)
    _choose(done, selected)
    if found := measured(selected):
        warn_of_broken(found)
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
    _tradeoffs(study, done, selected)
    st.page_link(
        context.EXPLORE,
        label="Explore: set budgets, compare side by side",
        icon=":material/travel_explore:",
        query_params=context.study_link(study),
    )
    draw_next_short(study, selected)
    _bars(done, selected)
    if picked := variants_table(variants):
        _pick(picked, done)
        st.rerun()
    study_downloads(study, variants)
    failures(study, variants)


def _introduce(study: Study, measured_count: int, count: int) -> None:
    """Where the figures come from, and for a newcomer what to do with them."""
    store = context.store()
    model, data = store.get_model(study.model_id), store.get_dataset(study.dataset_id)
    st.caption(
        f"{plain(model.file_name)} with {plain(data.file_name)} · {measured_count} of {count} "
        "variants measured · compared with the float32 TFLite baseline"
    )
    if study.origin == "sample":
        st.markdown(
            "A finished sample study: a small network that reads handwritten digits, made smaller "
            "in several ways. Click a point or a row to see what each way saves and costs."
        )


def _active(study: Study) -> None:
    runs = context.store().list_runs(study_id=study.id, states=ACTIVE)
    if runs:
        live_runs(tuple(run.id for run in reversed(runs)), follow=True)


def _nothing_yet(study: Study, variants: list[Variant]) -> None:
    if any(variant.state in ACTIVE for variant in variants):
        st.info("The baseline is being measured; the charts appear when it is done.")
        return
    failures(study, variants)
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
    names = {variant.id: marked_name(variant) for variant in done}
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


def _tradeoffs(study: Study, done: list[Variant], selected: Variant) -> None:
    draw_terms("gzip", "sparsity", "weight clustering", "int8")
    metric = study_metric(done)
    words, better = metric_words(metric), "down" if metric in LOWER_IS_BETTER else "up"
    left, right = st.columns(2, gap="large")
    with left:
        label = st.segmented_control(
            "Size means",
            list(_SIZES),
            default="gzip",
            required=True,
            key="size_measure",
            help="As it ships: bytes of the file on the device. gzip: bytes of a compressed "
            "download, where pruning and clustering show. Parameters: weights and biases alone. "
            "Every ratio is to the same measure of the float32 TFLite baseline.",
        )
        st.header(f"Size against {words}")
        st.caption(f"Further left is smaller, further {better} is better.")
        _tradeoff(done, selected, _SIZES[label or "gzip"], "size_chart")
    with right:
        speed = _speed(done)
        st.header(f"{'Latency' if speed == 'latency' else 'Arithmetic'} against {words}")
        st.caption(
            "On the machine that made the study; other hardware differs."
            if speed == "latency"
            else "The same on any hardware; how much faster fewer are, is not."
        )
        _tradeoff(done, selected, speed, "latency_chart")
        if speed == "latency":
            latency_origin(study, done)


def _speed(done: list[Variant]) -> Cost:
    """What the second chart is about: measured time, or counted work."""
    counted = any(found.macs for variant in done if (found := measured(variant)))
    label = st.segmented_control(
        "Speed means",
        list(_SPEEDS) if counted else ["Latency"],
        default="Latency",
        required=True,
        key="speed_measure",
        help="Latency: the median time of one inference, measured here. Multiply-accumulates: the "
        "arithmetic of one inference, counted from the file; only removing channels makes it less.",
    )
    return _SPEEDS[label or "Latency"]


def _tradeoff(done: list[Variant], selected: Variant, cost: Cost, key: str) -> None:
    info = tradeoff_info(done, cost, selected.id)
    if not info.points:
        st.info("This was not measured for any variant.")
        return
    front = ", ".join(point.name for point in info.front)
    event: Any = st.plotly_chart(
        tradeoff_figure(info),
        config=CONFIG,
        key=f"{key}-{cost}-{selected.id}",
        on_select="rerun",
        selection_mode="points",
        alt=f"{COST_TITLES[cost]} against {metric_words(info.metric)} for {len(info.points)} "
        f"variants. On the Pareto front: {front}.",
    )
    if info.left_out:
        st.caption(
            f"{len(info.points):,} of {len(info.points) + info.left_out:,} variants are drawn: the "
            "front, and a part of the others; the table has all."
        )
    if info.not_measured:
        st.caption(f"Not measured, so not drawn: {_listed(info.not_measured)}.")
    points = event.selection.points if event else []
    if points and points[0].get("customdata"):
        picked = points[0]["customdata"]
        picked = picked[0] if isinstance(picked, list) else picked
        if picked != selected.id:
            _pick(picked, done)
            st.rerun()


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _bars(done: list[Variant], selected: Variant) -> None:
    st.header("One measure at a time")
    taken = measures(done, study_metric(done))
    known = {key: taken[key] for key in _BARS if key in taken}
    name = st.segmented_control(
        "Measure",
        list(known),
        format_func=lambda name: known[name].label,
        default=next(iter(known)),
        required=True,
        key="bar_measure",
        label_visibility="collapsed",
    )
    measure = known[name or next(iter(known))]
    info = bars_info(done, measure, selected.id)
    st.plotly_chart(
        bars_figure(info),
        config=CONFIG,
        key="bars",
        alt=f"{info.title} of {len(info.values)} variants, the best first",
    )
    if info.left_out:
        st.caption(f"The best are shown; the other {info.left_out} are in the table.")


draw()
