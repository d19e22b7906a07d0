"""The recipe as widgets: reads and writes a recipe; refuses what cannot be, in words."""

from __future__ import annotations

from typing import Any

import streamlit as st

from optimizer.charts.style import CONFIG
from optimizer.charts.weights import schedule_figure
from optimizer.recipe import Recipe

_SCHEDULES = {"none": "None", "constant": "Constant", "polynomial": "Polynomial"}
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
_KEEP: Any = "session"


def load_recipe(recipe: Recipe) -> None:
    """Set the widgets to a recipe; call before they are drawn."""
    state = st.session_state
    schedule = recipe.prune.schedule if recipe.prune else None
    state["opt_schedule"] = schedule.kind if schedule else "none"
    if schedule is not None:
        state["opt_final"] = round(100 * schedule.final)
        if schedule.kind == "polynomial":
            state["opt_initial"] = round(100 * schedule.initial_sparsity)
            state["opt_power"] = float(schedule.power)
            state["opt_window"] = (round(100 * schedule.begin), round(100 * schedule.end))
        elif schedule.kind == "constant":
            state["opt_begin"] = round(100 * schedule.begin)
    state["opt_clustered"] = recipe.cluster is not None
    if recipe.cluster:
        state["opt_clusters"] = recipe.cluster.number_of_clusters
        state["opt_init"] = recipe.cluster.cluster_centroids_init
    state["opt_mode"] = recipe.quantize.mode
    state["opt_aware"] = recipe.quantize.aware
    state["opt_io"] = recipe.quantize.io
    state["opt_samples"] = recipe.quantize.calibration_samples
    state["opt_epochs"] = recipe.fine_tune.epochs
    state["opt_batch"] = recipe.fine_tune.batch_size
    state["opt_rate"] = recipe.fine_tune.learning_rate
    state["opt_seed"] = recipe.seed
    state["opt_layers"] = {
        name: override.model_dump(mode="json") for name, override in recipe.layers.items()
    }


def recipe_form() -> dict[str, Any]:
    """Draw the widgets; returns the recipe they say, as plain data, not validated yet."""
    if "opt_mode" not in st.session_state:
        load_recipe(Recipe.parse({"quantize": {"mode": "int8"}}))
    recipe: dict[str, Any] = {}
    with st.container(border=True):
        st.markdown("#### :material/content_cut: Prune")
        recipe["prune"] = _prune()
    with st.container(border=True):
        st.markdown("#### :material/bubble_chart: Cluster")
        recipe["cluster"] = _cluster()
    with st.container(border=True):
        st.markdown("#### :material/grid_4x4: Quantize")
        recipe["quantize"] = _quantize()
    trains = recipe["prune"] or recipe["cluster"] or recipe["quantize"].get("aware")
    with st.container(border=True):
        st.markdown("#### :material/school: Fine-tune")
        recipe["fine_tune"] = _fine_tune(bool(trains))
        recipe["seed"] = int(
            st.number_input(
                "Seed",
                0,
                2**31 - 1,
                key="opt_seed",
                persist_state=_KEEP,
                help="Decides shuffling, centroid initialization and the calibration samples. The "
                "same recipe and seed give the same file on the same machine.",
            )
        )
    recipe["layers"] = _overrides(recipe)
    return recipe


def _prune() -> dict[str, Any] | None:
    kind = st.segmented_control(
        "Sparsity schedule",
        list(_SCHEDULES),
        format_func=_SCHEDULES.__getitem__,
        required=True,
        key="opt_schedule",
        persist_state=_KEEP,
        help="Magnitude pruning sets the smallest weights to zero while the model is fine-tuned. "
        "Constant: all at once. Polynomial: little by little, which costs less accuracy. "
        "A pruned file is smaller once it is compressed.",
    )
    if kind == "none":
        st.caption("No weights are removed.")
        return None
    st.session_state.setdefault("opt_final", 80)
    final = st.slider(
        "Final sparsity (%)",
        5,
        98,
        key="opt_final",
        persist_state=_KEEP,
        help="Share of the weights that become zero. 50 to 80 % is usual; more costs accuracy.",
    )
    if kind == "constant":
        st.session_state.setdefault("opt_begin", 0)
        begin = st.slider(
            "Begin (% of fine-tuning)",
            0,
            95,
            step=5,
            key="opt_begin",
            persist_state=_KEEP,
            help="When the weights are removed. Earlier leaves more steps to recover.",
        )
        schedule = {"kind": "constant", "target_sparsity": final / 100, "begin": begin / 100}
    else:
        schedule = _polynomial(final)
    _curve(schedule)
    return {"schedule": schedule}


def _polynomial(final: int) -> dict[str, Any]:
    st.session_state.setdefault("opt_initial", 0)
    st.session_state.setdefault("opt_window", (0, 75))
    st.session_state.setdefault("opt_power", 3.0)
    left, right = st.columns(2)
    initial = left.slider(
        "Initial sparsity (%)",
        0,
        95,
        step=5,
        key="opt_initial",
        persist_state=_KEEP,
        help="Where the schedule starts. 0 is gentle; 50 leaves more time at high sparsity.",
    )
    power = right.slider(
        "Power",
        1.0,
        5.0,
        step=0.5,
        key="opt_power",
        persist_state=_KEEP,
        help="1 rises in a line; 3, the usual choice, removes much early and little late.",
    )
    window: Any = st.slider(
        "Begin and end (% of fine-tuning)",
        0,
        100,
        step=5,
        key="opt_window",
        persist_state=_KEEP,
        help="Between these the sparsity rises; the rest of the training lets the model recover.",
    )
    begin, end = window
    return {
        "kind": "polynomial",
        "initial_sparsity": initial / 100,
        "final_sparsity": final / 100,
        "power": power,
        "begin": begin / 100,
        "end": end / 100,
    }


def _curve(schedule: dict[str, Any]) -> None:
    try:
        recipe = Recipe.parse({"prune": {"schedule": schedule}})
    except ValueError:
        st.caption("The curve appears when begin is below end, and initial below final.")
        return
    assert recipe.prune is not None
    st.plotly_chart(
        schedule_figure(recipe.prune.schedule, st.session_state.get("opt_epochs", 3)),
        config={**CONFIG, "displayModeBar": False},
        key="schedule_curve",
        alt="Sparsity over the course of fine-tuning",
    )


def _cluster() -> dict[str, Any] | None:
    if not st.toggle(
        "Cluster the weights",
        key="opt_clustered",
        persist_state=_KEEP,
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
        persist_state=_KEEP,
        help="Distinct values per layer. 16 to 64 is usual; fewer compress better and cost "
        "accuracy. After pruning at least 3.",
    )
    init = right.selectbox(
        "Centroid initialization",
        list(_INITIALIZATIONS),
        format_func=_INITIALIZATIONS.__getitem__,
        key="opt_init",
        persist_state=_KEEP,
        help="Where the centroids start. k-means++ is a sound default; linear keeps extreme "
        "weights well; density-based follows where most weights are.",
    )
    return {"number_of_clusters": int(count), "cluster_centroids_init": init}


def _quantize() -> dict[str, Any]:
    mode: Any = st.segmented_control(
        "Quantization mode",
        list(_MODES),
        format_func=_MODES.__getitem__,
        required=True,
        key="opt_mode",
        persist_state=_KEEP,
        help="How numbers are stored and computed in the file. Seconds, except with "
        "quantization-aware training.",
    )
    st.caption(_MODE_TEXT[mode])
    quantize: dict[str, Any] = {"mode": mode}
    aware = st.toggle(
        "Quantization-aware training",
        key="opt_aware",
        persist_state=_KEEP,
        help="Fine-tunes the model while imitating int8, which usually wins accuracy back. Keeps "
        "zeros and clusters from the steps before it. Needs int8.",
    )
    if aware:
        quantize["aware"] = True
    if mode == "int8":
        quantize["io"] = st.selectbox(
            "Inputs and outputs",
            ["float32", "int8", "uint8"],
            key="opt_io",
            persist_state=_KEEP,
            help="float32 drops into existing code. Microcontrollers want int8.",
        )
    if mode in ("int8", "int16x8") and not aware:
        quantize["calibration_samples"] = int(
            st.number_input(
                "Representative samples",
                1,
                10_000,
                key="opt_samples",
                persist_state=_KEEP,
                help="Training samples, drawn at random, that show the converter each tensor's "
                "range. 100 to 500 is usual.",
            )
        )
    return quantize


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
                persist_state=_KEEP,
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
                persist_state=_KEEP,
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
                persist_state=_KEEP,
                help="Step size of Adam. 0.0001 to 0.001 is usual for fine-tuning.",
            )
        ),
    }


def _overrides(recipe: dict[str, Any]) -> dict[str, Any]:
    """Per-layer overrides that came with a recipe file; those that no longer apply are dropped."""
    kept: dict[str, Any] = {}
    for name, override in st.session_state.get("opt_layers", {}).items():
        values = {
            field: value
            for field, value in override.items()
            if value is not None
            and recipe["prune" if field == "final_sparsity" else "cluster"] is not None
        }
        if values:
            kept[name] = values
    if kept:
        st.caption(f"Per-layer overrides from the recipe file apply to: {', '.join(kept)}.")
        if st.button("Drop the overrides", key="opt_drop_layers"):
            st.session_state["opt_layers"] = {}
            st.rerun()
    return kept
