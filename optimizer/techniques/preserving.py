"""Weight quantizers that keep zeros and clusters during QAT. Runs in stage processes only.

tfmot's own prune- and cluster-preserving schemes cover Conv2D and Dense only, share one
quantizer between layers, are overwritten where a ReLU follows, and store their masks as extra
variables. Here one quantizer wraps whichever weight quantizer a layer has: before each
fake-quantization it replaces every weight by the mean of its cluster and every pruned weight by
zero. Gradients reach all members of a cluster equally, so clusters move as one; the variables
are those of plain QAT.

Source of the method: https://www.tensorflow.org/model_optimization/guide/combine/pcqat_example.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot


class Pattern:
    """Which weights of one kernel are zero, and which share a value.

    Args:
        kernel: the weights before training, any shape, float32.
        keep_zeros: pruned weights stay zero.
        keep_clusters: weights with equal values stay equal.
        channel_axis: with clusters of each output channel, the axis of those channels.
    """

    def __init__(
        self,
        kernel: np.ndarray,
        *,
        keep_zeros: bool,
        keep_clusters: bool,
        channel_axis: int | None = None,
    ) -> None:
        self._mask = (kernel != 0).astype("float32") if keep_zeros else None
        self._segments: np.ndarray | None = None
        if keep_clusters:
            segments = _segments(kernel, channel_axis)
            self._segments = segments.reshape(-1).astype("int32")
            self._count = int(segments.max()) + 1

    def apply(self, kernel: Any) -> Any:
        """The kernel with each cluster at its mean and pruned weights at zero; differentiable."""
        if self._segments is not None:
            flat = tf.reshape(kernel, [-1])
            sizes = np.maximum(np.bincount(self._segments, minlength=self._count), 1)
            sums = tf.math.unsorted_segment_sum(flat, self._segments, self._count)
            means = sums / tf.constant(sizes, tf.float32)
            kernel = tf.reshape(tf.gather(means, self._segments), tf.shape(kernel))
        return kernel if self._mask is None else kernel * self._mask


def _segments(kernel: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """The number of each weight's cluster, the kernel's shape."""
    if channel_axis is None:
        return np.unique(kernel, return_inverse=True)[1].reshape(kernel.shape)
    moved = np.moveaxis(kernel, channel_axis, 0)
    numbers = np.empty(moved.shape, np.int64)
    first = 0
    for channel, values in enumerate(moved):
        distinct, within = np.unique(values, return_inverse=True)
        numbers[channel] = first + within.reshape(values.shape)
        first += len(distinct)
    return np.moveaxis(numbers, 0, channel_axis)


class PreservingQuantizer(tfmot.quantization.keras.quantizers.Quantizer):
    """Applies a :class:`Pattern`, then the quantizer it wraps."""

    def __init__(self, inner: Any, pattern: Pattern) -> None:
        self._inner, self._pattern = inner, pattern

    def build(self, tensor_shape: Any, name: str, layer: Any) -> Any:
        """Make the variables of the wrapped quantizer, and none besides."""
        return self._inner.build(tensor_shape, name, layer)

    def __call__(self, inputs: Any, training: Any, weights: Any, **kwargs: Any) -> Any:
        """Fake-quantize the preserved weights."""
        return self._inner(self._pattern.apply(inputs), training, weights, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Nothing: a pattern lives as long as its training and is never saved."""
        return {}


class LayerConfig(tfmot.quantization.keras.QuantizeConfig):
    """A layer's 8-bit configuration, with preserved weights and with or without output ranges.

    Args:
        inner: tfmot's default configuration for the layer.
        patterns: weight attribute → pattern to preserve.
        quantize_output: ``False`` where a ReLU follows that TFLite fuses into this layer.
    """

    def __init__(
        self, inner: Any, patterns: Mapping[str, Pattern], *, quantize_output: bool = True
    ) -> None:
        self._inner, self._patterns, self._output = inner, dict(patterns), quantize_output

    def get_weights_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """The layer's weights, each with its quantizer."""
        pairs = self._inner.get_weights_and_quantizers(layer)
        by_id = {id(getattr(layer, name)): pattern for name, pattern in self._patterns.items()}
        return [
            (weight, PreservingQuantizer(quantizer, by_id[id(weight)]))
            if id(weight) in by_id
            else (weight, quantizer)
            for weight, quantizer in pairs
        ]

    def get_activations_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """The layer's activations, each with its quantizer."""
        return self._inner.get_activations_and_quantizers(layer) if self._output else []

    def set_quantize_weights(self, layer: Any, quantize_weights: Any) -> None:
        """Put the fake-quantized weights in place for one call."""
        self._inner.set_quantize_weights(layer, quantize_weights)

    def set_quantize_activations(self, layer: Any, quantize_activations: Any) -> None:
        """Put the quantized activations in place for one call."""
        if self._output:
            self._inner.set_quantize_activations(layer, quantize_activations)

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        """Quantizers of the layer's output."""
        return self._inner.get_output_quantizers(layer) if self._output else []

    def get_config(self) -> dict[str, Any]:
        """Nothing: see :class:`PreservingQuantizer`."""
        return {}
