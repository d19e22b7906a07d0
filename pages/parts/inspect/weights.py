"""One layer's weights before and after, and where its zeros are."""

from __future__ import annotations

import streamlit as st

from optimizer.charts.kernels import map_figure
from optimizer.charts.weights import Strip, histogram_figure, histogram_table
from optimizer.errors import FeatherweightError
from optimizer.inspection.kernels import SparsityMap, WeightView, sparsity_map, weight_view
from optimizer.measure.tflite_file import TfliteFile
from optimizer.measure.weights import Weight
from optimizer.store.records import Study, Variant
from pages.parts import context
from pages.parts.chart import draw_chart
from pages.parts.text import plain
from pages.parts.variant_picker import known_layers

_ALL = "All channels"


def draw_weights(study: Study, variant: Variant, baseline: Variant) -> None:
    """Draw the section."""
    names = known_layers(study)
    key, reference = variant.stages["convert"], baseline.stages["convert"]
    try:
        labels = _labels(key, names)
        if not labels:
            st.info("This file has no kernels: no convolution, dense or recurrent layer.")
            return
        chosen, channel = _choice(key, names, labels)
        view = _view(reference, key, names, chosen, channel)
        found = _map(key, names, chosen)
    except FeatherweightError as error:
        st.error(plain(str(error)))
        return
    compared = chosen in _labels(reference, names)
    _figures(view, compared=compared)
    _histogram(variant, chosen, view, channel, compared=compared)
    _sparsity(chosen, found)


def _choice(key: str, names: tuple[str, ...], labels: list[str]) -> tuple[str, int | None]:
    """The layer, and the channel where each has a scale of its own."""
    left, right = st.columns(2)
    label = left.selectbox(
        "Layer",
        labels,
        key="inspect_layer",
        help="Weight tensors in the order of the operators that use them. The baseline’s of the "
        "same layer is drawn beside it.",
    )
    channels = _channels(key, names, label)
    if not channels:
        return label, None
    picked = right.selectbox(
        "Output channel",
        [_ALL, *range(channels)],
        key=f"inspect_channel_{label}",
        help="This tensor is quantized per channel: each output channel has a scale, and so an "
        "integer grid, of its own. Choose one to see it.",
    )
    return label, None if picked == _ALL else int(picked)


def _figures(view: WeightView, *, compared: bool) -> None:
    histogram = view.histogram
    before = histogram.before_zeros + sum(histogram.before)
    after = histogram.after_zeros + sum(histogram.after)
    columns = st.columns(4)
    columns[0].metric("Weights", f"{after:,}", border=True, help="In what is drawn below.")
    columns[1].metric(
        "Exact zeros",
        f"{100 * histogram.after_zeros / max(1, after):.1f} %",
        f"{100 * histogram.before_zeros / before:.1f} % in the baseline" if compared else None,
        delta_color="off",
        delta_arrow="off",
        border=True,
        help=f"{histogram.after_zeros:,} of {after:,}. Not in the histogram: they would hide all "
        "other bars.",
    )
    columns[2].metric(
        "Distinct values",
        f"{view.distinct:,}",
        border=True,
        help="Different real values, zero included. Clustering leaves as many as it has clusters.",
    )
    columns[3].metric(
        "Step of the grid",
        _step(view),
        border=True,
        help="Distance between two neighbouring values that the stored integers can stand for; "
        "where each channel has its own, the largest.",
    )


def _step(view: WeightView) -> str:
    if view.scales is None:
        return "none: float"
    low, high = view.scales
    return f"{low:.3g}" if low == high else f"up to {high:.2g}"


def _histogram(
    variant: Variant, label: str, view: WeightView, channel: int | None, *, compared: bool
) -> None:
    st.header("Weights before and after")
    cluster = variant.recipe.cluster
    # A BatchNormalization folded into the layer stretches each channel's centroids by its own
    # factor: what the whole layer has then are values, not centroids.
    are_centroids = cluster is not None and len(view.values) <= cluster.number_of_clusters
    strips = [
        Strip("Centroids" if are_centroids else "Values that occur", view.values),
        Strip("Integer grid", view.grid),
    ]
    shown = [strip for strip in strips if strip.values]
    draw_chart(
        histogram_figure(view.histogram, shown),
        "weights",
        f"Histogram of the weights of {label} in the baseline and in this variant",
        histogram_table(view.histogram),
    )
    notes = ["Both files are counted in the same bins; exact zeros are left out."]
    if not compared:
        notes.append(
            "The baseline’s file has no weights of this name, so only this variant’s are drawn."
        )
    if not view.values:
        notes.append(f"{view.distinct:,} distinct values are too many to be marked one by one.")
    if view.channels and channel is None:
        notes.append(
            f"Each of the {view.channels} output channels has a grid of its own: choose one above "
            "to see it."
        )
    st.caption(" ".join(notes))


def _sparsity(label: str, found: SparsityMap) -> None:
    st.header("Where the zeros are")
    draw_chart(
        map_figure(found),
        "sparsity_map",
        f"Map of the kernel of {label}: output channels by the weights of each",
    )
    rows, columns = found.block
    if found.block == (1, 1):
        text = (
            f"All {found.rows} × {found.columns} weights, one cell each; grey is exactly zero. "
            "Blocks, n:m patterns and emptied channels show as stripes."
        )
    else:
        text = (
            f"The kernel has {found.rows:,} × {found.columns:,} weights, too many to draw one by "
            f"one: each cell is a block of {rows} × {columns} and shows how many of them are not "
            "zero. Patterns finer than a block do not show here."
        )
    if found.empty_rows:
        text += f" {found.empty_rows} of {found.rows} output channels are all zeros."
    st.caption(text)


@st.cache_data(max_entries=64, show_spinner="Reading the file")
def _labels(key: str, names: tuple[str, ...]) -> list[str]:
    return [weight.label for weight in _read(key, names)]


@st.cache_data(max_entries=64, show_spinner="Reading the file")
def _channels(key: str, names: tuple[str, ...], label: str) -> int:
    """Channels with a scale of their own; 0 when there is one scale or none."""
    weight = _one(key, names, label)
    return len(weight.quantization.scale) if weight.per_channel and weight.quantization else 0


@st.cache_data(max_entries=256, show_spinner="Reading the weights")
def _view(
    before: str, after: str, names: tuple[str, ...], label: str, channel: int | None
) -> WeightView:
    first = next((weight for weight in _read(before, names) if weight.label == label), None)
    return weight_view(first, _one(after, names, label), channel)


@st.cache_data(max_entries=64, show_spinner="Reading the weights")
def _map(key: str, names: tuple[str, ...], label: str) -> SparsityMap:
    return sparsity_map(_one(key, names, label))


def _one(key: str, names: tuple[str, ...], label: str) -> Weight:
    return next(weight for weight in _read(key, names) if weight.label == label)


def _read(key: str, names: tuple[str, ...]) -> tuple[Weight, ...]:
    return TfliteFile.read(context.store().artifacts.read(key, "model.tflite"), names).weights
