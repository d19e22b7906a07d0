"""The table of Keras 3 layers and what each becomes in tf_keras. Runs in stage processes only.

Add a layer type by naming it in :data:`SAME` when tf_keras has the same layer under the same
name and options, or by writing a function with ``@converts("Name")`` otherwise. Whatever is in
neither is refused by name. Every conversion is verified numerically afterwards.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tf_keras

from optimizer.errors import InputError
from optimizer.models import flat

Layer = Any
"""A tf_keras layer; the package has no types."""


@dataclass(frozen=True)
class Conversion:
    """What a source layer becomes.

    Attributes:
        layers: new layers, called one after the other; none when the layer does nothing.
        weights: (leaf name, array) to be put into the first layer, in order.
    """

    layers: tuple[Layer, ...]
    weights: tuple[tuple[str, np.ndarray], ...] = field(default=(), repr=False)


Converter = Callable[[Any, str], Conversion]
CONVERTERS: dict[str, Converter] = {}

SAME = frozenset(
    """
    Activation Add AdditiveAttention AlphaDropout Attention Average AveragePooling1D
    AveragePooling2D AveragePooling3D BatchNormalization CenterCrop Concatenate Conv1D
    Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose Cropping1D Cropping2D
    Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding
    Flatten GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
    GroupNormalization LayerNormalization Masking MaxPooling1D MaxPooling2D MaxPooling3D
    Maximum Minimum MultiHeadAttention Multiply PReLU Permute ReLU RepeatVector Rescaling
    Reshape Resizing SeparableConv1D SeparableConv2D Softmax SpatialDropout1D SpatialDropout2D
    SpatialDropout3D Subtract UnitNormalization UpSampling1D UpSampling2D UpSampling3D
    ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """.split()
)
"""Layers that tf_keras has under the same name, with the same meaning."""

IDENTITY = frozenset({"ActivityRegularization", "Identity"})
"""Layers that hand their input on unchanged when a model is used."""

SAME_ACTIVATIONS = {
    "elu": "elu",
    "exponential": "exponential",
    "gelu": "gelu",
    "linear": "linear",
    "mish": "mish",
    "relu": "relu",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "silu": "swish",
    "softmax": "softmax",
    "softplus": "softplus",
    "softsign": "softsign",
    "swish": "swish",
    "tanh": "tanh",
}
"""Keras 3 activation → the tf_keras activation that means the same."""

IGNORED_OPTIONS = frozenset({"seed", "autocast", "use_cudnn", "flash_attention", "synchronized"})
"""Options that do not change what a used model computes."""

DEFAULTS: dict[str, Any] = {
    "data_format": "channels_last",
    "fill_mode": "constant",
    "lora_alpha": None,
    "renorm_momentum": 0.99,
}
"""Values of options unknown to tf_keras at which they change nothing, besides none and 0."""

LEAF_ALIASES = {"depthwise_kernel": "kernel"}
"""tf_keras's leaf name of a weight → Keras 3's, where they differ."""


def converts(*names: str) -> Callable[[Converter], Converter]:
    """Registers a converter for these layer types."""

    def register(function: Converter) -> Converter:
        CONVERTERS.update(dict.fromkeys(names, function))
        return function

    return register


def convert_layer(source: Any, name: str) -> Conversion:
    """The tf_keras layers that do what a Keras 3 layer does, and the weights for them.

    Raises:
        InputError: the layer's type, or an option of it, has no counterpart.
    """
    kind = type(source).__name__
    if getattr(source, "data_format", None) == "channels_first":
        raise InputError(
            f"The layer {source.name} ({kind}) uses channels_first images, which TFLite cannot "
            "run. Build the model with channels_last and save it again."
        )
    if getattr(source, "stateful", False):
        raise InputError(
            f"The layer {source.name} ({kind}) is stateful, which is not supported. Build the "
            "model with stateful=False and save it again."
        )
    if kind in CONVERTERS:
        return CONVERTERS[kind](source, name)
    if kind in SAME:
        return same(source, name)
    raise InputError(
        f"The layer {source.name} is of type {kind}, which is not supported. "
        "Replace it and save the model again."
    )


def weights_of(source: Any) -> tuple[tuple[str, np.ndarray], ...]:
    """A Keras 3 layer's weights as (leaf name, float32 array), without random seeds."""
    return tuple(
        (weight.name, np.asarray(weight, dtype=np.float32))
        for weight in source.weights
        if "seed" not in weight.name
    )


def same(source: Any, name: str, kind: str | None = None, **changes: Any) -> Conversion:
    """The layer of the same name and options, its activation split off where it must be."""
    config = source.get_config() | changes
    target = getattr(tf_keras.layers, kind or type(source).__name__)
    activation: tuple[Layer, ...] = ()
    if "activation" in config:
        config["activation"], activation = _activation(source.activation, f"{name}_activation")
        if isinstance(source, keras.layers.Activation) and activation:
            return Conversion(tuple(_renamed(layer, name) for layer in activation))
    layer = target(**_known_options(target, source, config), name=name)
    return Conversion((layer, *activation), weights_of(source))


def _renamed(layer: Layer, name: str) -> Layer:
    return type(layer).from_config(layer.get_config() | {"name": name})


def _known_options(target: type, source: Any, config: dict[str, Any]) -> dict[str, Any]:
    """The options that tf_keras's class takes; refuses others that are not at their default."""
    accepted = {
        parameter
        for base in target.__mro__
        if issubclass(base, tf_keras.layers.Layer) and base is not tf_keras.layers.Layer
        for parameter in inspect.signature(base.__init__).parameters  # type: ignore[misc]
    }
    options = {}
    for key, value in config.items():
        if _is_bookkeeping(key) or key in IGNORED_OPTIONS:
            continue
        if key in accepted:
            options[key] = value
        elif value not in (None, False, 0, DEFAULTS.get(key)):
            raise InputError(
                f"The layer {source.name} ({type(source).__name__}) has the option "
                f"{key}={value!r}, which is not supported. Save the model again without it."
            )
    return options


def _is_bookkeeping(key: str) -> bool:
    """Options about training or storage: weights are copied, computation is float32."""
    return key in {
        "name",
        "dtype",
        "trainable",
        "batch_input_shape",
        "input_length",
    } or key.endswith(("_initializer", "_regularizer", "_constraint"))


def _activation(activation: Any, name: str) -> tuple[str, tuple[Layer, ...]]:
    """What to write into the layer, and what must follow it as layers of their own."""
    if isinstance(activation, keras.layers.Layer):
        return "linear", convert_layer(activation, name).layers
    known = activation_name(activation)
    if known in SAME_ACTIVATIONS:
        return SAME_ACTIVATIONS[known], ()
    if known == "relu6":
        return "linear", (tf_keras.layers.ReLU(6.0, name=name),)
    if known == "leaky_relu":
        return "linear", (tf_keras.layers.LeakyReLU(0.2, name=name),)
    return "linear", (tf_keras.layers.Activation(flat.ACTIVATIONS[known], name=name),)


def activation_name(activation: Any) -> str:
    """The name of a Keras 3 activation function.

    Raises:
        InputError: it is not one of Keras's own.
    """
    name = str(getattr(activation, "__name__", activation))
    if name not in SAME_ACTIVATIONS and name not in flat.ACTIVATIONS:
        raise InputError(
            f"The activation {name} is not supported. Replace it and save the model again."
        )
    return name


@converts(*IDENTITY)
def _identity(source: Any, name: str) -> Conversion:
    return Conversion(())


@converts("LeakyReLU")
def _leaky_relu(source: Any, name: str) -> Conversion:
    return Conversion((tf_keras.layers.LeakyReLU(float(source.negative_slope), name=name),))


@converts("SpectralNormalization")
def _spectral_normalization(source: Any, name: str) -> Conversion:
    return convert_layer(source.layer, name)  # its stored kernel is the normalized one


@converts(*(f"Adaptive{kind}Pooling{rank}D" for kind in ("Average", "Max") for rank in (1, 2, 3)))
def _adaptive_pooling(source: Any, name: str) -> Conversion:
    """A plain pooling where the sizes divide; else the operation itself."""
    kind = type(source).__name__.removeprefix("Adaptive")
    sizes = tuple(source.input.shape[1:-1])
    wanted = (source.output_size,) if isinstance(source.output_size, int) else source.output_size
    wanted = tuple(wanted) * (len(sizes) if len(tuple(wanted)) == 1 else 1)
    if all(a and a % b == 0 for a, b in zip(sizes, wanted, strict=True)):
        windows = tuple(a // b for a, b in zip(sizes, wanted, strict=True))
        windows = windows[0] if len(windows) == 1 else windows
        return Conversion((getattr(tf_keras.layers, kind)(windows, name=name),))
    options = {"output_size": wanted, "data_format": "channels_last"}
    operation = f"Adaptive{kind.split('Pooling')[0]}Pool"
    layer = flat.TensorOperation(operation, options, [{"tensor": 0}], {}, name=name)
    return Conversion((layer,))


@converts("RMSNormalization")
def _rms_normalization(source: Any, name: str) -> Conversion:
    layer = flat.RMSNormalization(source.axis, source.epsilon, name=name)
    return Conversion((layer,), weights_of(source))


@converts("Normalization")
def _normalization(source: Any, name: str) -> Conversion:
    return Conversion((normalization(source, name),))


def normalization(source: Any, name: str) -> Layer:
    """A ``Normalization`` with the mean and variance of either Keras's layer as constants.

    An adapted tf_keras layer keeps them as weights that only take effect after another call,
    which copying weights does not make.
    """
    kept = [source.mean.shape[axis] for axis in source._keep_axis]
    return tf_keras.layers.Normalization(
        axis=source.axis or None,
        mean=np.asarray(source.mean).reshape(kept).tolist(),
        variance=np.asarray(source.variance).reshape(kept).tolist(),
        invert=source.invert,
        name=name,
    )


def copy_weights(source: Any, layer: Any, conversion: Conversion) -> None:
    """Put the source's weights into the new layer, one by one.

    Raises:
        InputError: number, names or shapes differ, so the two are not the same layer.
    """
    if len(layer.weights) != len(conversion.weights):
        raise _different(source, f"{len(conversion.weights)} weights, not {len(layer.weights)}")
    for variable, (leaf, _) in zip(layer.weights, conversion.weights, strict=True):
        own = variable.name.split("/")[-1].split(":")[0]
        if leaf not in (own, LEAF_ALIASES.get(own)):
            raise _different(source, f"the weight {leaf} where {own} is expected")
    for variable, (leaf, array) in zip(layer.weights, conversion.weights, strict=True):
        if tuple(variable.shape) != array.shape:
            raise _different(source, f"{leaf} of shape {array.shape}, not {tuple(variable.shape)}")
        if not np.isfinite(array).all():
            raise InputError(
                f"The weight {leaf} of the layer {source.name} contains NaN or infinite values. "
                "The training diverged; train the model again and save it."
            )
        variable.assign(array)


def _different(source: Any, what: str) -> InputError:
    return InputError(
        f"The layer {source.name} ({type(source).__name__}) has {what}, so it cannot be brought "
        "to Keras 2. Save the model again with a current Keras 3."
    )
