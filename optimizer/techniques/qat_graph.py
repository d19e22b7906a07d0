"""Making a flat float model ready for QAT, and its fake-quantized twin. Runs in stages only.

The model is first put into a form TFLite executes as it stands: BatchNormalization folded into
the linear layer before it, plain ReLU fused into it, separable convolutions split. What tfmot's
registry covers is then annotated layer by layer (its ``quantize_model`` aborts on the first
layer it does not know); the rest stays in float.

Source: https://www.tensorflow.org/model_optimization/guide/quantization/training and
Jacob et al. 2018 (arXiv:1712.05877).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import tf_keras as keras
from tensorflow_model_optimization.python.core.quantization.keras import quantizers
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
    default_8bit_quantize_configs as configs,
)
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
    default_8bit_quantize_registry as registry,
)
from tensorflow_model_optimization.python.core.quantization.keras.quantize_layer import (
    QuantizeLayer,
)
from tensorflow_model_optimization.python.core.quantization.keras.quantize_wrapper import (
    QuantizeWrapperV2,
)

from optimizer.techniques.eligible import FOLDABLE, quantizable
from optimizer.techniques.folding import fold_into_previous
from optimizer.techniques.graph import (
    inbound_layers,
    is_shared,
    outbound_layers,
    output_names,
    rebuild,
)
from optimizer.techniques.preserving import LayerConfig, Pattern

layers = keras.layers

WEIGHTS: dict[type, tuple[str, ...]] = {
    layers.Conv2D: ("kernel",),
    layers.DepthwiseConv2D: ("depthwise_kernel",),
    layers.Conv2DTranspose: ("kernel",),
    layers.Dense: ("kernel",),
}
"""The kernels that QAT fake-quantizes, by exact layer type."""


_DEPTHWISE_PART = "_depthwise"
"""What the depthwise half of a split separable convolution is called, after its layer."""


def prepare(model: Any) -> Any:
    """The same function in the form TFLite executes it: see the module's docstring.

    The outputs equal the model's in inference up to float rounding.
    """
    return _fuse_relu(fold_into_previous(_split_separable(model)))


def covered(model: Any, skipped: Collection[str] = ()) -> set[str]:
    """The layers of a prepared model that quantization-aware training covers."""
    return {
        name
        for name, why in quantizable(model).items()
        if why is None and name.removesuffix(_DEPTHWISE_PART) not in skipped
    }


def quantized_twin(
    model: Any,
    patterns: Mapping[str, Mapping[str, Pattern]],
    *,
    skipped: Collection[str] = (),
    per_channel: bool = True,
) -> Any:
    """A fake-quantized copy of a prepared model, with copied weights.

    Args:
        model: what :func:`prepare` returned.
        patterns: layer name → weight attribute → pattern to preserve.
        skipped: layers that stay in float although they could be covered.
        per_channel: whether each output channel of a convolution has a scale of its own.

    Returns:
        A tf_keras model. Its variables do not depend on ``patterns``.
    """
    chosen = covered(model, skipped)
    defaults = registry.Default8BitQuantizeRegistry(disable_per_axis=not per_channel)
    wrappers: dict[str, Any] = {}
    boundaries: dict[str, Any] = {}
    for layer in model.layers:
        if layer.name in chosen and not isinstance(layer, layers.InputLayer):
            if defaults.supports(layer):
                inner = defaults.get_quantize_config(layer)
            else:
                inner = configs.Default8BitOutputQuantizeConfig()
            fused = _quantized_by_consumer(layer, chosen)
            config = LayerConfig(inner, patterns.get(layer.name, {}), quantize_output=not fused)
            copy = layer.__class__.from_config(layer.get_config())
            wrappers[layer.name] = QuantizeWrapperV2(copy, config, name_prefix="quant_")
        elif _feeds(layer, chosen):
            quantizer = quantizers.AllValuesQuantizer(8, False, False, False)
            boundaries[layer.name] = QuantizeLayer(quantizer, name=f"quantize_{layer.name}")
    twin = rebuild(model, (), wrappers, boundaries)
    for name, wrapper in wrappers.items():
        inside = weights_by_name(wrapper)
        for leaf, value in weights_by_name(model.get_layer(name)).items():
            inside[leaf].assign(value)
    return twin


def weights_by_name(layer: Any) -> dict[str, Any]:
    """A layer's variables by the last part of their names, such as ``kernel``.

    A tfmot wrapper holds its layer's variables under the same names, beside its ranges.
    """
    return {weight.name.split("/")[-1].split(":")[0]: weight for weight in layer.weights}


def _feeds(layer: Any, chosen: set[str]) -> bool:
    """Whether a float layer's float output enters a quantized layer."""
    if layer.name in chosen and not isinstance(layer, layers.InputLayer):
        return False
    is_float = "float" in str(getattr(layer.output, "dtype", ""))
    return is_float and any(consumer.name in chosen for consumer in outbound_layers(layer))


def _quantized_by_consumer(layer: Any, chosen: set[str]) -> bool:
    """Whether the range is taken after the only consumer, into which TFLite fuses this layer.

    So it is for a ReLU behind a linear layer, and for concatenation, whose inputs and output
    share one scale.
    """
    consumers = outbound_layers(layer)
    if len(consumers) != 1 or consumers[0].name not in chosen:
        return False
    if type(consumers[0]) is layers.Concatenate:
        return type(layer) in WEIGHTS
    linear = getattr(layer, "activation", keras.activations.linear) is keras.activations.linear
    return isinstance(layer, (*FOLDABLE, layers.Add)) and linear and _is_relu(consumers[0])


def _is_relu(layer: Any) -> bool:
    if type(layer) is layers.Activation:
        return layer.activation is keras.activations.relu
    if type(layer) is not layers.ReLU or layer.negative_slope or layer.threshold:
        return False
    return layer.max_value is None or float(layer.max_value) == 6.0


def _fuse_relu(model: Any) -> Any:
    """Move a plain ReLU (without a maximum) into the linear layer before it."""
    outputs = output_names(model)
    dropped: set[str] = set()
    replaced: dict[str, Any] = {}
    for layer in model.layers:
        before = inbound_layers(layer)
        plain = _is_relu(layer) and getattr(layer, "max_value", None) is None
        if not plain or is_shared(layer) or len(before) != 1 or type(before[0]) not in FOLDABLE:
            continue
        linear = before[0].activation is keras.activations.linear
        alone = len(outbound_layers(before[0])) == 1 and before[0].name not in outputs
        if linear and alone and not is_shared(before[0]):
            config = {**before[0].get_config(), "activation": "relu"}
            replaced[before[0].name] = before[0].__class__.from_config(config)
            dropped.add(layer.name)
    fused = rebuild(model, dropped, replaced)
    for name in replaced:
        fused.get_layer(name).set_weights(model.get_layer(name).get_weights())
    return fused


def _split_separable(model: Any) -> Any:
    """SeparableConv2D as a depthwise and a 1×1 convolution, exactly."""
    separable = [
        layer
        for layer in model.layers
        if type(layer) is layers.SeparableConv2D and not is_shared(layer)
    ]
    pairs = {layer.name: _SeparablePair(layer) for layer in separable}
    split = rebuild(model, set(), pairs)
    for pair in pairs.values():
        pair.copy_weights()
    return split


class _SeparablePair:
    """Callable as a layer is, but making two layers in the graph."""

    def __init__(self, layer: Any) -> None:
        config = layer.get_config()
        self._weights = layer.get_weights()
        self._depthwise = layers.DepthwiseConv2D(
            config["kernel_size"],
            strides=config["strides"],
            padding=config["padding"],
            depth_multiplier=config["depth_multiplier"],
            dilation_rate=config["dilation_rate"],
            data_format=config["data_format"],
            use_bias=False,
            name=f"{layer.name}{_DEPTHWISE_PART}",
        )
        self._pointwise = layers.Conv2D(
            config["filters"],
            1,
            use_bias=config["use_bias"],
            activation=config["activation"],
            data_format=config["data_format"],
            name=layer.name,
        )

    def __call__(self, inputs: Any) -> Any:
        return self._pointwise(self._depthwise(inputs))

    def copy_weights(self) -> None:
        self._depthwise.set_weights(self._weights[:1])
        self._pointwise.set_weights(self._weights[1:])
