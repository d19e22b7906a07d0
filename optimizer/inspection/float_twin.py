"""A quantized ``.tflite`` interpreted in floating point: the same weights, nothing rounded.

Every quantized tensor becomes float32: constants take the real values that their stored integers
stand for, and operators that only convert between the two are left out. What the twin computes
and the file does not is what quantizing *activations* costs: the weights are the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from optimizer.inspection.rewrite import packed, unpacked

_STORED = {
    schema.TensorType.INT8: np.int8,
    schema.TensorType.UINT8: np.uint8,
    schema.TensorType.INT16: np.int16,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT64: np.int64,
}
_CONVERTERS = (schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE)


@dataclass(frozen=True)
class FloatTwin:
    """A file in floating point.

    Attributes:
        data: the file.
        same: tensor of the main graph's original → the tensor of the twin that holds the same
            value, for those that are another one.
    """

    data: bytes
    same: dict[int, int]


def float_twin(data: bytes) -> FloatTwin | None:
    """The twin of a file, or ``None`` when nothing in it is quantized.

    Raises:
        StageError: see :func:`optimizer.inspection.rewrite.unpacked`.
    """
    model = unpacked(data)
    changed = [_in_float(model, tensor) for graph in model.subgraphs for tensor in graph.tensors]
    if not any(changed):
        return None
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode or 0) for code in model.operatorCodes]
    same = [_without_converters(graph, codes) for graph in model.subgraphs]
    for signature in model.signatureDefs or ():
        moved = same[signature.subgraphIndex]
        for end in (*signature.inputs, *signature.outputs):
            end.tensorIndex = moved.get(end.tensorIndex, end.tensorIndex)
    return FloatTwin(packed(model), same[0])


def _in_float(model: Any, tensor: Any) -> bool:
    """Turn a quantized tensor into float32; false for any other."""
    quantization = tensor.quantization
    scales = None if quantization is None else quantization.scale
    if scales is None or len(scales) == 0 or tensor.type not in _STORED:
        return False
    buffer = model.buffers[tensor.buffer]
    if buffer.data is not None and len(buffer.data):
        stored = np.frombuffer(bytes(buffer.data), _STORED[tensor.type])
        real = _real_values(stored.reshape(tensor.shape), quantization)
        added = schema.BufferT()
        added.data = np.frombuffer(real.tobytes(), np.uint8)
        model.buffers.append(added)  # of its own: another tensor may read these bytes otherwise
        tensor.buffer = len(model.buffers) - 1
    tensor.type = schema.TensorType.FLOAT32
    tensor.quantization = None
    return True


def _real_values(stored: np.ndarray, quantization: Any) -> np.ndarray:
    scale = np.asarray(quantization.scale, np.float64)
    zero = np.zeros(len(scale), np.int64)
    if quantization.zeroPoint is not None and len(quantization.zeroPoint):
        zero[:] = quantization.zeroPoint
    shape = [1] * stored.ndim
    if len(scale) > 1:
        shape[quantization.quantizedDimension] = len(scale)
    elif stored.ndim == 0:
        shape = []
    real = (stored.astype(np.int64) - zero.reshape(shape)) * scale.reshape(shape)
    return real.astype(np.float32)


def _without_converters(graph: Any, codes: list[int]) -> dict[int, int]:
    """Leave out operators that convert float32 to float32; which tensor stands for which."""
    same: dict[int, int] = {}
    kept = []
    for operator in graph.operators:
        operator.inputs = _moved(operator.inputs, same)
        ends = (*operator.inputs, *operator.outputs)
        in_float = all(graph.tensors[i].type == schema.TensorType.FLOAT32 for i in ends if i >= 0)
        if codes[operator.opcodeIndex] in _CONVERTERS and in_float:
            same[int(operator.outputs[0])] = int(operator.inputs[0])
        else:
            kept.append(operator)
    graph.operators = kept
    graph.outputs = _moved(graph.outputs, same)
    return same


def _moved(indices: Iterable[int], same: dict[int, int]) -> np.ndarray:
    return np.array([same.get(int(i), int(i)) for i in indices], np.int32)
