"""What a conversion begins with: a model's own file decides the converter. Stages only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tf_keras as keras
from tensorflow.lite.python.conversion_metadata_schema_py_generated import ModelType

from optimizer.errors import StageError
from optimizer.models.flat import load_flat
from optimizer.models.saved_model import open_saved_model
from optimizer.stage import Files
from optimizer.techniques.graph import unwrapped
from optimizer.techniques.loops import endless_loops, unrolled, with_flat_pooling
from optimizer.techniques.quantize_aware import restore

_FIXED_BATCH = (keras.layers.RNN, keras.layers.Bidirectional, keras.layers.GroupNormalization)
"""Layers that only convert, or only run, with a fixed batch of one."""


@dataclass(frozen=True)
class Source:
    """A model that can be converted.

    Attributes:
        converter: makes a new ``tf.lite.TFLiteConverter`` of it, with nothing set yet.
        layer_names: its layers as a person knows them; empty where they are not known.
        input_names, output_names: in the order in which the model has them.
        input_dtypes: what each input takes, such as ``float32``.
    """

    converter: Callable[[], Any]
    layer_names: list[str]
    input_names: list[str]
    output_names: list[str]
    input_dtypes: list[str]


def source_of(files: Files, *, aware: bool, calibrates: bool) -> Source:
    """The model in a stage's files, ready to be converted.

    Args:
        files: ``model.keras`` (with ``ranges.npz`` after quantization-aware training), or
            ``saved_model.zip``.
        aware: the model was trained for quantization.
        calibrates: it will be quantized with representative data, which covers no loops.

    Raises:
        StageError: it has a loop, and ``calibrates``.
    """
    if "saved_model.zip" in files:
        saved = open_saved_model(files["saved_model.zip"])
        if calibrates and saved.has_loops:
            raise _loops([])
        outputs = [name for name, _ in saved.outputs]
        dtypes = [spec.dtype.name for spec in saved.inputs]
        return Source(saved.converter, [], [spec.name for spec in saved.inputs], outputs, dtypes)
    model = restore(files) if aware else load_flat(files["model.keras"])
    names = [unwrapped(layer).name for layer in model.layers]
    if calibrates:
        left = endless_loops(model)
        if left:
            raise _loops(left)
        model = unrolled(model)
    model = with_flat_pooling(model)
    return Source(
        lambda: keras_converter(model),
        names,
        list(model.input_names),
        list(model.output_names),
        [tensor.dtype.name for tensor in model.inputs],
    )


def _loops(names: list[str]) -> StageError:
    where = f" ({', '.join(names[:3])})" if names else ""
    return StageError(
        f"The model has a loop{where} over a number of steps that is not known or is too large, "
        "which full-integer quantization does not cover. Choose float16 or dynamic range."
    )


def keras_converter(model: Any) -> Any:
    """A converter for a model; some layers only convert with a fixed batch of one.

    The file is that of ``TFLiteConverter.from_keras_model``, byte for byte where the batch is not
    fixed, in half the time: that one saves the model, which traces each of its layers anew.
    """
    fixed = any(isinstance(layer, _FIXED_BATCH) for layer in model.layers)
    signature = [
        tf.TensorSpec((1 if fixed else None, *tensor.shape[1:]), tensor.dtype, name=name)
        for name, tensor in zip(model.input_names, model.inputs, strict=True)
    ]

    def serve(*tensors: Any) -> dict[str, Any]:
        outputs = model(tensors[0] if len(tensors) == 1 else list(tensors), training=False)
        given = outputs if isinstance(outputs, list | tuple) else [outputs]
        return dict(zip(model.output_names, given, strict=True))

    holder = tf.Module()
    holder.function = tf.function(serve, autograph=False)
    holder.held = model.variables
    concrete = holder.function.get_concrete_function(*signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], holder)
    converter._metadata.environment.modelType = ModelType.KERAS_MODEL
    return converter
