"""Which channels of a model can be removed together. Runs in stage processes only.

Every output channel of a convolution, dense layer or embedding carries a label. Labels follow
the tensors through the graph: pooling and activations pass them on, Flatten repeats them,
Concatenate joins them, Add ties those of its inputs to each other. Where a layer's meaning
depends on all of its channels (an output of the model, attention, an operation that is not
known here) they are fixed. What remains is a set of labels, each of which can be removed from
all layers that carry it without changing the rest.

Source of the method: Fang et al. 2023, "DepGraph: Towards Any Structural Pruning"
(arXiv:2301.12900).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

layers = keras.layers

PRODUCERS = (
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
    layers.Dense,
    layers.Embedding,
)
"""Layers whose output channels can be removed, by exact type."""

DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
RECURRENT = (layers.LSTM, layers.GRU, layers.SimpleRNN)
_PASSING = (
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.PReLU,
    layers.ThresholdedReLU,
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.GaussianNoise,
    layers.GaussianDropout,
    layers.AlphaDropout,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.AveragePooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    layers.ZeroPadding3D,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Cropping3D,
    layers.UpSampling1D,
    layers.UpSampling2D,
    layers.UpSampling3D,
    layers.Masking,
    layers.Rescaling,
)
_MERGING = (
    layers.Add,
    layers.Subtract,
    layers.Multiply,
    layers.Average,
    layers.Maximum,
    layers.Minimum,
)
_MOVING = (layers.Flatten, layers.Reshape, layers.Permute)
_OVER_CHANNELS = ("softmax", "log_softmax", "glu", "sparsemax")
"""Activations of one channel that depend on all the others."""

_UNITS_STAY = "The units of recurrent layers are not removed."

Labels = np.ndarray
"""int64, shape (channels,): the label of each channel of a tensor."""


class ChannelGraph:
    """The labels of every tensor of a flat model.

    Attributes:
        inputs: layer name → labels of its (first) input.
        outputs: layer name → labels of its output.
        reasons: layer name → why its channels are fixed, for the layers that have any.
    """

    def __init__(self, model: Any) -> None:
        self.inputs: dict[str, Labels] = {}
        self.outputs: dict[str, Labels] = {}
        self.reasons: dict[str, str] = {}
        self._producers: set[str] = set()
        self._parent: list[int] = []
        self._fixed: dict[int, str] = {}
        self._tensors: dict[int, Labels] = {}
        for tensor in model.inputs:
            self._tensors[id(tensor)] = self._new(_channels(tensor), "It feeds on the model input.")
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if not isinstance(node.outbound_layer, layers.InputLayer):
                    self._visit(node)
        for tensor in model.outputs:
            self._fix(self._tensors[id(tensor)], "Its channels are the model's output.")
        for name in self._made:
            why = {self._fixed.get(self.root(label)) for label in self.outputs[name]}
            if None not in why:
                self.reasons[name] = str(next(iter(why)))

    @property
    def _made(self) -> list[str]:
        return [name for name in self.outputs if name in self._producers]

    def producers(self) -> list[str]:
        """The layers that make removable channels, in the model's order."""
        return [name for name in self._made if name not in self.reasons]

    def root(self, label: int) -> int:
        """The label that stands for all those tied to this one."""
        parent = self._parent
        while parent[label] != label:
            parent[label] = parent[parent[label]]
            label = parent[label]
        return label

    def roots(self, labels: Labels) -> Labels:
        """:meth:`root` of each."""
        return np.array([self.root(label) for label in labels], np.int64)

    def removable(self) -> dict[int, list[tuple[str, int]]]:
        """Root label → the (layer, output channel) pairs that are removed with it."""
        members: dict[int, list[tuple[str, int]]] = {}
        for name in self._made:
            for channel, root in enumerate(self.roots(self.outputs[name])):
                if int(root) not in self._fixed:
                    members.setdefault(int(root), []).append((name, channel))
        return members

    def _visit(self, node: Any) -> None:
        layer = node.outbound_layer
        given = [self._tensors[id(tensor)] for tensor in tf.nest.flatten(node.input_tensors)]
        outputs = tf.nest.flatten(node.outputs)
        known = len(outputs) == 1
        labels = self._labels(layer, given, node) if known else None
        if labels is None or len(labels) != _channels(outputs[0]):
            why = f"They enter {layer.name} ({type(layer).__name__}), which needs all of them."
            for one in given:
                self._fix(one, why)
            made = "It cannot do without any."
            for output in outputs:
                self._tensors[id(output)] = self._new(_channels(output), made)
            return
        self._tensors[id(outputs[0])] = labels
        self.outputs[layer.name] = labels
        if given:
            self._tie(self.inputs.setdefault(layer.name, given[0]), given[0])

    def _labels(self, layer: Any, given: list[Labels], node: Any) -> Labels | None:
        """Labels of a layer's output, or ``None`` where it needs all of its channels."""
        rules: tuple[tuple[tuple[type, ...], Callable[[], Labels | None]], ...] = (
            (PRODUCERS, lambda: self._produced(layer)),
            (DEPTHWISE, lambda: np.repeat(given[0], layer.depth_multiplier)),
            (RECURRENT, lambda: self._recurrent(layer)),
            (_PASSING, lambda: given[0] if _passes_on(layer) else None),
            (_MERGING, lambda: self._merged(given)),
            ((layers.Concatenate,), lambda: self._joined(layer, given, node)),
            (_MOVING, lambda: _moved(layer, given[0], node)),
        )
        return next((rule() for kinds, rule in rules if type(layer) in kinds), None)

    def _produced(self, layer: Any) -> Labels | None:
        if getattr(layer, "groups", 1) != 1:
            return None
        if layer.name not in self.outputs:
            self._producers.add(layer.name)
            why = _fixed_by_layer(layer)
            return self._new(_width(layer), why)
        return self.outputs[layer.name]

    def _recurrent(self, layer: Any) -> Labels:
        if layer.name in self.outputs:
            return self.outputs[layer.name]
        return self._new(layer.units, _UNITS_STAY)

    def _merged(self, given: list[Labels]) -> Labels:
        widest = max(given, key=len)
        for labels in given:
            if len(labels) == len(widest):
                self._tie(widest, labels)
            else:
                self._fix(labels, "It is broadcast over channels.")
        return widest

    def _joined(self, layer: Any, given: list[Labels], node: Any) -> Labels:
        rank = len(tf.nest.flatten(node.outputs)[0].shape)
        if layer.axis % rank == rank - 1:
            return np.concatenate(given)
        return self._merged(given)

    def _new(self, count: int, fixed: str | None = None) -> Labels:
        first = len(self._parent)
        labels = np.arange(first, first + count)
        self._parent.extend(labels.tolist())
        if fixed:
            self._fix(labels, fixed)
        return labels

    def _fix(self, labels: Labels, why: str) -> None:
        for label in labels:
            self._fixed.setdefault(self.root(label), why)

    def _tie(self, some: Labels, others: Labels) -> None:
        for one, other in zip(some, others, strict=True):
            first, second = self.root(one), self.root(other)
            if first != second:
                self._parent[second] = first
                if second in self._fixed:
                    self._fixed.setdefault(first, self._fixed[second])


def _channels(tensor: Any) -> int:
    return int(tensor.shape[-1] or 0) if len(tensor.shape) > 1 else 0


def _width(layer: Any) -> int:
    for option in ("filters", "units", "output_dim"):
        if hasattr(layer, option):
            return int(getattr(layer, option))
    raise TypeError(f"{type(layer).__name__} has no output channels")


def _fixed_by_layer(layer: Any) -> str | None:
    if not layer.trainable:
        return "The layer is frozen (trainable is false)."
    name = getattr(getattr(layer, "activation", None), "__name__", "linear")
    if name.removeprefix("keras3_") in _OVER_CHANNELS:
        return f"Its activation {name} depends on all channels."
    return None


def _passes_on(layer: Any) -> bool:
    if type(layer) is layers.Rescaling:
        return np.ndim(layer.scale) == np.ndim(layer.offset) == 0
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    if activation.removeprefix("keras3_") in _OVER_CHANNELS:
        return False
    axis = getattr(layer, "axis", None)
    if axis is None or isinstance(layer, layers.PReLU):
        return True
    rank = len(layer.input_shape)
    return [index % rank for index in np.atleast_1d(axis)] == [rank - 1]


def _moved(layer: Any, labels: Labels, node: Any) -> Labels | None:
    """Labels behind a Flatten, Reshape or Permute, if they still depend on the channel alone."""
    shape = tuple(tf.nest.flatten(node.input_tensors)[0].shape)[1:]
    target = tuple(tf.nest.flatten(node.outputs)[0].shape)[1:]
    if None in shape or None in target:
        return None
    spread = np.broadcast_to(labels, shape)
    if isinstance(layer, layers.Permute):
        spread = np.transpose(spread, [axis - 1 for axis in layer.dims])
    rows = spread.reshape(-1, target[-1])
    return rows[0].copy() if (rows == rows[0]).all() else None


def shares(graph: ChannelGraph) -> dict[tuple[str, ...], list[int]]:
    """The removable labels by the layers that carry them: these are pruned by one share."""
    sets: dict[tuple[str, ...], list[int]] = {}
    for root, members in graph.removable().items():
        key = tuple(dict.fromkeys(name for name, _ in members))
        sets.setdefault(key, []).append(root)
    return sets


def channel_reasons(model: Any) -> dict[str, str | None]:
    """For each layer, why its output channels cannot be removed, or ``None``."""
    graph = ChannelGraph(model)
    removable = set(graph.producers())
    return {layer.name: _reason(layer, graph, removable) for layer in model.layers}


def _reason(layer: Any, graph: ChannelGraph, removable: Sequence[str] | set[str]) -> str | None:
    if layer.name in removable:
        return None
    if layer.name in graph.reasons:
        return graph.reasons[layer.name]
    if not layer.weights:
        return "It has no channels of its own."
    if type(layer) in RECURRENT:
        return _UNITS_STAY
    return f"{type(layer).__name__} layers follow the channels of others, or need all of them."
