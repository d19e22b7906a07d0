"""The knee of a front."""

import numpy as np
import pytest

from optimizer.explore.knee import find_knee, knee_place
from tests.explore.building import table
from tests.variants import results, variant


def test_the_knee_of_known_curves():
    x = np.linspace(0.01, 1, 100)
    hyperbola = np.column_stack([x, 1 / x])  # scaled, its slope is -1 where x = 0.1
    place, bulge = knee_place(hyperbola)
    assert x[place] == pytest.approx(0.1, abs=0.011)
    assert bulge > 0.7
    corner = np.array([[0, 1], [0.1, 0.1], [1, 0]])
    assert knee_place(corner) == (1, pytest.approx(0.8))
    surface = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0], [0.2, 0.2, 0.3]])
    assert knee_place(surface) == (3, pytest.approx(0.3))


@pytest.mark.parametrize(
    "costs",
    [
        [[1, 1]],
        [[0, 1], [1, 0]],
        [[0, 1], [0, 1], [1, 0]],
        [[0, 1], [0.5, 0.5], [1, 0]],
        [[0, 1], [0.6, 0.6], [1, 0]],
    ],
)
def test_a_front_without_a_bend_has_no_knee(costs):
    assert knee_place(np.array(costs, float)) is None


def test_the_knee_is_on_log_axes_and_says_why():
    study = [
        variant("a", found=results(gzip_bytes=1_000, value=0.50)),
        variant("b", found=results(gzip_bytes=10_000, value=0.94)),
        variant("c", found=results(gzip_bytes=100_000, value=0.96)),
    ]
    found = table(study)
    front = found.front(("gzip", "metric"), np.ones(3, bool))
    knee = find_knee(found, ("gzip", "metric"), front)
    assert found.names[knee.place] == "b"
    assert "At gzip size 10.0 kB and accuracy 94.00 % the front bends" in knee.reason
    assert (
        "oing on to “a”, gzip size is 9.00 kB smaller and accuracy 44 points lower" in knee.reason
    )
    assert "going back to “c”, gzip size is 90.0 kB larger" in knee.reason
    assert find_knee(found, ("gzip", "metric"), np.zeros(3, bool)) is None
