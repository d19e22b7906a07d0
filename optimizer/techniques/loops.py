"""What the TFLite converter cannot take as it is: loops in int8, 3-D pooling. Stages only.

Recurrent layers become loops in a ``.tflite``, which full-integer quantization does not cover:
its calibrator crashes on them (TensorFlow 2.21). Over a known number of steps they are written
out step by step instead. A plain LSTM is one operator of TFLite's, and stays. TFLite has no 3-D
pooling; the same is computed by 2-D pooling, over height and width and then over depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from optimizer.techniques.graph import inbound_layers, rebuild

_LOOPS = (keras.layers.RNN, keras.layers.Bidirectional)
_CONVOLUTIONAL = (keras.layers.ConvLSTM1D, keras.layers.ConvLSTM2D, keras.layers.ConvLSTM3D)
_POOLINGS = (keras.layers.MaxPooling3D, keras.layers.AveragePooling3D)
MAX_STEPS = 128
"""Steps that are written out at most; each is a copy of the cell's operators."""


def has_loops(model: Any) -> bool:
    """Whether a flat model has recurrent layers."""
    return any(isinstance(layer, _LOOPS) for layer in model.layers)


def endless_loops(model: Any) -> list[str]:
    """Names of the recurrent layers that cannot be written out step by step."""
    return [layer.name for layer in model.layers if _is_loop(layer) and not _can_unroll(layer)]


def unrolled(model: Any) -> Any:
    """The same model with its loops, but for plain LSTMs, written out step by step."""
    loops = [layer for layer in model.layers if _is_loop(layer) and _can_unroll(layer)]
    return _replaced(model, {layer.name: _unrolled(layer) for layer in loops})


def with_flat_pooling(model: Any) -> Any:
    """The same model with 3-D pooling made of 2-D pooling."""
    found = [layer for layer in model.layers if type(layer) in _POOLINGS]
    return _replaced(model, {layer.name: _FlatPooling(layer, name=layer.name) for layer in found})


def _replaced(model: Any, layers: dict[str, Any]) -> Any:
    if not layers:
        return model
    # Layers in QAT's wrappers cannot be made anew from their configuration; they are used again.
    wrapped = {
        layer.name: layer
        for layer in model.layers
        if type(layer).__module__.startswith("tensorflow_model_optimization.")
    }
    new = rebuild(model, (), {**wrapped, **layers})
    for name, layer in layers.items():
        layer.set_weights(model.get_layer(name).get_weights())
    return new


def _is_loop(layer: Any) -> bool:
    """Whether TFLite runs the layer as a loop, and not as its own LSTM operator."""
    if not isinstance(layer, _LOOPS):
        return False
    if isinstance(layer.get_input_shape_at(0), list):  # begins with states that are given to it
        return True
    inner = [layer]
    if isinstance(layer, keras.layers.Bidirectional):
        inner = [layer.forward_layer, layer.backward_layer]
    masked = any(
        getattr(tensor, "_keras_mask", None) is not None
        for source in inbound_layers(layer)
        for tensor in tf.nest.flatten(source.output if len(source._inbound_nodes) == 1 else [])
    )
    return masked or not all(_is_plain_lstm(one) for one in inner)


def _is_plain_lstm(layer: Any) -> bool:
    config = layer.get_config()
    return (
        type(layer) is keras.layers.LSTM
        and config["activation"] == "tanh"
        and config["recurrent_activation"] == "sigmoid"
        and not config["unroll"]
        and not config["return_state"]
        and config["use_bias"]
    )


def _can_unroll(layer: Any) -> bool:
    inner = getattr(layer, "forward_layer", layer)
    steps = layer.get_input_shape_at(0)
    steps = steps[0] if isinstance(steps, list) else steps
    return not isinstance(inner, _CONVOLUTIONAL) and 0 < (steps[1] or 0) <= MAX_STEPS


def _unrolled(layer: Any) -> Any:
    config = layer.get_config()
    parts = [config]
    if isinstance(layer, keras.layers.Bidirectional):
        parts = [config[key]["config"] for key in ("layer", "backward_layer") if config.get(key)]
    for part in parts:
        part["unroll"] = True
    return type(layer).from_config(config)


class _FlatPooling(keras.layers.Layer):
    """3-D pooling, channels last, by 2-D pooling over two axes and then over the third.

    Exact for averages too: with padding, what is averaged over depth has the same count.

    Args:
        pooling: the layer that it stands for.
    """

    def __init__(self, pooling: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        is_max = isinstance(pooling, keras.layers.MaxPooling3D)
        self._kind = "MAX" if is_max else "AVG"
        self._size, self._strides = tuple(pooling.pool_size), tuple(pooling.strides)
        self._padding = pooling.padding.upper()

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Pooled values, shape (batch, depth, height, width, channels) as the input's."""
        _, depth, height, width, channels = inputs.shape
        x = tf.reshape(inputs, (-1, height, width, channels))
        x = self._pool(x, self._size[1:], self._strides[1:])
        _, height, width, _ = x.shape
        x = tf.reshape(x, (-1, depth, height * width, channels))
        x = self._pool(x, (self._size[0], 1), (self._strides[0], 1))
        return tf.reshape(x, (-1, x.shape[1], height, width, channels))

    def _pool(self, x: tf.Tensor, size: Sequence[int], strides: Sequence[int]) -> tf.Tensor:
        return tf.nn.pool(x, size, self._kind, strides, self._padding)
