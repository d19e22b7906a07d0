"""Dividing samples into train and test, reproducibly."""

from __future__ import annotations

import numpy as np

from optimizer.errors import InputError


def split_indices(
    n: int, test_share: float, seed: int, classes: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the train and the test samples, each in ascending order.

    Args:
        n: number of samples.
        test_share: share that goes to test, between 0 and 1.
        seed: the same seed gives the same split.
        classes: class of every sample, int, shape (n,): every class is then divided by the
            share, and one with at least two samples is in both parts.

    Raises:
        InputError: the share is not between 0 and 1, or there are too few samples.
    """
    if not 0 < test_share < 1:
        raise InputError(f"The test share must lie between 0 and 1; received {test_share:g}.")
    if n < 2:
        raise InputError(f"Splitting needs at least 2 samples; the file has {n}.")
    rng = np.random.default_rng(seed)
    groups = [np.arange(n)]
    if classes is not None:
        groups = [np.flatnonzero(classes == c) for c in np.unique(classes)]
    test = np.concatenate([_draw(group, test_share, rng) for group in groups])
    if not test.size:  # classes with one sample each all went to train
        test = _draw(np.arange(n), test_share, rng)
    test.sort()
    return np.setdiff1d(np.arange(n), test, assume_unique=True), test


def _draw(group: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    if len(group) < 2:
        return group[:0]
    count = min(len(group) - 1, max(1, round(share * len(group))))
    return rng.permutation(group)[:count]
