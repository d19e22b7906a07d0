"""tf_keras (Keras 2) layers, made anew for a flat model. Runs in stage processes only."""

from __future__ import annotations

from typing import Any

import numpy as np
import tf_keras

from optimizer.errors import InputError
from optimizer.models.layers import IDENTITY, Conversion, Layer, normalization
from optimizer.models.recurrent import AUGMENTATION

OPERATION_LAYERS = frozenset({"TFOpLambda", "SlicingOpLambda"})
"""Layers that stand for the call of a TensorFlow function."""

_TRAINING_OPTIONS = ("_regularizer", "_constraint")


def convert_layer(source: Layer, name: str) -> Conversion:
    """A fresh layer of the same type and options, without regularizers and constraints.

    Raises:
        InputError: the layer cannot be used in a TFLite model.
    """
    kind = type(source).__name__
    if getattr(source, "data_format", None) == "channels_first":
        raise InputError(
            f"The layer {source.name} ({kind}) uses channels_first images, which TFLite cannot "
            "run. Build the model with channels_last and save it again."
        )
    if getattr(source, "stateful", False) and isinstance(source, tf_keras.layers.RNN):
        raise InputError(
            f"The layer {source.name} ({kind}) is stateful, which is not supported. Build the "
            "model with stateful=False and save it again."
        )
    if kind in IDENTITY or kind in AUGMENTATION:
        return Conversion(())
    if kind == "SpectralNormalization":
        return convert_layer(source.layer, name)
    if kind == "RandomCrop":  # what it does when the model is used
        size = (source.height, source.width)
        layer = tf_keras.layers.Resizing(*size, crop_to_aspect_ratio=True, name=name)
        return Conversion((layer,))
    if kind == "Normalization":
        return Conversion((normalization(source, name),))
    target = getattr(tf_keras.layers, kind.removesuffix("V1"), type(source))
    config = _for_inference(source.get_config()) | {"name": name, "dtype": "float32"}
    config.pop("batch_input_shape", None)
    return Conversion((target.from_config(config),), _weights_of(source))


def _weights_of(source: Layer) -> tuple[tuple[str, np.ndarray], ...]:
    return tuple(
        (weight.name.split("/")[-1].split(":")[0], np.asarray(weight.numpy(), np.float32))
        for weight in source.weights
    )


def _for_inference(config: Any) -> Any:
    """The config without what matters in training only, in nested layers too."""
    if isinstance(config, list):
        return [_for_inference(item) for item in config]
    if not isinstance(config, dict):
        return config
    return {
        key: None if key.endswith(_TRAINING_OPTIONS) else _for_inference(value)
        for key, value in config.items()
    }


def function_name(layer: Layer) -> str:
    """The TensorFlow function that a ``TFOpLambda`` calls, as in its file."""
    return str(layer.get_config()["function"])


def plain_slices(values: list[Any]) -> list[Any]:
    """``GetItem``'s arguments with slices that were stored as dicts as real ones."""

    def plain(item: Any) -> Any:
        if isinstance(item, dict) and set(item) == {"start", "stop", "step"}:
            return slice(item["start"], item["stop"], item["step"])
        if isinstance(item, dict) and "value" in item:
            return Ellipsis
        return item

    tensor, key = values
    items = tuple(plain(item) for item in key) if isinstance(key, list | tuple) else plain(key)
    return [tensor, items]
