"""Weight clustering with tfmot. Runs in stage processes only.

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
from optimizer.errors import InputError, StageError
from optimizer.models.flat import load_flat, save_flat
from optimizer.stage import Files, Progress
from optimizer.techniques.eligible import KERNELS, clusterable
from optimizer.techniques.graph import clone
from optimizer.techniques.training import Objective, fit, make_deterministic

_INITIALIZATIONS = {
    "kmeans++": tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS,
    "linear": tfmot.clustering.keras.CentroidInitialization.LINEAR,
    "density": tfmot.clustering.keras.CentroidInitialization.DENSITY_BASED,
    "random": tfmot.clustering.keras.CentroidInitialization.RANDOM,
}


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Cluster a model's kernels while fine-tuning it.

    Args:
        params: ``cluster``, ``fine_tune``, ``layers`` and ``seed`` as in a recipe, ``task``, and
            ``preserve_sparsity`` (the model was pruned: zeros stay zeros).
        inputs: ``model`` with ``model.keras``, ``data`` with ``arrays.npz``.
        progress: told after each batch.

    Returns:
        ``model.keras`` (stripped of tfmot's wrappers) and ``training.json`` with the number of
        distinct values per clustered layer and the layers left out, with the reason.

    Raises:
        InputError: no layer of the model can be clustered, or a layer override names none.
        StageError: a layer kept more distinct values than asked for, or training diverged.
    """
    make_deterministic(params["seed"])
    model = load_flat(inputs["model"]["model.keras"])
    arrays = load_arrays(inputs["data"])
    counts, left_out = _cluster_counts(model, params)
    wrapped = _wrap(clone(model), counts, params)
    losses = fit(
        wrapped,
        Objective.of(model, arrays, params["task"]),
        params["fine_tune"],
        progress,
    )
    clustered = tfmot.clustering.keras.strip_clustering(wrapped)
    if params["preserve_sparsity"]:
        _restore_zeros(model, clustered, list(counts))
    distinct = {name: max(_distinct(clustered.get_layer(name))) for name in counts}
    _check(counts, distinct, params["preserve_sparsity"])
    training = {"loss": losses, "distinct": distinct, "left_out": left_out}
    return {"model.keras": save_flat(clustered), "training.json": json.dumps(training).encode()}


def _cluster_counts(model: Any, params: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, str]]:
    """Layer name → number of clusters, and layer name → why it cannot be clustered."""
    counts: dict[str, int] = {}
    left_out: dict[str, str] = {}
    eligible = [layer for layer in model.layers if clusterable(layer) is None]
    for layer in eligible:
        override = params["layers"].get(layer.name, {}).get("number_of_clusters")
        wanted = override or params["cluster"]["number_of_clusters"]
        available = min(_distinct(layer))
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

    return keras.models.clone_model(model, clone_function=wrap)


def _restore_zeros(pruned: Any, clustered: Any, names: list[str]) -> None:
    """Set to exact zero what pruning had set to zero: the last update may leave it off by a bit."""
    for name in names:
        source, layer = pruned.get_layer(name), clustered.get_layer(name)
        for attribute in KERNELS[type(layer)]:
            kernel = getattr(layer, attribute)
            kernel.assign(np.where(getattr(source, attribute).numpy() == 0, 0.0, kernel.numpy()))


def _distinct(layer: Any) -> list[int]:
    return [len(np.unique(getattr(layer, attribute).numpy())) for attribute in KERNELS[type(layer)]]


def _check(counts: Mapping[str, int], distinct: Mapping[str, int], preserve: bool) -> None:
    for name, wanted in counts.items():
        allowed = wanted + 1 if preserve else wanted
        if distinct[name] > allowed:
            raise StageError(
                f"Clustering did not keep its promise: layer {name!r} has {distinct[name]} "
                f"distinct weights where at most {allowed} were asked."
            )
