"""Scaling is applied once, with statistics of the training samples, and stated in the facts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from optimizer.data.arrays import load_arrays
from optimizer.errors import InputError
from tests.data.conftest import npz, prepare


def prepared(kind, **arrays):
    files = prepare(npz(**arrays), scaling=kind)
    return load_arrays(files), json.loads(files["facts.json"])


@pytest.mark.parametrize(("kind", "low", "high"), [("unit", 0, 1), ("symmetric", -1, 1)])
def test_images_are_brought_into_a_fixed_range(kind, low, high):
    x = np.array([[[[0]], [[255]]]] * 4, np.uint8)
    arrays, facts = prepared(kind, x_train=x, x_test=x)

    assert (facts["x_min"], facts["x_max"]) == (low, high)
    assert arrays.x_test[0].dtype == np.float32
    assert facts["scaling"]["kind"] == kind


def test_standardizing_uses_training_statistics_for_each_feature():
    rng = np.random.default_rng(0)
    train = rng.normal([5.0, -3.0, 2.0], [2.0, 0.1, 0.0], (200, 3))
    arrays, facts = prepared("standardize", x_train=train, x_test=train[:50] + 1)

    assert arrays.x_train[0].mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-5)
    assert arrays.x_train[0].std(axis=0) == pytest.approx([1, 1, 0], abs=1e-5)
    assert arrays.x_test[0][:, 0].mean() > 0.3
    stated = facts["scaling"]["inputs"]["x"]
    assert stated["offset"] == pytest.approx(train.mean(axis=0))
    assert stated["divisor"][:2] == pytest.approx(train.std(axis=0)[:2])
    again = (train[:50] + 1 - stated["offset"]) / stated["divisor"]  # what a device would do
    assert arrays.x_test[0] == pytest.approx(again, abs=1e-4)


def test_images_are_standardized_for_each_channel():
    x = np.random.default_rng(0).random((20, 4, 4, 3)) * [1, 10, 100]
    arrays, facts = prepared("standardize", x_train=x, x_test=x)

    assert np.shape(facts["scaling"]["inputs"]["x"]["offset"]) == (3,)
    assert arrays.x_train[0].std(axis=(0, 1, 2)) == pytest.approx([1, 1, 1], abs=1e-4)


def test_nothing_is_done_unless_it_is_asked_for():
    x = np.full((4, 2), 200, np.uint8)
    arrays, facts = prepared("none", x_train=x, x_test=x)

    assert arrays.x_train[0].max() == 200
    assert facts["scaling"] == {"kind": "none", "inputs": {}}


def test_unknown_scalings_are_named():
    with pytest.raises(InputError, match="scaling"):
        prepared("log", x_train=np.zeros((4, 2)), x_test=np.zeros((4, 2)))
