"""What is read out of a file: operators, weights, and where the zeros are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from optimizer.inspection.kernels import MAX_COLUMNS, MAX_ROWS, sparsity_map, weight_view
from optimizer.inspection.layers import main_weights, operator_facts, weight_change
from optimizer.measure.flatbuffer import Quantization, parse
from optimizer.measure.tflite_file import TfliteFile
from optimizer.measure.weights import Weight


def weight(stored, scales=None):
    """A dense kernel, in integers when scales are given."""
    quantization = None
    if scales is not None:
        scale = np.asarray(scales, np.float32)
        quantization = Quantization(scale, np.zeros(len(scale), np.int64), 0)
    dtype = "float32" if scales is None else "int8"
    stored = np.asarray(stored, np.float32 if scales is None else np.int8)
    return Weight(
        "d", "FULLY_CONNECTED", "d", stored.shape, dtype, stored, quantization, stored.nbytes, 0
    )


@pytest.mark.parametrize("mode", ["float32", "float16", "int8", "int8_io"])
def test_operators_add_up_to_the_file(cnn, mode):
    file = TfliteFile.read(cnn.files[mode])

    facts = operator_facts(cnn.files[mode], cnn.files["float32"])

    assert [each.index for each in facts] == sorted(each.index for each in facts)
    assert sum(each.macs for each in facts) == file.macs
    labels = [label for each in facts for label in each.labels]
    assert labels == [each.label for each in file.weights]
    assert sum(each.weight_bytes or 0 for each in facts) == sum(w.size_bytes for w in file.weights)
    assert not any(each.kind == "DEQUANTIZE" and each.output_dtype != "float32" for each in facts)


def test_the_change_of_weights_is_what_rounding_does(cnn):
    facts = operator_facts(cnn.files["int8"], cnn.files["float32"])
    for each in facts:
        if each.labels:
            # The kernels have four values, so errors are not spread evenly as the estimate assumes.
            assert each.change.rms_relative < 2 * each.rounding_relative
            assert each.rounding_relative < 0.02
    same = operator_facts(cnn.files["float32"], cnn.files["float32"])
    changes = [each.change for each in same if each.labels]
    assert {(c.rms_relative, c.sqnr_db) for c in changes} == {(0.0, None)}


def test_the_estimate_of_rounding_agrees_with_rounding_many_weights():
    real = np.random.default_rng(0).normal(size=(8, 4000)).astype(np.float32)
    scales = np.abs(real).max(axis=1) / 127
    stored = np.round(real / scales[:, None])
    change = weight_change(real, (stored * scales[:, None]).astype(np.float32))
    estimate = np.sqrt((scales**2).mean() / 12 / (real**2).mean())
    assert change.rms_relative == pytest.approx(estimate, rel=0.05)
    assert change.sqnr_db == pytest.approx(-20 * np.log10(change.rms_relative))


def test_weights_of_another_shape_are_not_compared():
    assert weight_change(np.ones((2, 3)), np.ones((2, 2))) is None
    assert weight_change(np.zeros((2, 2)), np.ones((2, 2))) is None


def test_a_channel_shows_its_own_grid_and_every_value_lies_on_it(cnn):
    for after in main_weights(parse(cnn.files["int8"])[0], frozenset()):
        if not after.per_channel:
            continue
        whole = weight_view(None, after)
        assert whole.grid == ()
        assert whole.channels == after.shape[after.channel_axis]
        one = weight_view(None, after, channel=1)
        grid = np.array(one.grid)
        assert one.scales[0] == one.scales[1]
        for value in one.values:
            assert np.abs(grid - value).min() < one.scales[0] / 100


def test_zeros_stand_apart_and_both_are_counted_in_the_same_bins():
    before, after = weight([[1.0, 2.0], [3.0, 4.0]]), weight([[0.0, 2.0], [0.0, 2.0]])
    view = weight_view(before, after)
    assert (view.histogram.before_zeros, view.histogram.after_zeros) == (0, 2)
    assert sum(view.histogram.before) == 4
    assert sum(view.histogram.after) == 2
    assert view.values == (0.0, 2.0)
    assert view.distinct == 2


@given(arrays(np.float32, st.tuples(st.integers(1, 300), st.integers(1, 600)), elements=st.just(0)))
def test_a_map_is_never_larger_than_it_may_be(stored):
    found = sparsity_map(weight(stored))
    assert found.values.shape[0] <= MAX_ROWS
    assert found.values.shape[1] <= MAX_COLUMNS
    assert found.empty_rows == len(stored)


@pytest.mark.parametrize("shape", [(3, 5), (130, 40), (300, 700)])
def test_a_map_shows_the_share_of_zeros_of_its_kernel(shape):
    stored = np.random.default_rng(0).normal(size=shape)
    stored[np.random.default_rng(1).random(shape) < 0.7] = 0
    found = sparsity_map(weight(stored))
    rows, columns = found.block
    if found.block == (1, 1):
        np.testing.assert_array_equal(np.isnan(found.values), stored.astype(np.float32) == 0)
        return
    sizes = np.outer(
        np.minimum(rows, shape[0] - np.arange(0, shape[0], rows)),
        np.minimum(columns, shape[1] - np.arange(0, shape[1], columns)),
    )
    assert (found.values * sizes).sum() == pytest.approx((stored != 0).sum())
    assert found.values[0, 0] == pytest.approx((stored[:rows, :columns] != 0).mean())
