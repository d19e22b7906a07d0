from __future__ import annotations

import numpy as np
import pytest

from optimizer.data.split import split_indices
from optimizer.errors import InputError


def test_every_sample_is_in_exactly_one_part():
    train, test = split_indices(101, 0.2, seed=3)

    assert sorted([*train, *test]) == list(range(101))
    assert len(test) == 20


def test_the_seed_decides():
    assert np.array_equal(split_indices(50, 0.3, 1)[1], split_indices(50, 0.3, 1)[1])
    assert not np.array_equal(split_indices(50, 0.3, 1)[1], split_indices(50, 0.3, 2)[1])


def test_every_class_is_divided_by_the_share():
    classes = np.repeat([0, 1, 2, 3], [80, 10, 2, 1])

    train, test = split_indices(len(classes), 0.25, 0, classes)

    assert np.bincount(classes[test], minlength=4).tolist() == [20, 2, 1, 0]
    assert np.bincount(classes[train], minlength=4).tolist() == [60, 8, 1, 1]


def test_classes_of_single_samples_still_give_a_test_part():
    train, test = split_indices(5, 0.2, 0, np.arange(5))

    assert (len(train), len(test)) == (4, 1)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_impossible_shares_are_refused(share):
    with pytest.raises(InputError, match="between 0 and 1; received"):
        split_indices(10, share, 0)


def test_one_sample_cannot_be_split():
    with pytest.raises(InputError, match="at least 2 samples; the file has 1"):
        split_indices(1, 0.5, 0)
