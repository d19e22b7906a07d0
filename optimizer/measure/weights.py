"""The weight tensors of a ``.tflite``, read back as numbers.

Weights are the constant tensors that operators multiply with: kernels of convolutions, dense
layers, embeddings and recurrent cells. float16 weights reach their operator through a
DEQUANTIZE, which is followed. Biases and BatchNormalization constants are not weights here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from optimizer.errors import InputError
from optimizer.measure.flatbuffer import Graph, Operator, Quantization, Tensor
from optimizer.measure.layer_names import layer_name

_LSTM_ROLES = (
    *("input to input", "input to forget", "input to cell", "input to output"),
    *("recurrent to input", "recurrent to forget", "recurrent to cell", "recurrent to output"),
)
_LSTM_INPUTS = {i + 1: role for i, role in enumerate(_LSTM_ROLES)} | {16: "projection"}
WEIGHT_INPUTS: dict[str, dict[int, str]] = {
    "CONV_2D": {1: ""},
    "CONV_3D": {1: ""},
    "CONV_3D_TRANSPOSE": {1: ""},
    "TRANSPOSE_CONV": {1: ""},
    "DEPTHWISE_CONV_2D": {1: ""},
    "FULLY_CONNECTED": {1: ""},
    "BATCH_MATMUL": {0: "", 1: ""},
    "GATHER": {0: ""},
    "EMBEDDING_LOOKUP": {1: ""},
    "LSTM": _LSTM_INPUTS,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _LSTM_INPUTS,
    "UNIDIRECTIONAL_SEQUENCE_RNN": {1: "input", 2: "recurrent"},
    "RNN": {1: "input", 2: "recurrent"},
}
"""Operator → which of its inputs are weights, each with its role when there are several."""

_CHANNEL_AXIS = {
    **{"DEPTHWISE_CONV_2D": -1, "CONV_3D": -1, "CONV_3D_TRANSPOSE": -2},
    **{"BATCH_MATMUL": -1, "GATHER": -1, "EMBEDDING_LOOKUP": -1},
}  # the other operators keep their output channels on axis 0
MAX_DENSE = 2**28
"""Values of one sparsely encoded tensor, at most, when its zeros are put back."""
_PASSED_ON_BY = ("DEQUANTIZE", "QUANTIZE", "DENSIFY")
_NUMPY = {
    **{"float32": np.float32, "float16": np.float16, "float64": np.float64},
    **{"int8": np.int8, "uint8": np.uint8, "int16": np.int16, "int32": np.int32, "int64": np.int64},
}


@dataclass(frozen=True, eq=False)
class Weight:
    """One weight tensor.

    Attributes:
        name: the layer's name as far as the file tells it, and the role in a recurrent cell.
        op: TFLite operator, such as ``CONV_2D``.
        tensor_name: name in the file.
        shape, dtype: as stored; int4 is unpacked to int8 values in ``stored``.
        stored: raw stored values, shape ``shape``.
        quantization: ``None`` for floating-point weights.
        size_bytes: bytes in the file.
        channel_axis: the axis of scales when quantized per channel, else of output channels.
        index: of the tensor in its graph.
    """

    name: str
    op: str
    tensor_name: str
    shape: tuple[int, ...]
    dtype: str
    stored: np.ndarray
    quantization: Quantization | None
    size_bytes: int
    channel_axis: int
    index: int = -1

    @property
    def label(self) -> str:
        """Layer and operator, which together are different for each weight of a file."""
        return f"{self.name} ({self.op})"

    @property
    def prunable(self) -> bool:
        """Whether pruning and clustering act on weights of this kind."""
        return self.op != "DEPTHWISE_CONV_2D"

    @property
    def per_channel(self) -> bool:
        """Whether each output channel has its own scale."""
        return self.quantization is not None and len(self.quantization.scale) > 1

    def _along_channels(self, values: np.ndarray) -> np.ndarray:
        """One scale or zero point per channel, shaped to broadcast against ``stored``."""
        shape = [1] * len(self.shape)
        shape[self.channel_axis] = len(values)
        return values.reshape(shape)

    def dequantized(self) -> np.ndarray:
        """The weights as the model uses them: float32, shape ``shape``."""
        if self.quantization is None:
            return self.stored.astype(np.float32)
        zero_point = self._along_channels(self.quantization.zero_point)
        scale = self._along_channels(self.quantization.scale)
        return ((self.stored.astype(np.int64) - zero_point) * scale).astype(np.float32)

    @property
    def is_zero(self) -> np.ndarray:
        """Which weights are exactly zero (equal to the zero point when quantized): bool."""
        if self.quantization is None:
            return self.stored == 0
        return self.stored == self._along_channels(self.quantization.zero_point)

    @cached_property
    def zeros(self) -> int:
        """How many weights are exactly zero."""
        return int(np.count_nonzero(self.is_zero))

    @property
    def sparsity(self) -> float:
        """Share of zeros, 0 to 1."""
        return self.zeros / self.stored.size if self.stored.size else 0.0

    @cached_property
    def distinct(self) -> int:
        """Number of different stored values in the whole tensor."""
        return int(np.unique(self.stored).size)

    @cached_property
    def distinct_per_channel(self) -> int:
        """Largest number of different stored values within one channel."""
        channels = np.moveaxis(self.stored, self.channel_axis, 0)
        channels = np.sort(channels.reshape(len(channels), -1), axis=1)
        if not channels.size:
            return 0
        return int((channels[:, 1:] != channels[:, :-1]).sum(axis=1).max()) + 1

    @property
    def distinct_shared(self) -> int:
        """Distinct values where clusters can show: per channel if quantized per channel."""
        return self.distinct_per_channel if self.per_channel else self.distinct


def read_weights(graph: Graph, known: frozenset[str]) -> Iterator[Weight]:
    """Every weight tensor of a graph, in the order of the operators; a shared one once.

    Args:
        graph: see :func:`optimizer.measure.flatbuffer.parse`.
        known: Keras layer names, empty if they are not at hand.

    Raises:
        InputError: the stored bytes do not fit the declared shape.
    """
    sources = constants_passed_on(graph)
    seen: set[int] = set()
    for operator in graph.operators:
        for index, role in weights_of(graph, operator, sources):
            if index not in seen:
                seen.add(index)
                yield _weight(graph, operator, index, role, known)


def weights_of(
    graph: Graph, operator: Operator, sources: Mapping[int, int]
) -> Iterator[tuple[int, str]]:
    """Index and role of each weight tensor that an operator uses.

    Args:
        graph, operator: where.
        sources: see :func:`constants_passed_on`.
    """
    for position, role in WEIGHT_INPUTS.get(operator.kind, {}).items():
        if position >= len(operator.inputs):
            continue
        index = sources.get(operator.inputs[position], operator.inputs[position])
        if index >= 0 and _is_weight(graph.tensors[index]):
            yield index, role


def _weight(
    graph: Graph, operator: Operator, index: int, role: str, known: frozenset[str]
) -> Weight:
    tensor = graph.tensors[index]
    output = graph.tensors[operator.outputs[0]].name if operator.outputs else ""
    name = layer_name(tensor.name, output, operator.kind, known)
    stored = _values(tensor)
    axis = _CHANNEL_AXIS.get(operator.kind, 0)
    if tensor.quantization is not None and len(tensor.quantization.scale) > 1:
        axis = tensor.quantization.axis
    return Weight(
        name=f"{name} ({role})" if role else name,
        op=operator.kind,
        tensor_name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        stored=stored,
        quantization=tensor.quantization,
        size_bytes=0 if tensor.stored is None else tensor.stored.nbytes,
        channel_axis=axis % len(tensor.shape),
        index=index,
    )


def constants_passed_on(graph: Graph) -> dict[int, int]:
    """Computed tensor → the constant it is only a decoded form of (float16 weights)."""
    sources: dict[int, int] = {}
    for operator in graph.operators:
        if operator.kind in _PASSED_ON_BY and operator.inputs and operator.outputs:
            index = sources.get(operator.inputs[0], operator.inputs[0])
            if index >= 0 and graph.tensors[index].stored is not None:
                sources[operator.outputs[0]] = index
    return sources


def has_real_values(tensor: Tensor) -> bool:
    """Whether a tensor is a constant that stands for real numbers, as parameters do."""
    return tensor.stored is not None and (
        tensor.dtype.startswith("float") or tensor.quantization is not None
    )


def _is_weight(tensor: Tensor) -> bool:
    return has_real_values(tensor) and len(tensor.shape) >= 2


def _values(tensor: Tensor) -> np.ndarray:
    """The stored values of a constant, shape ``tensor.shape``."""
    assert tensor.stored is not None
    count = int(np.prod(tensor.shape, dtype=object)) if min(tensor.shape, default=1) >= 0 else -1
    if tensor.encoding is not None and tensor.dtype in _NUMPY and 0 <= count <= MAX_DENSE:
        values = _viewed(tensor, tensor.stored.nbytes // np.dtype(_NUMPY[tensor.dtype]).itemsize)
        return tensor.encoding.decode(values, tensor.shape)
    if tensor.dtype == "int4" and tensor.stored.nbytes == (count + 1) // 2:
        low, high = tensor.stored << 4, tensor.stored  # the first value is in the low half
        both = np.stack([low.view(np.int8) >> 4, high.view(np.int8) >> 4], axis=-1)
        return both.reshape(-1)[:count].reshape(tensor.shape)
    return _viewed(tensor, count).reshape(tensor.shape)


def _viewed(tensor: Tensor, count: int) -> np.ndarray:
    """The stored bytes as ``count`` values of the tensor's dtype."""
    assert tensor.stored is not None
    dtype = _NUMPY.get(tensor.dtype)
    if dtype is None or tensor.stored.nbytes != count * np.dtype(dtype).itemsize:
        raise InputError(
            f"The weights {tensor.name!r} cannot be read: {tensor.stored.nbytes} bytes are stored "
            f"for shape {tensor.shape} of {tensor.dtype}. Export the model again."
        )
    return tensor.stored.view(dtype)


def uniquely_named(weights: list[Weight]) -> Iterator[Weight]:
    """Number the later ones of several weights with the same name and operator."""
    seen: Counter[tuple[str, str]] = Counter()
    for weight in weights:
        seen[weight.name, weight.op] += 1
        number = seen[weight.name, weight.op]
        yield replace(weight, name=f"{weight.name} #{number}") if number > 1 else weight
