"""Stored forms that the converter used here does not produce."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.errors import InputError
from optimizer.measure.flatbuffer import Graph, Operator, Quantization, Tensor
from optimizer.measure.sparse import Level, SparseEncoding
from optimizer.measure.weights import read_weights


def dense(stored, shape, dtype, quantization=None, encoding=None):
    """The weights of a graph of one dense layer that stores them so."""
    kernel = Tensor("m/d/MatMul", shape, dtype, 1, stored, quantization, encoding)
    computed = Tensor("m/d/BiasAdd", (1, shape[0]), "float32", 0, None, None, None)
    graph = Graph((computed, kernel), (Operator("FULLY_CONNECTED", (0, 1, -1), (0,)),), (0,), (0,))
    return list(read_weights(graph, frozenset()))


def test_int4_is_unpacked_low_half_first():
    scale = Quantization(np.array([0.5], np.float32), np.array([1]), 0)

    (weight,) = dense(np.array([0x2F, 0x08], np.uint8), (1, 3), "int4", scale)

    assert weight.stored.tolist() == [[-1, 2, -8]]
    assert weight.dequantized().tolist() == [[-1.0, 0.5, -4.5]]
    assert weight.size_bytes == 2


def test_zeros_of_a_quantized_tensor_equal_the_zero_point_of_their_channel():
    scale = Quantization(np.ones(2, np.float32), np.array([3, 0]), 0)
    stored = np.array([[3, 3, 0], [3, 0, 0]], np.int8)

    (weight,) = dense(stored.view(np.uint8).ravel(), (2, 3), "int8", scale)

    assert weight.zeros == 4
    assert weight.dequantized().tolist() == [[0, 0, -3], [3, 0, 0]]


def test_negative_zero_is_zero_and_not_a_value_of_its_own():
    stored = np.array([[0.0, -0.0, 1.0]], np.float32)

    (weight,) = dense(stored.view(np.uint8).ravel(), (1, 3), "float32")

    assert (weight.zeros, weight.distinct, weight.distinct_per_channel) == (2, 2, 2)


@pytest.mark.parametrize(
    ("size", "shape", "dtype"),
    [(11, (1, 3), "float32"), (12, (-1, -3), "float32"), (3, (1, 3), "complex64")],
)
def test_bytes_that_do_not_fit_the_shape_are_refused(size, shape, dtype):
    scale = Quantization(np.ones(1, np.float32), np.zeros(1, np.int64), 0)
    with pytest.raises(InputError, match=f"{size} bytes are stored"):
        dense(np.zeros(size, np.uint8), shape, dtype, scale)


ROWS = SparseEncoding(  # [[0, 0, 1], [0, 0, 0], [2, 3, 0]] in compressed rows
    (0, 1), (), (Level(3), Level(0, np.array([0, 1, 1, 3]), np.array([2, 0, 1])))
)
BLOCKS = SparseEncoding(  # blocks of two along the last axis, of which the second row has one
    (0, 1, 2), (1,), (Level(2), Level(0, np.array([0, 0, 1]), np.array([1])), Level(2))
)


@pytest.mark.parametrize(
    ("encoding", "stored", "expected"),
    [
        (ROWS, [1, 2, 3], [[0, 0, 1], [0, 0, 0], [2, 3, 0]]),
        (BLOCKS, [5, 6], [[0, 0, 0, 0], [0, 0, 5, 6]]),
    ],
)
def test_sparse_encoding_is_read_back(encoding, stored, expected):
    values = np.array(stored, np.float32)
    shape = np.array(expected).shape
    (weight,) = dense(values.view(np.uint8), shape, "float32", encoding=encoding)
    assert weight.stored.tolist() == expected
    assert weight.zeros == weight.stored.size - len(stored)
    assert weight.size_bytes == values.nbytes


@pytest.mark.parametrize(
    "levels",
    [
        (Level(3), Level(0, np.array([0, 1, 1, 9]), np.array([2, 0, 1]))),
        (Level(3), Level(0, np.array([0, 1, 1, 3]), np.array([2, 0, 7]))),
        (Level(3), Level(0, np.array([0, 2, 1, 3]), np.array([2, 0, 1]))),
        (Level(2**40), Level(3)),
        (Level(3),),
    ],
)
def test_sparse_encoding_that_does_not_fit_is_refused(levels):
    encoding = SparseEncoding((0, 1), (), levels)
    with pytest.raises(InputError, match="does not fit its shape"):
        dense(np.zeros(12, np.uint8), (3, 3), "float32", encoding=encoding)
