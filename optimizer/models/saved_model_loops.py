"""Loops in a SavedModel's graph, which TFLite takes with a batch of one only. Stages only.

Recurrent layers keep the steps of a sequence in tensor lists, and the graph says of which shape
a step is: (any number of samples, features). The converter needs that shape in full.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_SHAPE_INPUT = {
    "TensorListReserve": 0,
    "TensorListFromTensor": 1,
    "TensorListStack": 1,
    "TensorListGetItem": 2,
}
"""Operation → which of its inputs is the shape of one element."""


def fix_batch_of_one(meta: Any) -> None:
    """Make the serving signature, and the elements of its lists, of one sample.

    Args:
        meta: a sanitized ``MetaGraphDef``, changed in place.
    """
    for function in meta.graph_def.library.function:
        nodes = {node.name: node for node in function.node_def}
        for node in function.node_def:
            if "output_shapes" in node.attr:
                del node.attr["output_shapes"]
            if node.op in _SHAPE_INPUT:
                _fix_constant(nodes.get(node.input[_SHAPE_INPUT[node.op]].split(":")[0]))
    for function in meta.object_graph_def.concrete_functions.values():
        for argument in function.canonicalized_input_signature.tuple_value.values:
            for field in argument.dict_value.fields.values():
                sizes = field.tensor_spec_value.shape.dim
                if sizes and sizes[0].size == -1:
                    sizes[0].size = 1


def _fix_constant(node: Any) -> None:
    if node is None or node.op != "Const":
        return
    shape = tf.make_ndarray(node.attr["value"].tensor).copy()
    if shape.ndim == 1 and shape.size and shape[0] == -1:
        shape[0] = 1
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(shape))
