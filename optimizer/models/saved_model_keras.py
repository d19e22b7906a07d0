"""A Keras 2 SavedModel's layers, rebuilt without executing its graph. Stage processes only.

``model.save(folder)`` of TensorFlow 2 keeps each layer's configuration in ``keras_metadata.pb``
(before 2.5 beside the layer in ``saved_model.pb``) and the weights in a checkpoint, at paths
such as ``layer_with_weights-0/kernel``. The model is built anew from a cleaned configuration, as
from a ``.keras`` file, and its weights are read from the checkpoint.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2
from tf_keras.protobuf import saved_metadata_pb2

from optimizer.errors import InputError, reason_of
from optimizer.models.config_graph import (
    has_input_shape,
    refuse_broken_graphs,
    refuse_oversized,
)
from optimizer.models.config_rules import cleaned
from optimizer.models.containers import parse_json
from optimizer.models.old_config import up_to_date
from optimizer.models.saved_model import SavedModel, write_members
from optimizer.models.saved_model_archive import GRAPH, KERAS_METADATA, read_saved_model
from optimizer.models.verify import Verification, compared
from optimizer.models.walk import input_name

_CHECKPOINT = "variables/variables"
_KERAS_MODELS = frozenset({"_tf_keras_model", "_tf_keras_network", "_tf_keras_sequential"})


def has_layers(data: bytes) -> bool:
    """Whether a zipped SavedModel, which was opened before, says what layers it is made of."""
    members = read_saved_model(data)
    return KERAS_METADATA in members or bool(_root_in_graph(members))


def rebuild(data: bytes) -> tuple[tf_keras.Model, tuple[str, ...]]:
    """The Keras model in a zipped SavedModel with its weights, and notes about its configuration.

    Raises:
        InputError: it has no such model, or one with what cannot be rebuilt.
    """
    members = read_saved_model(data)
    config, notes = cleaned(_configuration(members))
    refuse_broken_graphs(config)
    if not has_input_shape(config):
        raise InputError("it does not say what shape it takes")
    with tempfile.TemporaryDirectory() as folder:
        kept = {name: members[name] for name in members if name.startswith("variables/")}
        write_members(kept, Path(folder))
        prefix = str(Path(folder) / _CHECKPOINT)
        try:
            shapes = tf.train.load_checkpoint(prefix).get_variable_to_shape_map().values()
            refuse_oversized(config, {tuple(shape) for shape in shapes})
            model = tf_keras.models.model_from_config(config)
            model.load_weights(prefix).assert_existing_objects_matched()
        except InputError:
            raise
        except Exception as error:
            raise InputError(reason_of(error)) from error
    for layer in model._flatten_layers():
        if isinstance(layer, tf_keras.layers.Normalization):
            layer.finalize_state()
    return model, notes


def _configuration(members: dict[str, bytes]) -> dict[str, Any]:
    """The configuration of the whole model, not yet cleaned."""
    roots = _roots(members)
    if len(roots) != 1:
        raise InputError(f"it describes {len(roots)} models where there should be one")
    root = parse_json(roots[0], KERAS_METADATA)
    if not isinstance(root, dict) or not isinstance(root.get("config"), dict):
        raise InputError("it is a subclassed model, without a configuration to rebuild it from")
    config = {"class_name": root.get("class_name"), "config": _plain(root["config"])}
    return dict(up_to_date(config, keras=2))


def _roots(members: dict[str, bytes]) -> list[str]:
    if KERAS_METADATA not in members:
        return _root_in_graph(members)
    metadata = saved_metadata_pb2.SavedMetadata()
    try:
        metadata.ParseFromString(members[KERAS_METADATA])
    except DecodeError:
        raise InputError("it has no readable description of its layers") from None
    return [node.metadata for node in metadata.nodes if node.node_path == "root"]


def _root_in_graph(members: dict[str, bytes]) -> list[str]:
    """The description of the model where TensorFlow 2.0 to 2.4 kept it."""
    graphs = saved_model_pb2.SavedModel.FromString(members[GRAPH]).meta_graphs
    nodes = graphs[0].object_graph_def.nodes[:1] if graphs else []
    described = [node.user_object for node in nodes if node.WhichOneof("kind") == "user_object"]
    return [
        str(item.metadata)
        for item in described
        if item.identifier in _KERAS_MODELS and item.metadata
    ]


def _plain(node: Any) -> Any:
    """The configuration with the tuples and shapes that this format writes as objects as lists."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("class_name") in ("__tuple__", "TensorShape") and "items" in node:
        return _plain(node["items"])
    return {key: _plain(value) for key, value in node.items()}


def compare_with_signature(
    model: tf_keras.Model, saved: SavedModel, inputs: list[np.ndarray]
) -> Verification:
    """Compare a rebuilt model with what the SavedModel itself answers.

    Args:
        inputs: in the order of ``model.inputs``.

    Raises:
        InputError: names, shapes or values differ.
    """
    names = [input_name(tensor) for tensor in model.inputs]
    wanted = [spec.name for spec in saved.inputs]
    if len(names) > 1 and set(names) != set(wanted):
        raise InputError(f"its signature takes {', '.join(wanted)}, its layers {', '.join(names)}")
    by_name = dict(zip(names if len(names) > 1 else wanted, inputs, strict=True))
    expected = saved.call([by_name[name] for name in wanted])
    given = [array.astype(t.dtype.name) for array, t in zip(inputs, model.inputs, strict=True)]
    result = model(given[0] if len(given) == 1 else given, training=False)
    actual = [np.asarray(output) for output in tf.nest.flatten(result)]
    if len(actual) != len(expected):
        raise InputError(f"its signature gives {len(expected)} outputs, its layers {len(actual)}")
    if len(actual) > 1:
        order = {name: number for number, (name, _) in enumerate(saved.outputs)}
        if set(order) != set(model.output_names):
            raise InputError("its signature and its layers give outputs of different names")
        expected = [expected[order[name]] for name in model.output_names]
    return compared(expected, actual, [], "rebuilt from its layers")
