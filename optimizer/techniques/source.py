"""What a conversion begins with: a model's own file decides the converter. Stages only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tf_keras as keras

from optimizer.models.flat import load_flat
from optimizer.models.saved_model import open_saved_model
from optimizer.stage import Files
from optimizer.techniques.graph import unwrapped
from optimizer.techniques.quantize_aware import restore

_RECURRENT = (keras.layers.RNN, keras.layers.Bidirectional)


@dataclass(frozen=True)
class Source:
    """A model that can be converted.

    Attributes:
        converter: makes a new ``tf.lite.TFLiteConverter`` of it, with nothing set yet.
        layer_names: its layers as a person knows them; empty where they are not known.
    """

    converter: Callable[[], Any]
    layer_names: list[str]


def source_of(files: Files, *, aware: bool) -> Source:
    """The model in a stage's files.

    Args:
        files: ``model.keras`` (with ``ranges.npz`` after quantization-aware training), or
            ``saved_model.zip``.
        aware: the model was trained for quantization.
    """
    if "saved_model.zip" in files:
        return Source(open_saved_model(files["saved_model.zip"]).converter, [])
    model = restore(files) if aware else load_flat(files["model.keras"])
    names = [unwrapped(layer).name for layer in model.layers]
    return Source(lambda: keras_converter(model), names)


def keras_converter(model: Any) -> Any:
    """A converter for a model; recurrent layers only convert with a fixed batch of one."""
    if not any(isinstance(layer, _RECURRENT) for layer in model.layers):
        return tf.lite.TFLiteConverter.from_keras_model(model)
    signature = [
        tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    ]
    function = tf.function(lambda *tensors: model(list(tensors), training=False))
    holder = tf.Module()  # exporting the Keras model itself would trace each of its layers anew
    holder.function, holder.held = function, model.variables
    concrete = function.get_concrete_function(*signature)
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], holder)
