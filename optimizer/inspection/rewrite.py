"""Other ``.tflite`` files made out of one: its first operators alone.

Uses TensorFlow Lite's own schema (``ai_edge_litert.schema_py_generated``). Only for files that
:func:`optimizer.measure.flatbuffer.parse` has read.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from optimizer.errors import StageError
from optimizer.measure.flatbuffer import FILE_IDENTIFIER, parse
from optimizer.measure.weights import constants_passed_on


def unpacked(data: bytes) -> Any:
    """A file as the schema's ``ModelT``, which may be changed.

    Raises:
        StageError: its weights lie behind the flatbuffer, as in files above 2 GB.
    """
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    if any(buffer.offset > 1 for buffer in model.buffers):
        raise StageError(
            "This TensorFlow Lite file keeps its weights outside its tables, as files above 2 GB "
            "do. It cannot be taken apart."
        )
    return model


def packed(model: Any) -> bytes:
    """A ``ModelT`` as a file."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def first_operators(data: bytes, count: int) -> bytes:
    """The file that ends after its first ``count`` operators.

    Its outputs are the values that the operators left out would read, and the model's outputs
    as far as they are there. Constants that only operators left out would use are not decoded.
    With ``count`` 0 it does nothing: its outputs are its inputs.

    Args:
        data: a ``.tflite``.
        count: operators of its main graph to keep.

    Raises:
        StageError: see :func:`unpacked`.
    """
    decoded = set(constants_passed_on(parse(data)[0]))
    model = unpacked(data)
    graph = model.subgraphs[0]
    kept, rest = graph.operators[:count], graph.operators[count:]
    made = {int(index) for operator in kept for index in operator.outputs} - decoded
    wanted = {int(index) for operator in rest for index in operator.inputs}
    ends = sorted(made & (wanted | {int(index) for index in graph.outputs}))
    graph.operators = _without_idle(kept, decoded)
    graph.outputs = np.array(ends or list(graph.inputs), np.int32)
    model.signatureDefs = None
    _drop_unread(model)
    return packed(model)


def _without_idle(operators: list[Any], decoded: set[int]) -> list[Any]:
    """Operators without those that decode constants that none of them reads."""
    read = {int(index) for operator in operators for index in operator.inputs}
    while True:
        kept = [each for each in operators if not decoded & set(each.outputs) - read]
        if len(kept) == len(operators):
            return kept
        operators = kept
        read = {int(index) for operator in operators for index in operator.inputs}


def _drop_unread(model: Any) -> None:
    """Empty the buffers that no operator reads any more, so that a short file is a small one."""
    read = {0}
    for graph in model.subgraphs:
        used = {int(i) for operator in graph.operators for i in operator.inputs if i >= 0}
        used |= {int(index) for index in (*graph.inputs, *graph.outputs)}
        read |= {graph.tensors[index].buffer for index in used}
    read |= {metadata.buffer for metadata in model.metadata or ()}
    for index, buffer in enumerate(model.buffers):
        if index not in read:
            buffer.data = None
