from __future__ import annotations

import numpy as np
import pytest

from optimizer.errors import InputError
from optimizer.measure.histogram import weight_histogram


def test_bins_are_shared_and_zeros_counted_apart():
    before = np.array([[-1.0, 0.5], [0.2, 3.0]])
    after = np.array([0.0, 0.0, 0.5, -2.0])

    histogram = weight_histogram(before, after, bins=5)

    assert histogram.edges == pytest.approx((-2, -1, 0, 1, 2, 3))
    assert histogram.before == (0, 1, 2, 0, 1)
    assert histogram.after == (1, 0, 1, 0, 0)
    assert (histogram.before_zeros, histogram.after_zeros) == (0, 2)


@pytest.mark.parametrize("values", [np.zeros(4), np.array([]), np.array([np.nan, 1.0])])
def test_every_finite_weight_is_counted_once(values):
    histogram = weight_histogram(values, values, bins=3)

    assert sum(histogram.after) + histogram.after_zeros == np.isfinite(values).sum()


def test_no_bins_are_refused():
    with pytest.raises(InputError, match="received 0"):
        weight_histogram(np.ones(3), np.ones(3), bins=0)
