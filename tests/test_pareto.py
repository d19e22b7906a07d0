import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.pareto import pareto_front

POINTS = st.integers(1, 4).flatmap(
    lambda measures: st.lists(st.tuples(*[st.integers(0, 5)] * measures), max_size=14)
)


def dominated(point, points):
    return any(
        all(a <= b for a, b in zip(other, point, strict=True)) and other != point
        for other in points
    )


@given(POINTS)
def test_the_front_is_what_no_other_point_dominates(points):
    assert pareto_front(points) == [not dominated(point, points) for point in points]


@pytest.mark.parametrize(
    ("points", "flags"),
    [
        ([], []),
        ([(1, 1)], [True]),
        ([(1, 1), (1, 1)], [True, True]),
        ([(1, 2), (2, 2)], [True, False]),
    ],
)
def test_small_cases(points, flags):
    assert pareto_front(points) == flags


@pytest.mark.parametrize("measures", [2, 3])
def test_ten_thousand_variants_take_no_square_of_memory(measures):
    random = np.random.default_rng(0)
    scattered = random.random((10_000, measures))
    sphere = random.random((10_000, measures))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    tracemalloc.start()
    flags = pareto_front(scattered)
    # On the sphere's far side no point dominates another: all are on the front.
    assert all(pareto_front(-sphere)) == all(pareto_front(sphere)) is True
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0 < sum(flags) < 1000
    assert peak_bytes < 20e6
