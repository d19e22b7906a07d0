"""Weight clustering. Runs in stage processes only.

tfmot's wrapper clusters whole kernels wherever it fits; single output channels and the layers
it cannot wrap have clusters of our own (:mod:`optimizer.techniques.centroids`).

Source: Han et al. 2016, "Deep Compression" (arXiv:1510.00149), and
https://www.tensorflow.org/model_optimization/guide/clustering.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras as keras
from tensorflow_model_optimization.python.core.clustering.keras.experimental import (
    cluster as preserving,
)

from optimizer.data.arrays import load_arrays
from optimizer.errors import InputError
from optimizer.models.flat import load_flat, save_flat
from optimizer.stage import Files, Progress
from optimizer.techniques.centroids import cluster_kernel, shared_values
from optimizer.techniques.eligible import clusterable, wrappable
from optimizer.techniques.folding import fold_into_next
from optimizer.techniques.graph import clone
from optimizer.techniques.held import Projection, held
from optimizer.techniques.kernels import Kernel, kernels_in, kernels_of
from optimizer.techniques.promises import Promises, read_promises, write_promises
from optimizer.techniques.training import Objective, fit, make_deterministic

_INITIALIZATIONS = {
    "kmeans++": tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS,
    "linear": tfmot.clustering.keras.CentroidInitialization.LINEAR,
    "density": tfmot.clustering.keras.CentroidInitialization.DENSITY_BASED,
    "random": tfmot.clustering.keras.CentroidInitialization.RANDOM,
}
_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv2DTranspose,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)
"""Layers that have clusters of each output channel where the recipe asks for them."""


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Cluster a model's kernels while fine-tuning it.

    Args:
        params: ``cluster``, ``fine_tune``, ``layers`` and ``seed`` as in a recipe, ``task``, and
            ``preserve_sparsity`` (the model was pruned: zeros stay zeros).
        inputs: ``model`` with ``model.keras``, ``data`` with ``arrays.npz``.
        progress: told after each batch.

    Returns:
        ``model.keras`` (stripped of tfmot's wrappers), ``promises.json``, and ``training.json``
        with the number of distinct values per clustered layer and the layers left out, with
        the reason.

    Raises:
        InputError: no layer of the model can be clustered, or a layer override names none.
        StageError: training diverged.
    """
    make_deterministic(params["seed"])
    model = fold_into_next(load_flat(inputs["model"]["model.keras"]))
    objective = Objective.of(model, load_arrays(inputs["data"]), params["task"], params.get("loss"))
    counts, left_out = _cluster_counts(model, params)
    copy = clone(model)
    by_tfmot = {
        name: count
        for name, count in counts.items()
        if wrappable(copy.get_layer(name)) and not by_channel(copy.get_layer(name), params)
    }
    student = _wrap(copy, by_tfmot, params)
    # Layers with too few distinct weights to cluster must not train their zeros away either.
    kept = left_out if params["preserve_sparsity"] else {}
    own = {name: _wanted(name, params) for name in (*counts, *kept) if name not in by_tfmot}
    losses = fit(
        held(student, own_clusters(copy, own, params)),
        objective,
        params["fine_tune"],
        progress,
    )
    clustered = tfmot.clustering.keras.strip_clustering(student) if by_tfmot else student
    if params["preserve_sparsity"]:
        restore_zeros_of(model, clustered, list(by_tfmot))
    distinct = {name: max(distinct_values(clustered.get_layer(name), params)) for name in counts}
    training = {"loss": losses, "distinct": distinct, "left_out": left_out}
    earlier = read_promises(inputs["model"])
    return {
        "model.keras": save_flat(clustered),
        "promises.json": write_promises(earlier, _promises(counts)),
        "training.json": json.dumps(training).encode(),
    }


def _cluster_counts(model: Any, params: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, str]]:
    """Layer name → number of clusters, and layer name → why it cannot be clustered."""
    counts: dict[str, int] = {}
    left_out: dict[str, str] = {}
    eligible = [layer for layer in model.layers if clusterable(layer) is None]
    for layer in eligible:
        wanted = _wanted(layer.name, params)
        available = max(distinct_values(layer, params))
        if available > wanted:
            counts[layer.name] = wanted
        else:
            left_out[layer.name] = f"it has only {available} distinct weights already"
    unknown = [
        name
        for name, override in params["layers"].items()
        if override["number_of_clusters"] is not None
        and name not in {layer.name for layer in eligible}
    ]
    if unknown:
        raise InputError(
            f"The recipe overrides the cluster count of {unknown[0]!r}, which is not a layer that "
            f"can be clustered. Those are: {', '.join(layer.name for layer in eligible)}."
        )
    if not counts:
        raise InputError(
            "No layer of this model can be clustered; the model page says why for each."
            + "".join(f" {name}: {reason}." for name, reason in left_out.items())
        )
    return counts, left_out


def _wanted(name: str, params: Mapping[str, Any]) -> int:
    """The number of clusters that the recipe asks for in a layer."""
    override = params["layers"].get(name, {}).get("number_of_clusters")
    return int(override or params["cluster"]["number_of_clusters"])


def _wrap(model: Any, counts: Mapping[str, int], params: Mapping[str, Any]) -> Any:
    initialization = _INITIALIZATIONS[params["cluster"]["cluster_centroids_init"]]

    def wrap(layer: Any) -> Any:
        if layer.name not in counts:
            return layer
        if params["preserve_sparsity"]:
            return preserving.cluster_weights(
                layer, counts[layer.name], initialization, preserve_sparsity=True
            )
        return tfmot.clustering.keras.cluster_weights(layer, counts[layer.name], initialization)

    return keras.models.clone_model(model, clone_function=wrap) if counts else model


def own_clusters(
    model: Any, counts: Mapping[str, int], params: Mapping[str, Any]
) -> list[Projection]:
    """Cluster kernels in place, and what keeps them so while training."""
    random = np.random.default_rng(params["seed"])
    keep_zeros = params["preserve_sparsity"]
    projections: list[Projection] = []
    for kernel in kernels_in(model, counts):
        axis = _channel_axis(kernel, model.get_layer(kernel.layer), params)
        values = cluster_kernel(
            kernel.numpy(),
            counts[kernel.layer],
            params["cluster"]["cluster_centroids_init"],
            random,
            channel_axis=axis,
            keep_zeros=keep_zeros,
        )
        kernel.variable.assign(values)
        pattern = shared_values(values, channel_axis=axis, keep_zeros=keep_zeros)
        projections.append((kernel.variable, pattern.apply))
    return projections


def by_channel(layer: Any, params: Mapping[str, Any]) -> bool:
    """Whether each output channel of a layer gets centroids of its own."""
    return params["cluster"]["per_channel"] and isinstance(layer, _CONVOLUTIONS)


def _channel_axis(kernel: Kernel, layer: Any, params: Mapping[str, Any]) -> int | None:
    if not by_channel(layer, params) or kernel.axes is None:
        return None
    return kernel.axes[1]


def restore_zeros_of(pruned: Any, clustered: Any, names: list[str]) -> None:
    """Set to exact zero the centroid of pruned weights, which the last update may leave off."""
    for kernel in kernels_in(clustered, names):
        values = kernel.numpy()
        of_zeros = np.unique(values[kernel.same_in(pruned).numpy() == 0])
        kernel.variable.assign(np.where(np.isin(values, of_zeros), 0.0, values))


def distinct_values(layer: Any, params: Mapping[str, Any]) -> list[int]:
    """Distinct values of each kernel: in its richest output channel where clusters are such."""
    found = []
    for kernel in kernels_of(layer):
        axis = _channel_axis(kernel, layer, params)
        values = kernel.numpy()
        rows = values.reshape(1, -1) if axis is None else np.moveaxis(values, axis, 0)
        found.append(max(len(np.unique(row)) for row in rows))
    return found


def _promises(counts: Mapping[str, int]) -> Promises:
    return {name: {"distinct": count} for name, count in counts.items()}
