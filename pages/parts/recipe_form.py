"""The recipe as widgets: reads and writes a recipe; refuses what cannot be, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from optimizer.recipe import Recipe
from pages.parts.layers_form import layers_form, load_layers
from pages.parts.prune_form import load_prune, prune_form
from pages.parts.schedule_form import KEEP
from pages.parts.terms import draw_terms

_MODES = {
    "none": "None (float32)",
    "float16": "float16",
    "dynamic": "Dynamic range",
    "int8": "int8",
    "int16x8": "int16×8",
}
_MODE_TEXT = {
    "none": "Weights and activations stay in float32.",
    "float16": "Weights in half precision: half the size, hardly any loss; fast on phone GPUs.",
    "dynamic": "Weights of large layers in int8, activations in float: a quarter of the size, no "
    "data needed. Tensors of fewer than 1024 weights stay in float32.",
    "int8": "Weights and activations in int8: a quarter of the size, integer hardware can run it. "
    "Ranges come from training samples.",
    "int16x8": "Weights in int8, activations in int16: more exact than int8, slower on most CPUs.",
}
_INITIALIZATIONS = {
    "kmeans++": "k-means++",
    "linear": "Linear",
    "density": "Density-based",
    "random": "Random",
}
_GRANULARITIES = {"per_channel": "Per channel", "per_tensor": "Per tensor"}


def load_recipe(recipe: Recipe) -> None:
    """Set the widgets to a recipe; call before they are drawn."""
    state = st.session_state
    load_prune(recipe.prune)
    state["opt_clustered"] = recipe.cluster is not None
    if recipe.cluster:
        state["opt_clusters"] = recipe.cluster.number_of_clusters
        state["opt_init"] = recipe.cluster.cluster_centroids_init
        state["opt_per_channel"] = recipe.cluster.per_channel
    state["opt_mode"] = recipe.quantize.mode
    state["opt_aware"] = recipe.quantize.aware
    state["opt_io"] = recipe.quantize.io
    state["opt_granularity"] = recipe.quantize.granularity
    state["opt_sparse"] = recipe.sparse_encoding
    state["opt_samples"] = recipe.quantize.calibration_samples
    state["opt_epochs"] = recipe.fine_tune.epochs
    state["opt_batch"] = recipe.fine_tune.batch_size
    state["opt_rate"] = recipe.fine_tune.learning_rate
    state["opt_seed"] = recipe.seed
    load_layers({n: o.model_dump(mode="json") for n, o in recipe.layers.items()})


def recipe_form(model_facts: Mapping[str, Any], *, base: bool = False) -> dict[str, Any]:
    """Draw the widgets; returns the recipe they say, as plain data, not validated yet.

    Args:
        model_facts: the model's layers, which can have settings of their own.
        base: whether other recipes are made from this one, which may train when it does not.
    """
    if "opt_mode" not in st.session_state:
        load_recipe(Recipe.parse({"quantize": {"mode": "int8"}}))
    recipe: dict[str, Any] = {}
    with st.container(border=True):
        st.markdown("## :material/content_cut: Prune")
        draw_terms("sparsity schedule", "magnitude pruning")
        recipe["prune"] = prune_form()
    with st.container(border=True):
        st.markdown("## :material/bubble_chart: Cluster")
        draw_terms("weight clustering", "centroid")
        recipe["cluster"] = _cluster()
    with st.container(border=True):
        st.markdown("## :material/grid_4x4: Quantize")
        draw_terms("quantization", "calibration", "sparse encoding")
        recipe["quantize"] = _quantize()
        recipe["sparse_encoding"] = _sparse_encoding(recipe)
    trains = recipe["prune"] or recipe["cluster"] or recipe["quantize"].get("aware")
    with st.container(border=True):
        st.markdown("## :material/school: Fine-tune")
        recipe["fine_tune"] = _fine_tune(base or bool(trains))
        recipe["seed"] = int(
            st.number_input(
                "Seed",
                0,
                2**31 - 1,
                key="opt_seed",
                persist_state=KEEP,
                help="Decides shuffling, centroid initialization and the calibration samples. The "
                "same recipe and seed give the same file on the same machine.",
            )
        )
    recipe["layers"] = layers_form(recipe, model_facts)
    return recipe


def _cluster() -> dict[str, Any] | None:
    if not st.toggle(
        "Cluster the weights",
        key="opt_clustered",
        persist_state=KEEP,
        help="Weights of a layer share a few values (centroids), so the file compresses well. It "
        "does not make the model faster. After pruning, zeros are preserved.",
    ):
        st.caption("Weights keep their own values.")
        return None
    st.session_state.setdefault("opt_clusters", 16)
    left, right = st.columns(2)
    count = left.number_input(
        "Number of clusters",
        2,
        1024,
        key="opt_clusters",
        persist_state=KEEP,
        help="Distinct values per layer. 16 to 64 is usual; fewer compress better and cost "
        "accuracy. After pruning at least 3.",
    )
    init = right.selectbox(
        "Centroid initialization",
        list(_INITIALIZATIONS),
        format_func=_INITIALIZATIONS.__getitem__,
        key="opt_init",
        persist_state=KEEP,
        help="Where the centroids start. k-means++ is a sound default; linear keeps extreme "
        "weights well; density-based follows where most weights are.",
    )
    per_channel = st.toggle(
        "Clusters of its own for each output channel",
        key="opt_per_channel",
        persist_state=KEEP,
        help="Each output channel of a convolution gets centroids of its own: more exact for the "
        "same count, and a better fit for int8, which scales each channel by itself.",
    )
    return {
        "number_of_clusters": int(count),
        "cluster_centroids_init": init,
        "per_channel": per_channel,
    }


def _quantize() -> dict[str, Any]:
    mode: Any = st.segmented_control(
        "Quantization mode",
        list(_MODES),
        format_func=_MODES.__getitem__,
        required=True,
        key="opt_mode",
        persist_state=KEEP,
        help="How numbers are stored and computed in the file. Seconds, except with "
        "quantization-aware training.",
    )
    st.caption(_MODE_TEXT[mode])
    quantize: dict[str, Any] = {"mode": mode}
    if mode != "int8":
        st.session_state["opt_aware"] = False
    aware = st.toggle(
        "Quantization-aware training",
        key="opt_aware",
        persist_state=KEEP,
        disabled=mode != "int8",
        help="Fine-tunes the model while imitating int8, which usually wins accuracy back. Keeps "
        "zeros and clusters from the steps before it. Prepares for int8, so it needs that mode.",
    )
    if aware:
        quantize["aware"] = True
    if mode == "int8":
        quantize["io"] = st.selectbox(
            "Inputs and outputs",
            ["float32", "int8", "uint8"],
            key="opt_io",
            persist_state=KEEP,
            help="What goes into the model and comes out of it. float32 drops into existing code; "
            "microcontrollers want int8, and a camera gives uint8.",
        )
        quantize["granularity"] = st.selectbox(
            "Scales",
            list(_GRANULARITIES),
            format_func=_GRANULARITIES.__getitem__,
            key="opt_granularity",
            persist_state=KEEP,
            help="How finely the step between two int8 values is chosen. Per channel is more "
            "exact. Per tensor is for runtimes and chips that know one scale per tensor only.",
        )
    if mode in ("int8", "int16x8") and not aware:
        quantize["calibration_samples"] = int(
            st.number_input(
                "Representative samples",
                1,
                10_000,
                key="opt_samples",
                persist_state=KEEP,
                help="Training samples, drawn at random, that show the converter each tensor's "
                "range. 100 to 500 is usual.",
            )
        )
    return quantize


def _sparse_encoding(recipe: dict[str, Any]) -> bool:
    """Possible where the recipe leaves zeros and the runtime can execute it."""
    prune = recipe["prune"]
    zeros = prune is not None and prune["structure"]["kind"] != "channels"
    floats = recipe["quantize"]["mode"] in ("none", "float16")
    if not (zeros and floats):
        st.session_state["opt_sparse"] = False
    return st.toggle(
        "Leave the zeros out of the file",
        key="opt_sparse",
        persist_state=KEEP,
        disabled=not (zeros and floats),
        help="TFLite's sparse encoding: pruned weights are stored without their zeros, so that "
        "the file itself is smaller, not only its compressed form. Whether it is slower is "
        "measured. Needs pruning that leaves zeros, and weights in float32 or float16.",
    )


def _fine_tune(trains: bool) -> dict[str, Any]:
    if not trains:
        st.caption(
            "Nothing in this recipe trains. Pruning, clustering and QAT fine-tune the model."
        )
        return {}
    epochs, batch, rate = st.columns(3)
    return {
        "epochs": int(
            epochs.number_input(
                "Epochs",
                1,
                1000,
                key="opt_epochs",
                persist_state=KEEP,
                help="Passes over the training data in each of pruning, clustering and QAT. More "
                "wins accuracy back and takes longer in proportion.",
            )
        ),
        "batch_size": int(
            batch.number_input(
                "Batch size",
                1,
                65_536,
                key="opt_batch",
                persist_state=KEEP,
                help="Samples per step. 32 to 256 is usual; smaller means more steps.",
            )
        ),
        "learning_rate": float(
            rate.number_input(
                "Learning rate",
                min_value=1e-7,
                max_value=10.0,
                step=1e-4,
                format="%.5f",
                key="opt_rate",
                persist_state=KEEP,
                help="Step size of Adam. 0.0001 to 0.001 is usual for fine-tuning.",
            )
        ),
    }
