"""A ``.tflite`` file as plain values: graphs, operators, tensors and their stored bytes.

The schema is that of TensorFlow Lite (``ai_edge_litert.schema_py_generated``, generated from
tensorflow/compiler/mlir/lite/schema/schema.fbs). The flatbuffers runtime for Python checks
nothing, so every count is bounded here and every malformed offset becomes an ``InputError``:
nothing native sees a file that was not read here before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from optimizer.errors import InputError
from optimizer.measure.flatbuffer_rules import (
    refuse_broken_references,
    refuse_constant,
    refuse_other_files,
    refuse_shape,
)
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
    except InputError:
        raise
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
        refuse_other_files(self._model, self._count)
        self._kinds = [
            _kind(self._model.OperatorCodes(i))
            for i in self._count(self._model.OperatorCodesLength())
        ]
        graphs = tuple(
            self._graph(self._model.Subgraphs(i), i)
            for i in self._count(self._model.SubgraphsLength())
        )
        refuse_broken_references(self._model, graphs, self._count)
        return graphs

    def _count(self, length: int) -> Iterator[int]:
        """``range(length)``, after adding it to the total that bounds the work."""
        self._objects += length
        if self._objects > MAX_OBJECTS:
            raise InputError(
                f"This TensorFlow Lite file declares more than {MAX_OBJECTS} tables and items; "
                "it is damaged or hostile. Export it again."
            )
        return iter(range(length))

    def _graph(self, graph: Any, number: int) -> Graph:
        tensors = tuple(self._tensor(graph.Tensors(i)) for i in self._count(graph.TensorsLength()))
        operators = tuple(
            self._operator(graph.Operators(i), i, len(tensors))
            for i in self._count(graph.OperatorsLength())
        )
        what, count = f"Graph {number}", len(tensors)
        inputs = self._indices(graph.InputsLength(), graph.Inputs, count, f"{what} takes")
        outputs = self._indices(graph.OutputsLength(), graph.Outputs, count, f"{what} gives")
        return Graph(tensors, operators, inputs, outputs)

    def _operator(self, operator: Any, number: int, tensors: int) -> Operator:
        code = int(operator.OpcodeIndex())
        if code >= len(self._kinds):
            raise InputError(
                f"Operator {number} of this TensorFlow Lite file has the operator code {code}, and "
                f"the file lists {len(self._kinds)}. It is damaged; export it again."
            )
        what = f"Operator {number} ({self._kinds[code]})"
        return Operator(
            self._kinds[code],
            self._indices(operator.InputsLength(), operator.Inputs, tensors, f"{what} reads"),
            self._indices(operator.OutputsLength(), operator.Outputs, tensors, f"{what} writes"),
        )

    def _indices(self, length: int, item: Any, tensors: int, what: str) -> tuple[int, ...]:
        indices = tuple(int(item(i)) for i in self._count(length))
        for index in indices:
            if not -1 <= index < tensors:
                raise InputError(
                    f"{what} tensor {index} of this TensorFlow Lite file, whose graph has "
                    f"{tensors} tensors. It is damaged; export it again."
                )
        return indices

    def _tensor(self, tensor: Any) -> Tensor:
        shape = tuple(int(tensor.Shape(i)) for i in self._count(tensor.ShapeLength()))
        name = (tensor.Name() or b"").decode("utf-8", errors="replace")
        dtype = _DTYPES.get(tensor.Type(), f"type {tensor.Type()}")
        refuse_shape(shape, name)
        stored, encoding = self._stored(int(tensor.Buffer())), self._encoding(tensor.Sparsity())
        if stored is not None and encoding is None:
            refuse_constant(name, shape, dtype, stored.nbytes)
        return Tensor(
            name=name,
            shape=shape,
            dtype=dtype,
            buffer=int(tensor.Buffer()),
            stored=stored,
            quantization=self._quantization(tensor.Quantization(), shape),
            encoding=encoding,
        )

    def _encoding(self, table: Any) -> SparseEncoding | None:
        return None if table is None else read_encoding(table, self._count)

    def _stored(self, index: int) -> np.ndarray | None:
        if not 0 <= index < self._model.BuffersLength():
            raise InputError(
                f"A tensor of this TensorFlow Lite file is stored in buffer {index}, and the file "
                f"has {self._model.BuffersLength()}. It is damaged; export it again."
            )
        buffer = self._model.Buffers(index)
        if buffer.DataLength():
            return np.asarray(buffer.DataAsNumpy(), dtype=np.uint8)
        offset, size = int(buffer.Offset()), int(buffer.Size())  # data behind the flatbuffer
        if offset > 1 and size:
            if offset + size > len(self._data):
                raise InputError(
                    f"Buffer {index} of this TensorFlow Lite file is said to be {size:,} bytes at "
                    f"{offset:,}, and the file ends at {len(self._data):,}. Export it again."
                )
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
