"""What is inside a ``.tflite`` as it ships: weights, sizes, sparsity, distinct values.

Weights are the constant tensors that operators multiply with: kernels of convolutions, dense
layers, embeddings and recurrent cells. *Prunable* weights are those that pruning and
clustering act on: all of them except the kernels of depthwise convolutions, which tfmot leaves
alone. Biases, BatchNormalization constants and the like are parameters, but not weights here.
"""

from __future__ import annotations

import gzip
import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from optimizer.errors import InputError
from optimizer.measure.flatbuffer import Graph, parse
from optimizer.measure.macs import multiply_accumulates
from optimizer.measure.weights import (
    WEIGHT_INPUTS,
    Weight,
    constants_passed_on,
    has_real_values,
    read_weights,
    uniquely_named,
)

MAX_SHARING = 64
"""Weights may take this many times the file's bytes; tensors of equal content share theirs."""


@dataclass(frozen=True, eq=False)
class TfliteFile:
    """A ``.tflite`` read into plain values.

    Attributes:
        weights: in the order of the operators that use them; a shared tensor appears once.
        parameter_bytes: bytes of all weights, biases and other constants with real values
            (shapes, axes and other integer arguments are not parameters); a buffer that
            several tensors share counts once.
        parameters: number of values in them.
        input_dtype, output_dtype: of the first input and output.
        ops: number of operators by the kind of arithmetic: ``float32``, ``int8``, ``int16``,
            ``hybrid`` (quantized weights, float activations) and so on.
        float_operators: TFLite operator → how many of its kind compute in float32; converting
            to and from float is not computing.
        macs: multiply-accumulates of one inference, see :func:`multiply_accumulates`.
        sparse_tensors: constants in TFLite's sparse encoding.
    """

    data: bytes = field(repr=False)
    weights: tuple[Weight, ...]
    parameter_bytes: int
    parameters: int
    input_dtype: str
    output_dtype: str
    ops: dict[str, int]
    float_operators: dict[str, int]
    macs: int
    sparse_tensors: int

    @classmethod
    def read(cls, data: bytes, known_layers: Collection[str] = ()) -> TfliteFile:
        """Read a ``.tflite``.

        Args:
            data: the file.
            known_layers: Keras layer names, to name weights exactly.

        Raises:
            InputError: not a TensorFlow Lite file, damaged, or weights in an encoding that
                cannot be read.
        """
        graphs = parse(data)
        known = frozenset(known_layers)
        weights = [weight for graph in graphs for weight in read_weights(graph, known)]
        read_bytes = sum(weight.size_bytes for weight in weights)
        if read_bytes > MAX_SHARING * len(data):
            raise InputError(
                f"This TensorFlow Lite file of {len(data)} bytes uses the same bytes over and "
                f"over as {read_bytes} bytes of weights; it is damaged. Export it again."
            )
        main = graphs[0]
        constants = _parameter_buffers(graphs)
        return cls(
            data=data,
            weights=tuple(uniquely_named(weights)),
            parameter_bytes=sum(stored.nbytes for stored, _ in constants.values()),
            parameters=sum(math.prod(shape) for _, shape in constants.values()),
            input_dtype=_dtype_of(main, main.inputs),
            output_dtype=_dtype_of(main, main.outputs),
            ops=dict(sum((_arithmetic(graph) for graph in graphs), Counter[str]())),
            float_operators=dict(sum((_in_float(graph) for graph in graphs), Counter[str]())),
            macs=multiply_accumulates(main),
            sparse_tensors=sum(t.encoding is not None for g in graphs for t in g.tensors),
        )

    @property
    def size_bytes(self) -> int:
        """The file as it ships."""
        return len(self.data)

    @cached_property
    def gzip_bytes(self) -> int:
        """The file compressed with gzip level 9, no time stamp: what a download costs."""
        return len(gzip.compress(self.data, 9, mtime=0))

    @property
    def sparsity(self) -> float:
        """Share of zeros over all prunable weights, 0 to 1."""
        prunable = [weight for weight in self.weights if weight.prunable]
        total = sum(weight.stored.size for weight in prunable)
        return sum(weight.zeros for weight in prunable) / total if total else 0.0

    @property
    def max_distinct_weights(self) -> int:
        """Largest number of distinct values in a prunable tensor, per channel where that is
        how it is quantized.
        """
        return max((w.distinct_shared for w in self.weights if w.prunable), default=0)


def describe(tflite: bytes, known_layers: Collection[str] = ()) -> dict[str, Any]:
    """The contents of ``layers.json``: the file's summary and one entry per weight tensor.

    Args:
        tflite: the file.
        known_layers: Keras layer names; with them every name in the result that can be told
            is exactly one of them.

    Raises:
        InputError: see :meth:`TfliteFile.read`.
    """
    file = TfliteFile.read(tflite, known_layers)
    return {
        "size_bytes": file.size_bytes,
        "gzip_bytes": file.gzip_bytes,
        "parameter_bytes": file.parameter_bytes,
        "sparsity": file.sparsity,
        "max_distinct_weights": file.max_distinct_weights,
        "input_dtype": file.input_dtype,
        "output_dtype": file.output_dtype,
        "ops": file.ops,
        "float_operators": file.float_operators,
        "macs": file.macs,
        "layers": [
            {
                "name": weight.name,
                "type": weight.op,
                "shape": list(weight.shape),
                "dtype": weight.dtype,
                "sparsity": weight.sparsity,
                "distinct": weight.distinct,
                "distinct_per_channel": weight.distinct_per_channel,
                "per_channel": weight.per_channel,
                "prunable": weight.prunable,
                "bytes": weight.size_bytes,
            }
            for weight in file.weights
        ],
    }


def operators_of(tflite: bytes) -> tuple[dict[str, int], dict[str, int]]:
    """``ops`` and ``float_operators`` of :class:`TfliteFile`, without reading the weights.

    Raises:
        InputError: not a TensorFlow Lite file, or damaged.
    """
    graphs = parse(tflite)
    kinds = sum((_arithmetic(graph) for graph in graphs), Counter[str]())
    return dict(kinds), dict(sum((_in_float(graph) for graph in graphs), Counter[str]()))


def _parameter_buffers(
    graphs: tuple[Graph, ...],
) -> dict[int, tuple[np.ndarray, tuple[int, ...]]]:
    """Buffer index → its bytes and shape, for each buffer of parameters some operator reads."""
    buffers: dict[int, tuple[np.ndarray, tuple[int, ...]]] = {}
    for graph in graphs:
        used = {index for operator in graph.operators for index in operator.inputs if index >= 0}
        for tensor in (graph.tensors[index] for index in used):
            if tensor.stored is not None and has_real_values(tensor):
                buffers[tensor.buffer] = tensor.stored, tensor.shape
    return buffers


def _dtype_of(graph: Graph, indices: tuple[int, ...]) -> str:
    return graph.tensors[indices[0]].dtype if indices and indices[0] >= 0 else "none"


def _arithmetic(graph: Graph) -> Counter[str]:
    sources = constants_passed_on(graph)
    counts: Counter[str] = Counter()
    for operator in graph.operators:
        if not operator.outputs or operator.outputs[0] in sources or operator.outputs[0] < 0:
            continue
        kind = graph.tensors[operator.outputs[0]].dtype
        weights = [
            graph.tensors[operator.inputs[position]].dtype
            for position in WEIGHT_INPUTS.get(operator.kind, {})
            if position < len(operator.inputs) and operator.inputs[position] >= 0
        ]
        hybrid = kind == "float32" and any(dtype.startswith("int") for dtype in weights)
        counts["hybrid" if hybrid else kind] += 1
    return counts


def _in_float(graph: Graph) -> Counter[str]:
    """Operators whose result is a float32 that was computed, not converted."""
    sources = constants_passed_on(graph)
    return Counter(
        operator.kind
        for operator in graph.operators
        if operator.kind not in ("DEQUANTIZE", "QUANTIZE", "DENSIFY")
        and any(
            index >= 0 and graph.tensors[index].dtype == "float32" for index in operator.outputs
        )
        and not any(index in sources for index in operator.outputs)
    )
