"""A model without some of its channels. Runs in stage processes only."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from optimizer.techniques.channel_graph import DEPTHWISE, PRODUCERS, RECURRENT, ChannelGraph
from optimizer.techniques.graph import rebuild

layers = keras.layers

_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)


def narrow(model: Any, graph: ChannelGraph, removed: Collection[int]) -> Any:
    """The model without the channels of some labels, all other weights as they are.

    Args:
        model: a flat functional tf_keras model.
        graph: its channels.
        removed: root labels; at least one channel of every layer must stay.
    """
    gone = np.array(sorted(removed), np.int64)
    kept = {name: ~np.isin(graph.roots(labels), gone) for name, labels in graph.outputs.items()}
    fed = {name: ~np.isin(graph.roots(labels), gone) for name, labels in graph.inputs.items()}
    replaced: dict[str, Any] = {}
    weights: dict[str, list[np.ndarray]] = {}
    for layer in model.layers:
        if layer.name not in kept or (kept[layer.name].all() and fed[layer.name].all()):
            continue
        replaced[layer.name] = _smaller(layer, kept[layer.name])
        weights[layer.name] = _sliced(layer, fed[layer.name], kept[layer.name])
    narrowed = rebuild(model, (), replaced)
    for name, values in weights.items():
        narrowed.get_layer(name).set_weights(values)
    return narrowed


def _smaller(layer: Any, kept: np.ndarray) -> Any:
    """A new layer with as many output channels as are kept."""
    config = layer.get_config()
    count = int(kept.sum())
    if type(layer) in PRODUCERS:
        for option in ("filters", "units", "output_dim"):
            if option in config:
                config[option] = count
    if type(layer) is layers.Reshape:
        target = tuple(layer.output_shape[1:])
        config["target_shape"] = (*target[:-1], count)
    return layer.__class__.from_config(config)


def _sliced(layer: Any, fed: np.ndarray, kept: np.ndarray) -> list[np.ndarray]:
    """A layer's weights for the input and output channels that are kept."""
    kind = type(layer)
    names = [str(weight.name).split("/")[-1].split(":")[0] for weight in layer.weights]
    if kind in PRODUCERS or kind in DEPTHWISE or kind in RECURRENT:
        return [
            _slice(kind, name, values, fed, kept)
            for name, values in zip(names, layer.get_weights(), strict=True)
        ]
    return [v[..., kept] if v.shape[-1] == len(kept) else v for v in layer.get_weights()]


def _slice(
    kind: type, name: str, values: np.ndarray, fed: np.ndarray, kept: np.ndarray
) -> np.ndarray:
    """One weight of a layer, by the name that Keras gives it."""
    if kind in RECURRENT:
        return values[fed] if name == "kernel" else values
    if name == "depthwise_kernel":
        return values[..., fed, :]
    if name == "pointwise_kernel":
        inner = np.repeat(fed, values.shape[-2] // len(fed))
        return values[..., inner, :][..., kept]
    if name == "kernel" and kind in _TRANSPOSED:
        return values[..., kept, :][..., fed]
    if name == "kernel":
        return values[..., fed, :][..., kept]
    return values[..., kept]


def counted_macs(model: Any, graph: ChannelGraph, removed: Collection[int] = ()) -> int:
    """Multiply-accumulates of one inference that depend on removable channels.

    Args:
        model: a flat functional tf_keras model.
        graph: its channels.
        removed: root labels that count as removed.
    """
    gone = np.array(sorted(removed), np.int64)
    counts = _Counts(graph, gone)
    total = 0
    for layer in model.layers:
        if layer.name in graph.outputs and (type(layer) in PRODUCERS or type(layer) in DEPTHWISE):
            total += sum(counts.of(layer, node) for node in layer.inbound_nodes)
    return total


class _Counts:
    """Multiply-accumulates of single layers with some channels gone."""

    def __init__(self, graph: ChannelGraph, gone: np.ndarray) -> None:
        self._fed = _kept(graph, graph.inputs, gone)
        self._kept = _kept(graph, graph.outputs, gone)

    def of(self, layer: Any, node: Any) -> int:
        """Of one call of a layer."""
        source = tf.nest.flatten(node.input_tensors)[0].shape
        output = tf.nest.flatten(node.outputs)[0].shape
        places = math.prod(int(size or 1) for size in output[1:-1])
        fed, kept = self._fed[layer.name], self._kept[layer.name]
        window = math.prod(getattr(layer, "kernel_size", (1,)))
        if type(layer) is layers.Embedding:
            return 0
        if type(layer) in DEPTHWISE:
            return places * window * kept
        if type(layer) in _SEPARABLE:
            inner = fed * layer.depth_multiplier
            return places * (window * inner + inner * kept)
        if type(layer) in _TRANSPOSED:
            places = math.prod(int(size or 1) for size in source[1:-1])
        return places * window * fed * kept


def _kept(
    graph: ChannelGraph, labels: Mapping[str, np.ndarray], gone: np.ndarray
) -> dict[str, int]:
    return {
        name: int(np.count_nonzero(~np.isin(graph.roots(values), gone)))
        for name, values in labels.items()
    }
