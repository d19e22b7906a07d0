"""How much each channel of a model matters. Runs in stage processes only."""

from __future__ import annotations

from typing import Any

import numpy as np
import tf_keras as keras

from optimizer.techniques.channel_graph import ChannelGraph
from optimizer.techniques.graph import is_shared, outbound_layers
from optimizer.techniques.kernels import kernels_in, kernels_of
from optimizer.techniques.training import Objective, taylor

layers = keras.layers


def channel_scores(
    criterion: str, model: Any, graph: ChannelGraph, objective: Objective, seed: int
) -> dict[int, float]:
    """The importance of every removable label, summed over the layers that carry it.

    ``magnitude``: the norm of the filter, as the BatchNormalization behind it scales it,
    relative to the mean of its layer (Li et al. 2017, arXiv:1608.08710). ``gradient``: how much
    the loss would change without the filter, to first order (Molchanov et al. 2019,
    arXiv:1906.10771). ``random``: a control.

    Args:
        criterion: one of these.
        model: a flat functional tf_keras model.
        graph: its channels.
        objective: what the gradient is of.
        seed: of the random scores.
    """
    members = graph.removable()
    if criterion == "random":
        random = np.random.default_rng(seed)
        return {root: float(random.random()) for root in members}
    names = graph.producers()
    by_layer = (
        _gradients(model, names, objective)
        if criterion == "gradient"
        else {name: _norms(model.get_layer(name)) for name in names}
    )
    return {
        root: float(sum(by_layer[name][channel] for name, channel in pairs if name in by_layer))
        for root, pairs in members.items()
    }


def _norms(layer: Any) -> np.ndarray:
    """Norm of each output channel's weights, relative to the layer's mean: shape (channels,)."""
    squares = sum((_per_channel(k.numpy() ** 2, layer) for k in kernels_of(layer)), start=0.0)
    norms = np.sqrt(np.asarray(squares)) * _scale_behind(layer)
    return norms / max(float(norms.mean()), 1e-12)


def _scale_behind(layer: Any) -> np.ndarray | float:
    """By what the BatchNormalization behind a linear layer multiplies each channel."""
    behind = outbound_layers(layer)
    if len(behind) != 1 or is_shared(layer) or type(behind[0]) is not layers.BatchNormalization:
        return 1.0
    norm = behind[0]
    gamma = np.abs(norm.gamma.numpy()) if norm.scale else 1.0
    return gamma / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)


def _gradients(model: Any, names: list[str], objective: Objective) -> dict[str, np.ndarray]:
    kernels = kernels_in(model, names)
    found: dict[str, np.ndarray] = {}
    for kernel, score in zip(kernels, taylor(model, objective)(kernels), strict=True):
        summed = _per_channel(score, model.get_layer(kernel.layer))
        found[kernel.layer] = found.get(kernel.layer, 0.0) + summed
    return found


def _per_channel(values: np.ndarray, layer: Any) -> np.ndarray:
    """Sum over everything but the output channels: shape (channels,)."""
    transposed = isinstance(
        layer, (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
    )
    moved = np.moveaxis(values, -2 if transposed else -1, 0)
    return moved.reshape(len(moved), -1).sum(axis=1)
