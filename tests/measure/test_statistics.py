"""Intervals against published and exact values."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.measure.statistics import bootstrap_interval, wilson_interval


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # the first from Newcombe (1998), Statistics in Medicine 17, table I
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_interval_against_published_values(successes, n, low, high):
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (3, 2), (-1, 4)])
def test_wilson_interval_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(successes, n)


def test_bootstrap_of_a_mean_is_near_the_normal_interval():
    values = np.random.default_rng(0).normal(5, 2, 2000)
    half = 1.96 * values.std() / np.sqrt(len(values))

    low, high = bootstrap_interval(values, lambda v: v.mean(axis=-1))

    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_bootstrap_is_the_same_for_the_same_seed_whatever_the_block_size():
    values = np.random.default_rng(1).normal(size=3000)

    def mean(v):
        return v.mean(axis=-1)

    assert bootstrap_interval(values, mean) == bootstrap_interval(values, mean)
    assert bootstrap_interval(values, mean) != bootstrap_interval(values, mean, seed=1)
    assert bootstrap_interval(np.full(9, 3.0), mean) == (3.0, 3.0)
