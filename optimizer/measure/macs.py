"""Multiply-accumulates of one inference, counted from the operators of a ``.tflite``."""

from __future__ import annotations

import math
from collections.abc import Callable

from optimizer.measure.flatbuffer import Graph, Operator

Shape = tuple[int, ...]


def _product(shape: Shape) -> int:
    return math.prod(abs(size) for size in shape)


def _by_output_filter(output: Shape, inputs: list[Shape]) -> int:
    """Every output value sums over one filter, whose shape is all but the output channels."""
    return _product(output) * _product(inputs[1][1:])


_COUNTS: dict[str, Callable[[Shape, list[Shape]], int]] = {
    "CONV_2D": _by_output_filter,
    "FULLY_CONNECTED": _by_output_filter,
    "DEPTHWISE_CONV_2D": lambda output, inputs: _product(output) * _product(inputs[1][1:3]),
    "CONV_3D": lambda output, inputs: _product(output) * _product(inputs[1][:4]),
    "TRANSPOSE_CONV": lambda output, inputs: (
        _product(inputs[2]) * _product(inputs[1][:1]) * _product(inputs[1][1:3])
    ),
    "BATCH_MATMUL": lambda output, inputs: _product(output) * inputs[0][-1],
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lambda output, inputs: (
        _product(output[:-1]) * sum(_product(shape) for shape in inputs[1:9] if len(shape) == 2)
    ),
}


def multiply_accumulates(graph: Graph) -> int:
    """Of one inference with a batch of one, over convolutions, dense layers and matrix products.

    Loop bodies (recurrent layers that were not fused) are not counted.
    """
    return sum(operator_macs(graph, operator) for operator in graph.operators)


def operator_macs(graph: Graph, operator: Operator) -> int:
    """Of one operator; 0 for kinds that :func:`multiply_accumulates` does not count."""
    count = _COUNTS.get(operator.kind)
    if count is None or not operator.outputs:
        return 0
    shapes = [graph.tensors[index].shape if index >= 0 else () for index in operator.inputs]
    try:
        return count(graph.tensors[operator.outputs[0]].shape, shapes)
    except IndexError:
        return 0
