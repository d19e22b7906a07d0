"""What the screens say about a model, as JSON-ready data. Runs in stage processes only."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import tf_keras

from optimizer.models.inspect import ModelFile
from optimizer.models.verify import Verification
from optimizer.models.walk import input_name
from optimizer.techniques.channel_graph import channel_reasons
from optimizer.techniques.eligible import clusterable, prunable, quantizable

_PASSING_ON = (
    tf_keras.layers.Dropout,
    tf_keras.layers.Flatten,
    tf_keras.layers.Reshape,
)


def model_facts(
    file: ModelFile, model: tf_keras.Model, verification: Verification, notes: tuple[str, ...]
) -> dict[str, Any]:
    """Everything that is known about a flat model.

    Returns:
        ``kind``, ``source_format``, ``keras_version``, ``parameters``, ``parameter_bytes``
        (float32), ``inputs`` and ``outputs`` (name, shape with ``None`` for the batch, dtype, and
        the output's activation), ``verification``, ``notes``, and ``layers`` with, for each
        technique, ``None`` where it can act or a sentence why not.
    """
    parameters = int(model.count_params())
    quantize_reasons, channel_reason = quantizable(model), channel_reasons(model)
    return {
        "kind": file.kind,
        "source_format": file.format,
        "keras_version": file.keras_version,
        "parameters": parameters,
        "parameter_bytes": 4 * parameters,
        "inputs": [
            {"name": input_name(t), "shape": list(t.shape), "dtype": t.dtype.name}
            for t in model.inputs
        ],
        "outputs": [
            {
                "name": t._keras_history.layer.name,
                "shape": list(t.shape),
                "dtype": t.dtype.name,
                "activation": output_activation(t),
            }
            for t in model.outputs
        ],
        "verification": asdict(verification),
        "notes": list(notes),
        "layers": [
            _layer_facts(layer, quantize_reasons, channel_reason)
            for layer in model.layers
            if not isinstance(layer, tf_keras.layers.InputLayer)
        ],
    }


def _layer_facts(
    layer: Any, quantize_reasons: dict[str, str | None], channels: dict[str, str | None]
) -> dict[str, Any]:
    return {
        "name": layer.name,
        "type": type(layer).__name__,
        "output_shape": _shape(layer.get_output_shape_at(0)),
        "parameters": int(layer.count_params()),
        "weights": [
            {"name": _weight_name(layer, weight), "shape": list(weight.shape)}
            for weight in layer.weights
        ],
        "techniques": {
            "prune": prunable(layer),
            "cluster": clusterable(layer),
            "quantize_aware": quantize_reasons.get(layer.name),
            "channels": channels[layer.name],
        },
    }


def _shape(shape: Any) -> list[Any]:
    """The shape of a layer's output; of the first one, when there are several."""
    if isinstance(shape, list):
        return list(shape[0])
    return list(shape)


def _weight_name(layer: Any, weight: Any) -> str:
    return str(weight.name).removeprefix(f"{layer.name}/").removesuffix(":0")


def output_activation(tensor: Any) -> str | None:
    """The activation that makes an output (``softmax``, ``sigmoid``), or None for linear."""
    layer = tensor._keras_history.layer
    if isinstance(layer, _PASSING_ON):
        return output_activation(layer.input)
    if isinstance(layer, tf_keras.layers.Softmax):
        return "softmax"
    if isinstance(layer, tf_keras.layers.ReLU):
        return "relu"
    activation = getattr(layer, "activation", None)
    name = getattr(activation, "__name__", None)
    return None if name in (None, "linear") else str(name).removeprefix("keras3_")
