"""Which technique can act on which layer, and why not. Runs in stage processes only.

The rules are those of tfmot 0.8.1's registries, narrowed by what was seen to break. Every
function answers ``None`` for "it can", or one short sentence that says why it cannot.
"""

from __future__ import annotations

from typing import Any

import tf_keras as keras

from optimizer.techniques.graph import is_shared
from optimizer.techniques.kernels import kernels_of

layers = keras.layers

_WRAPPABLE = (
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
    layers.Dense,
    layers.Embedding,
)
"""What tfmot's pruning and clustering wrappers take, by exact layer type."""

_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_SCALES = (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization)
FOLDABLE = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
"""Layer types into which a following BatchNormalization is folded before QAT."""

_QAT_ACTIVATIONS = {"linear", "relu", "swish", "gelu", "softmax", "sigmoid", "tanh"}
_QAT_KERNEL_LAYERS = (
    layers.Conv2D,
    layers.DepthwiseConv2D,
    layers.Conv2DTranspose,
    layers.Dense,
)
_QAT_PLAIN_LAYERS = (
    layers.ReLU,
    layers.LeakyReLU,
    layers.Softmax,
    layers.Activation,
    layers.Add,
    layers.Concatenate,
    layers.UpSampling2D,
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.MaxPooling2D,
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.Flatten,
    layers.Reshape,
    layers.Permute,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
)
_QAT_OUTPUT_ONLY = (
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.Multiply,
    layers.Rescaling,
    layers.PReLU,
)


def prunable(layer: Any) -> str | None:
    """Why pruning cannot act on a layer of a flat tf_keras model, or ``None``."""
    return _no_kernel(layer, "pruned")


def clusterable(layer: Any) -> str | None:
    """Why weight clustering cannot act on a layer of a flat tf_keras model, or ``None``."""
    return _no_kernel(layer, "clustered")


def wrappable(layer: Any) -> bool:
    """Whether tfmot's wrappers for pruning and clustering keep a layer as it is.

    They mishandle layers that are called more than once, and drop the mask that the output of
    an embedding or a recurrent layer may carry.
    """
    masked = getattr(layer.output, "_keras_mask", None) is not None if _single(layer) else True
    return type(layer) in _WRAPPABLE and not masked


def quantizable(model: Any) -> dict[str, str | None]:
    """For each layer, why quantization-aware training leaves it in float, or ``None``."""
    return {layer.name: _not_quantizable(layer) for layer in model.layers}


def _no_kernel(layer: Any, verb: str) -> str | None:
    if kernels_of(layer):
        return None if layer.trainable else "The layer is frozen (trainable is false)."
    if isinstance(layer, _DEPTHWISE):
        return f"Depthwise kernels are left alone: a few weights per channel are not {verb}."
    if isinstance(layer, _SCALES):
        return "Its weights are scales and offsets, not a kernel."
    if not layer.weights:
        return "It has no weights."
    return f"{type(layer).__name__} layers have no kernel that is {verb}."


def _single(layer: Any) -> bool:
    return not is_shared(layer) and not isinstance(layer.output, (list, tuple))


def _not_quantizable(layer: Any) -> str | None:  # noqa: PLR0911 - one return per reason
    if isinstance(layer, layers.InputLayer):
        return None if layer.dtype == "float32" else f"A {layer.dtype} input is not quantized."
    if is_shared(layer):
        return "The layer is shared: each use would need ranges of its own."
    if type(layer) in _QAT_OUTPUT_ONLY:
        return None
    if type(layer) is layers.Dense and len(layer.input_shape) > 2:
        return "After such training the converter leaves a Dense layer over a sequence in float."
    if type(layer) is layers.Activation or type(layer) in _QAT_KERNEL_LAYERS:
        name = str(getattr(layer.activation, "__name__", "")).removeprefix("keras3_")
        if name not in _QAT_ACTIVATIONS:
            return f"Quantization-aware training does not know the activation {name!r}."
        return None
    if type(layer) in _QAT_PLAIN_LAYERS:
        return None
    return f"Quantization-aware training in tfmot does not cover {type(layer).__name__} layers."
