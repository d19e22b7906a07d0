"""Weight clustering."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras as keras
from tensorflow_model_optimization.python.core.clustering.keras.experimental import (
    cluster as preserving,
)

from optimizer.takeaway.steps.data import Objective
from optimizer.takeaway.steps.training import train
from optimizer.takeaway.steps.values import CENTROIDS, CLUSTERING, CLUSTERS
from optimizer.techniques.clustering import (
    by_channel,
    distinct_values,
    own_clusters,
    restore_zeros_of,
)
from optimizer.techniques.eligible import wrappable
from optimizer.techniques.graph import clone
from optimizer.techniques.held import held
from optimizer.techniques.kernels import kernels_of


def in_clustering_wrappers(model: Any, counts: Mapping[str, int]) -> Any:
    """The model with tfmot's wrapper, which shares centroids, around some layers."""

    def wrap(layer: Any) -> Any:
        if layer.name not in counts:
            return layer
        return tfmot.clustering.keras.cluster_weights(layer, counts[layer.name], CENTROIDS)

    return keras.models.clone_model(model, clone_function=wrap)


def in_preserving_wrappers(model: Any, counts: Mapping[str, int]) -> Any:
    """The model with tfmot's clustering wrapper, in the form that keeps one centroid at zero."""

    def wrap(layer: Any) -> Any:
        if layer.name not in counts:
            return layer
        return preserving.cluster_weights(
            layer, counts[layer.name], CENTROIDS, preserve_sparsity=True
        )

    return keras.models.clone_model(model, clone_function=wrap)


def distinct_weights(layer: Any) -> int:
    """The most distinct values in a kernel of a layer."""
    return max(len(np.unique(kernel.numpy())) for kernel in kernels_of(layer))


def cluster(model: Any, objective: Objective, in_wrappers: Callable[..., Any]) -> Any:
    """Give each layer's weights a few shared values, which fine-tuning then moves."""
    counts = {
        name: count
        for name, count in CLUSTERS.items()
        if distinct_weights(model.get_layer(name)) > count  # fewer: nothing to do
    }
    wrapped = in_wrappers(clone(model), counts)
    train(wrapped, objective)
    return clone(tfmot.clustering.keras.strip_clustering(wrapped))


def cluster_everywhere(model: Any, objective: Objective, in_wrappers: Callable[..., Any]) -> Any:
    """Cluster with tfmot's wrapper where it fits, and with clusters of our own elsewhere."""
    counts = {
        name: count
        for name, count in CLUSTERS.items()
        if max(distinct_values(model.get_layer(name), CLUSTERING)) > count  # fewer: nothing to do
    }
    copy = clone(model)
    fitting = {
        name: count
        for name, count in counts.items()
        if wrappable(copy.get_layer(name)) and not by_channel(copy.get_layer(name), CLUSTERING)
    }
    student = in_wrappers(copy, fitting) if fitting else copy
    # Layers with too few distinct weights to cluster must not train their zeros away either.
    concerned = CLUSTERS if CLUSTERING["preserve_sparsity"] else counts
    others = {name: count for name, count in concerned.items() if name not in fitting}
    train(held(student, own_clusters(copy, others, CLUSTERING)), objective)
    clustered = tfmot.clustering.keras.strip_clustering(student) if fitting else student
    if CLUSTERING["preserve_sparsity"]:
        restore_zeros_of(model, clustered, list(fitting))
    return clone(clustered)
