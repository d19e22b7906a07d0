"""Reading and rebuilding the graph of a flat tf_keras model. Runs in stage processes only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import tensorflow as tf
import tf_keras as keras


def inbound_layers(layer: Any) -> list[Any]:
    """The layers whose outputs a layer of a flat model consumes, over all its calls."""
    return [
        source for node in layer._inbound_nodes for source in tf.nest.flatten(node.inbound_layers)
    ]


def outbound_layers(layer: Any) -> list[Any]:
    """The layers that consume a layer's output."""
    return [node.outbound_layer for node in layer._outbound_nodes]


def output_names(model: Any) -> set[str]:
    """The names of the layers whose outputs are outputs of the model."""
    return {tensor._keras_history.layer.name for tensor in model.outputs}


def is_shared(layer: Any) -> bool:
    """Whether a layer is called more than once in its model."""
    return len(layer._inbound_nodes) > 1


def unwrapped(layer: Any) -> Any:
    """The layer inside tfmot's wrapper; Keras's own Bidirectional and TimeDistributed stay."""
    of_keras = (keras.layers.Bidirectional, keras.layers.TimeDistributed)
    wrapped = isinstance(layer, keras.layers.Wrapper) and type(layer) not in of_keras
    return layer.layer if wrapped else layer


def clone(model: Any) -> Any:
    """A copy with layers and weights of its own: tfmot's wrappers mutate what they wrap."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def rebuild(
    model: Any,
    dropped: Collection[str],
    replaced: Mapping[str, Any],
    followed: Mapping[str, Any] | None = None,
) -> Any:
    """The same graph with some layers left out, others replaced or followed by a new one.

    Args:
        model: a flat functional tf_keras model.
        dropped: names of layers with one input that pass it on unchanged.
        replaced: layer name → a new layer with the same call signature.
        followed: layer name (inputs too) → a new layer to put behind its output.

    Returns:
        A model with fresh layers; weights of layers that were neither dropped nor replaced
        are copied.
    """
    tensors: dict[str, Any] = {}
    fresh: dict[str, Any] = dict(replaced)
    followed = followed or {}
    inputs = []
    for tensor in model.inputs:
        layer = tensor._keras_history.layer
        config = layer.get_config()
        source = keras.Input(
            batch_shape=config["batch_input_shape"], dtype=config["dtype"], name=layer.name
        )
        inputs.append(source)
        tensors[str(id(tensor))] = (
            followed[layer.name](source) if layer.name in followed else source
        )
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            layer = node.outbound_layer
            if isinstance(layer, keras.layers.InputLayer):
                continue
            used = [key for key, _ in node._keras_inputs_ids_and_indices]
            arguments, keywords = node.map_arguments(
                {key: [tensors[key]] * len(used) for key in used}
            )
            if layer.name in dropped:
                result = arguments[0]
            else:
                if layer.name not in fresh:
                    fresh[layer.name] = layer.__class__.from_config(layer.get_config())
                result = fresh[layer.name](*arguments, **keywords)
            if layer.name in followed:
                result = followed[layer.name](result)
            for old, new in zip(
                tf.nest.flatten(node.outputs), tf.nest.flatten(result), strict=True
            ):
                tensors[str(id(old))] = new
    outputs = tf.nest.map_structure(lambda tensor: tensors[str(id(tensor))], model.outputs)
    rebuilt = keras.Model(inputs, outputs, name=model.name)
    for name, layer in fresh.items():
        if name not in replaced:
            layer.set_weights(model.get_layer(name).get_weights())
    return rebuilt


def output_activation(tensor: Any) -> str:
    """The activation that an output of a model ends in; ``linear`` for logits."""
    layer = tensor._keras_history.layer
    while isinstance(layer, (keras.layers.Reshape, keras.layers.Flatten)):
        layer = layer.inbound_nodes[0].inbound_layers
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    activation = getattr(layer, "activation", None)
    return str(keras.activations.serialize(activation)) if activation else "linear"
