"""Dividing samples into train and test, reproducibly."""

from __future__ import annotations

import numpy as np

from optimizer.data.objective import CLASSIFICATION, split_task
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


_HALVES_SEED = 20_210_607
"""Fixed: every search on a dataset divides its test set in the same way."""


def search_halves(n: int, classes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Divide a test set into the half that searches judge by and the half that confirms.

    A search that tries many candidates picks, among others, those that happen to do well on the
    samples it looks at; what it announces is therefore checked on samples it never saw.

    Args:
        n: number of test samples.
        classes: class of every sample, int, shape (n,), where there are classes.

    Returns:
        Indices of the search half and of the confirmation half, each in ascending order.

    Raises:
        InputError: there are fewer than 2 samples.
    """
    confirmation, search = split_indices(n, 0.5, _HALVES_SEED, classes)
    return search, confirmation


WATCHED = 256
"""Samples of the search half, at most, by which training is watched."""


def watched(search: np.ndarray) -> np.ndarray:
    """The samples of the search half by which a training under way is judged.

    Args:
        search: indices of the search half, as :func:`search_halves` gives them.

    Returns:
        Up to 256 of them, evenly spread.
    """
    if len(search) <= WATCHED:
        return search
    return search[np.linspace(0, len(search) - 1, WATCHED).round().astype(np.int64)]


def stratifying(task: str, targets: np.ndarray | None) -> np.ndarray | None:
    """The class of every sample where the first output has classes, else ``None``.

    Args:
        task: the study's, one per output joined by ``+``.
        targets: of the first output, as :class:`optimizer.data.arrays.Arrays` has them.
    """
    if targets is None or split_task(task)[0] not in CLASSIFICATION:
        return None
    labels = targets.reshape(len(targets), -1)
    return labels[:, 0].astype(np.int64) if labels.shape[1] == 1 else None
