import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.pareto import pareto_front

POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12)


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
