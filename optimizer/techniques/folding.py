"""BatchNormalization as part of the linear layer before or behind it. Runs in stages only.

At inference BatchNormalization is one factor and one offset per channel, which the TFLite
converter multiplies into a neighbouring kernel. Into the layer before it, each output channel
is scaled as a whole; into the layer behind it, each *input* channel is, and weights of one
channel that shared a value no longer do. So the second is done before clustering, and the
first before quantization-aware training, whose ranges are those of the folded kernel.

Source: Jacob et al. 2018 (arXiv:1712.05877), section 3.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tf_keras as keras

from optimizer.techniques.eligible import FOLDABLE
from optimizer.techniques.graph import (
    inbound_layers,
    is_shared,
    outbound_layers,
    output_names,
    rebuild,
)

layers = keras.layers
_ONLY_IN_TRAINING = (layers.Dropout, layers.GaussianDropout, layers.GaussianNoise)


def fold_into_previous(model: Any) -> Any:
    """Fold each BatchNormalization that directly follows a linear layer into that layer.

    Args:
        model: a flat functional tf_keras model.

    Returns:
        A new model, whose outputs equal the model's in inference up to float rounding.
    """
    outputs = output_names(model)
    dropped: set[str] = set()
    replaced: dict[str, Any] = {}
    values: dict[str, list[np.ndarray]] = {}
    for norm in model.layers:
        layer = _linear_layer_before(norm)
        if layer is None or layer.name in outputs:
            continue
        scale, offset = _scale_and_offset(norm)
        kernel, bias = _kernel_and_bias(layer)
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        shaped = scale.reshape(kernel.shape[2:]) if depthwise else scale
        values[layer.name] = [kernel * shaped, bias * scale + offset]
        replaced[layer.name] = _with_bias(layer)
        dropped.add(norm.name)
    return _rebuilt(model, dropped, replaced, values)


def fold_into_next(model: Any) -> Any:
    """Fold each BatchNormalization that only feeds one Dense layer into that layer.

    See :func:`fold_into_previous`. The converter does so where a Dense layer gets vectors; in
    front of a convolution it keeps the factors apart.
    """
    outputs = output_names(model)
    dropped: set[str] = set()
    replaced: dict[str, Any] = {}
    values: dict[str, list[np.ndarray]] = {}
    for dense in model.layers:
        norm = _normalization_before(dense, outputs)
        if norm is None:
            continue
        scale, offset = _scale_and_offset(norm)
        kernel, bias = _kernel_and_bias(dense)
        values[dense.name] = [kernel * scale[:, np.newaxis], bias + offset @ kernel]
        replaced[dense.name] = _with_bias(dense)
        dropped.add(norm.name)
    return _rebuilt(model, dropped, replaced, values) if dropped else model


def _linear_layer_before(norm: Any) -> Any:
    """The linear layer whose outputs only go to a BatchNormalization over their channels."""
    if type(norm) is not layers.BatchNormalization or is_shared(norm):
        return None
    layer = inbound_layers(norm)[0]
    if type(layer) not in FOLDABLE or is_shared(layer) or len(outbound_layers(layer)) != 1:
        return None
    linear = layer.activation is keras.activations.linear
    return layer if linear and list(norm.axis) == [len(norm.output_shape) - 1] else None


def _normalization_before(dense: Any, outputs: set[str]) -> Any:
    """The BatchNormalization whose output is all that a Dense layer gets, and goes nowhere else.

    Between the two there may be layers that do something in training only.
    """
    if type(dense) is not layers.Dense or len(dense.get_input_shape_at(0)) != 2:
        return None
    layer = dense
    while True:
        before = inbound_layers(layer)
        only = all(source is before[0] for source in before)
        if not only or any(user is not layer for user in outbound_layers(before[0])):
            return None
        layer = before[0]
        if layer.name in outputs:
            return None
        if type(layer) is layers.BatchNormalization:
            return layer
        if not isinstance(layer, _ONLY_IN_TRAINING):
            return None


def _scale_and_offset(norm: Any) -> tuple[np.ndarray, np.ndarray]:
    """What BatchNormalization multiplies each channel by and then adds, at inference."""
    scale = 1.0 / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    if norm.scale:
        scale = scale * norm.gamma.numpy()
    beta = norm.beta.numpy() if norm.center else 0.0
    return scale, beta - norm.moving_mean.numpy() * scale


def _kernel_and_bias(layer: Any) -> tuple[np.ndarray, np.ndarray | float]:
    kernel, *bias = layer.get_weights()
    return kernel, bias[0] if bias else 0.0


def _with_bias(layer: Any) -> Any:
    return layer.__class__.from_config({**layer.get_config(), "use_bias": True})


def _rebuilt(
    model: Any,
    dropped: set[str],
    replaced: dict[str, Any],
    values: dict[str, list[np.ndarray]],
) -> Any:
    folded = rebuild(model, dropped, replaced)
    for name, weights in values.items():
        folded.get_layer(name).set_weights([value.astype("float32") for value in weights])
    return folded
