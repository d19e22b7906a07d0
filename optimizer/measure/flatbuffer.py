"""A ``.tflite`` file as plain values: graphs, operators, tensors and their stored bytes.

The schema is that of TensorFlow Lite (``ai_edge_litert.schema_py_generated``, generated from
tensorflow/compiler/mlir/lite/schema/schema.fbs). The flatbuffers runtime for Python checks
nothing, so every count is bounded here and every malformed offset becomes an ``InputError``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from optimizer.errors import InputError
from optimizer.measure.sparse import SparseEncoding, read_encoding

FILE_IDENTIFIER = b"TFL3"
MAX_OBJECTS = 1_000_000
"""Most tables and vector items read from one file; real files have some thousands."""

_MALFORMED = (struct.error, IndexError, ValueError, TypeError, OverflowError, AttributeError)


def _names(enumeration: type) -> dict[int, str]:
    return {v: k for k, v in vars(enumeration).items() if isinstance(v, int)}


_OPERATORS = _names(schema.BuiltinOperator)
_DTYPES = {k: v.lower() for k, v in _names(schema.TensorType).items()}


@dataclass(frozen=True, eq=False)
class Quantization:
    """real value = scale · (stored − zero_point), per tensor or along ``axis``.

    Attributes:
        scale: float32, shape (1,) per tensor or (channels,) per channel.
        zero_point: int64, the same shape.
        axis: the axis of the channels; meaningful when there is more than one scale.
    """

    scale: np.ndarray
    zero_point: np.ndarray
    axis: int


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of a graph.

    Attributes:
        shape: dimensions, −1 where unknown.
        dtype: TFLite's name in lower case, such as ``float32`` or ``int8``.
        buffer: index of the buffer in the file; several tensors may share one.
        stored: the constant's bytes (uint8, a view of the file), ``None`` for a tensor that
            is computed.
        encoding: how ``stored`` lies in the shape, where it is in TFLite's sparse encoding.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    buffer: int
    stored: np.ndarray | None
    quantization: Quantization | None
    encoding: SparseEncoding | None


@dataclass(frozen=True)
class Operator:
    """One operator: its TFLite name and tensor indices (−1 = an optional input left out)."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """One subgraph; the first of a file is the model itself, others are loop bodies."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def parse(data: bytes) -> tuple[Graph, ...]:
    """Read all graphs of a ``.tflite``.

    Raises:
        InputError: the bytes are not a TensorFlow Lite file, or its tables point outside it.
    """
    if len(data) < 8 or data[4:8] != FILE_IDENTIFIER:
        raise InputError(
            f"This is not a TensorFlow Lite file: bytes 4 to 8 are {data[4:8]!r}, not "
            f"{FILE_IDENTIFIER!r}. Choose a .tflite file."
        )
    try:
        graphs = _Reader(data).graphs()
    except _MALFORMED as error:
        raise InputError(
            f"This TensorFlow Lite file is damaged: its tables do not fit its {len(data)} bytes "
            f"({type(error).__name__}). Export it again."
        ) from None
    if not graphs:
        raise InputError("This TensorFlow Lite file contains no graph. Export it again.")
    return graphs


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._model = schema.Model.GetRootAs(data, 0)
        self._objects = 0

    def graphs(self) -> tuple[Graph, ...]:
        self._kinds = [
            _kind(self._model.OperatorCodes(i))
            for i in self._count(self._model.OperatorCodesLength())
        ]
        return tuple(
            self._graph(self._model.Subgraphs(i))
            for i in self._count(self._model.SubgraphsLength())
        )

    def _count(self, length: int) -> Iterator[int]:
        """``range(length)``, after adding it to the total that bounds the work."""
        self._objects += length
        if self._objects > MAX_OBJECTS:
            raise InputError(
                f"This TensorFlow Lite file declares more than {MAX_OBJECTS} tables and items; "
                "it is damaged or hostile. Export it again."
            )
        return iter(range(length))

    def _graph(self, graph: Any) -> Graph:
        tensors = tuple(self._tensor(graph.Tensors(i)) for i in self._count(graph.TensorsLength()))
        operators = tuple(
            self._operator(graph.Operators(i), len(tensors))
            for i in self._count(graph.OperatorsLength())
        )
        inputs = self._indices(graph.InputsLength(), graph.Inputs, len(tensors))
        outputs = self._indices(graph.OutputsLength(), graph.Outputs, len(tensors))
        return Graph(tensors, operators, inputs, outputs)

    def _operator(self, operator: Any, tensors: int) -> Operator:
        return Operator(
            self._kinds[operator.OpcodeIndex()],
            self._indices(operator.InputsLength(), operator.Inputs, tensors),
            self._indices(operator.OutputsLength(), operator.Outputs, tensors),
        )

    def _indices(self, length: int, item: Any, tensors: int) -> tuple[int, ...]:
        indices = tuple(int(item(i)) for i in self._count(length))
        if any(not -1 <= index < tensors for index in indices):
            raise IndexError("tensor index")
        return indices

    def _tensor(self, tensor: Any) -> Tensor:
        shape = tuple(int(tensor.Shape(i)) for i in self._count(tensor.ShapeLength()))
        name = tensor.Name() or b""
        return Tensor(
            name=name.decode("utf-8", errors="replace"),
            shape=shape,
            dtype=_DTYPES.get(tensor.Type(), f"type {tensor.Type()}"),
            buffer=int(tensor.Buffer()),
            stored=self._stored(int(tensor.Buffer())),
            quantization=self._quantization(tensor.Quantization(), shape),
            encoding=self._encoding(tensor.Sparsity()),
        )

    def _encoding(self, table: Any) -> SparseEncoding | None:
        return None if table is None else read_encoding(table, self._count)

    def _stored(self, index: int) -> np.ndarray | None:
        if not 0 <= index < self._model.BuffersLength():
            raise IndexError("buffer index")
        buffer = self._model.Buffers(index)
        if buffer.DataLength():
            return np.asarray(buffer.DataAsNumpy(), dtype=np.uint8)
        offset, size = int(buffer.Offset()), int(buffer.Size())  # data behind the flatbuffer
        if offset > 1 and size:
            return np.frombuffer(self._data, np.uint8, size, offset)
        return None

    def _quantization(self, table: Any, shape: tuple[int, ...]) -> Quantization | None:
        if table is None or not table.ScaleLength():
            return None
        scale = np.array(table.ScaleAsNumpy(), dtype=np.float32)
        axis = int(table.QuantizedDimension())
        if len(scale) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scale)):
            raise ValueError("quantization axis")
        zero_point = np.zeros(len(scale), np.int64)
        if table.ZeroPointLength():
            zero_point[:] = table.ZeroPointAsNumpy()
        return Quantization(scale, zero_point, axis)


def _kind(code: Any) -> str:
    number = max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))
    return _OPERATORS.get(number, f"OPERATOR_{number}")
