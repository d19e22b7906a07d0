"""TFLite's sparse encoding of constants, read back as dense arrays.

The encoding is that of TACO (Kjolstad et al. 2017), see ``SparsityParameters`` in TensorFlow
Lite's schema: each dimension, in the order it is traversed, is dense or lists the indices that
occur (compressed sparse rows); the innermost ones may be the inside of blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from optimizer.errors import InputError

_COMPRESSED = 1


@dataclass(frozen=True, eq=False)
class Level:
    """One dimension of the traversal.

    Attributes:
        size: length of a dense dimension.
        segments: for a compressed one, where the indices under each position begin and end.
        indices: for a compressed one, the indices that occur.
    """

    size: int
    segments: np.ndarray | None = None
    indices: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class SparseEncoding:
    """How a constant's stored values lie in its dense shape.

    Attributes:
        order: number of the dimension that each level traverses; numbers from the rank on are
            the insides of blocks.
        block_map: the dimension that each inside of a block belongs to.
        levels: one for each number in ``order``.
    """

    order: tuple[int, ...]
    block_map: tuple[int, ...]
    levels: tuple[Level, ...]

    def decode(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The dense array.

        Args:
            values: stored values, shape (n,).
            shape: of the dense array.

        Raises:
            InputError: the levels do not describe such an array.
        """
        try:
            return self._decode(values, shape)
        except (IndexError, ValueError) as error:
            raise InputError(
                f"A constant in sparse encoding does not fit its shape {shape} ({error}). "
                "Export the model again."
            ) from None

    def _decode(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        limit = int(np.prod(shape))
        position = np.zeros(1, np.int64)
        coordinates: dict[int, np.ndarray] = {}
        for number, level in zip(self.order, self.levels, strict=True):
            source, position, index = _descend(position, level, limit)
            coordinates = {key: value[source] for key, value in coordinates.items()}
            coordinates[number] = index
        rank = len(shape)
        where = [coordinates[axis] for axis in range(rank)]
        for inside, axis in enumerate(self.block_map):
            size = self.levels[self.order.index(rank + inside)].size
            where[axis] = where[axis] * size + coordinates[rank + inside]
        dense = np.zeros(shape, values.dtype)
        dense[tuple(where)] = values[position]
        return dense


def _descend(
    position: np.ndarray, level: Level, limit: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One level deeper: (position above, position here, index in the dimension) of each entry."""
    if level.segments is None or level.indices is None:
        if level.size < 0 or len(position) * level.size > limit:
            raise ValueError("more entries than the shape has")
        source = np.repeat(np.arange(len(position)), level.size)
        index = np.tile(np.arange(level.size), len(position))
        return source, position[source] * level.size + index, index
    counts = level.segments[position + 1] - level.segments[position]
    if (counts < 0).any() or counts.sum() > limit:
        raise ValueError("more entries than the shape has")
    source = np.repeat(np.arange(len(position)), counts)
    first = np.repeat(level.segments[position] - np.cumsum(counts) + counts, counts)
    here = first + np.arange(len(source))
    return source, here, level.indices[here]


def read_encoding(table: Any, count: Any) -> SparseEncoding:
    """A ``SparsityParameters`` table of the schema as plain values.

    Args:
        table: the table.
        count: called with every vector's length before it is read; bounds the work.
    """
    order = tuple(int(table.TraversalOrder(i)) for i in count(table.TraversalOrderLength()))
    block_map = tuple(int(table.BlockMap(i)) for i in count(table.BlockMapLength()))
    levels = [_level(table.DimMetadata(i), count) for i in count(table.DimMetadataLength())]
    return SparseEncoding(order, block_map, tuple(levels))


def _level(metadata: Any, count: Any) -> Level:
    if metadata.Format() != _COMPRESSED:
        return Level(int(metadata.DenseSize()))
    segments = _vector(metadata.ArraySegmentsType(), metadata.ArraySegments(), count)
    indices = _vector(metadata.ArrayIndicesType(), metadata.ArrayIndices(), count)
    return Level(0, segments, indices)


def _vector(kind: int, table: Any, count: Any) -> np.ndarray:
    classes = {1: schema.Int32Vector, 2: schema.Uint16Vector, 3: schema.Uint8Vector}
    vector = classes[kind]()
    vector.Init(table.Bytes, table.Pos)
    count(vector.ValuesLength())
    return np.asarray(vector.ValuesAsNumpy(), np.int64).reshape(-1)
