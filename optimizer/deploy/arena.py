"""How much RAM the tensors of a ``.tflite`` need at once, planned as TensorFlow Lite for
Microcontrollers plans them.

Sources: ``GreedyMemoryPlanner`` (tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc)
and the lifetimes of ``AllocationInfoBuilder`` (micro_allocation_info.cc) in tflite-micro, 2025:
buffers of 16-byte multiples, the largest placed first, each at the lowest gap that is free
while it is needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from optimizer.measure.flatbuffer import Graph, Tensor

_ALIGNMENT = 16
_BITS = {
    **{"float64": 64, "int64": 64, "uint64": 64, "complex64": 64, "complex128": 128},
    **{"float32": 32, "int32": 32, "uint32": 32},
    **{"float16": 16, "bfloat16": 16, "int16": 16, "uint16": 16},
    **{"int8": 8, "uint8": 8, "bool": 8, "int4": 4, "int2": 2},
}
_BRANCHING = frozenset({"IF", "WHILE", "CALL_ONCE"})


@dataclass(frozen=True)
class Buffer:
    """One tensor that is computed.

    Attributes:
        size_bytes: a multiple of 16.
        first, last: operators between which it is needed, counted from 1; 0 is before them all.
        offset: where the planner puts it, in bytes.
    """

    name: str
    size_bytes: int
    first: int
    last: int
    offset: int = 0

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.size_bytes


@dataclass(frozen=True)
class Arena:
    """A plan for the tensors of one inference.

    Attributes:
        size_bytes: the largest extent at any time; what the tensors need of RAM.
        busiest: the operator (from 1) at which most bytes are in use; 0 before the first.
    """

    buffers: tuple[Buffer, ...]
    size_bytes: int
    busiest: int


def tensor_bytes(tensor: Tensor) -> int:
    """Bytes of a tensor for a batch of one; unknown dimensions count as 1.

    Raises:
        ValueError: a dtype without a fixed size, such as strings.
    """
    bits = _BITS.get(tensor.dtype)
    if bits is None:
        raise ValueError(f"tensors of {tensor.dtype} have no fixed size")
    return (math.prod(abs(size) for size in tensor.shape) * bits + 7) // 8


def plan_arena(graphs: Sequence[Graph]) -> Arena | None:
    """Plan the tensors of a file's graphs.

    Returns:
        ``None`` where the size cannot be told from the file: it branches into other graphs, or
        has tensors without a fixed size.
    """
    main = graphs[0]
    if any(operator.kind in _BRANCHING for operator in main.operators):
        return None
    try:
        placed = place(list(_lifetimes(main)))
    except ValueError:
        return None
    moments = range(len(main.operators) + 1)
    in_use = [sum(b.size_bytes for b in placed if b.first <= at <= b.last) for at in moments]
    size = max((buffer.end for buffer in placed), default=0)
    return Arena(placed, size, max(moments, key=in_use.__getitem__))


def place(buffers: Sequence[Buffer]) -> tuple[Buffer, ...]:
    """Give each buffer its offset: the largest first, of equals the later one first."""
    placed: list[Buffer] = []
    for number in sorted(range(len(buffers)), key=lambda n: (-buffers[n].size_bytes, -n)):
        wanted = buffers[number]
        offset = 0
        for other in placed:  # by rising offset
            if other.first > wanted.last or wanted.first > other.last:
                continue
            if other.offset - offset >= wanted.size_bytes:
                break
            offset = max(offset, other.end)
        found = Buffer(wanted.name, wanted.size_bytes, wanted.first, wanted.last, offset)
        after = (n for n, other in enumerate(placed) if other.offset > offset)
        placed.insert(next(after, len(placed)), found)
    return tuple(placed)


def variables(graph: Graph) -> list[int]:
    """Tensors that are read and that nothing gives a value: the states of recurrent operators,
    which are kept from one inference to the next and so lie outside the plan."""
    made = {index for operator in graph.operators for index in operator.outputs}
    read = {index for operator in graph.operators for index in operator.inputs if index >= 0}
    free = sorted(read - made - set(graph.inputs))
    return [index for index in free if graph.tensors[index].stored is None]


def _lifetimes(graph: Graph) -> Iterator[Buffer]:
    """The tensors that are computed, from the operator that writes each to its last reader."""
    first: dict[int, int] = dict.fromkeys((*graph.inputs, *graph.outputs), 0)
    last, kept = dict(first), set(variables(graph))
    for moment, operator in enumerate(graph.operators, 1):
        for index in operator.outputs:
            first[index] = moment
        for index in (*operator.inputs, *operator.outputs):
            last[index] = moment
    for index in graph.outputs:
        last[index] = len(graph.operators)
    for index, tensor in enumerate(graph.tensors):
        if index not in last or tensor.stored is not None or index in kept:
            continue
        size = tensor_bytes(tensor)
        if size:
            rounded = math.ceil(size / _ALIGNMENT) * _ALIGNMENT
            yield Buffer(tensor.name, rounded, first.get(index, 0), last[index])
