"""Masks of zeros by any criterion, structure and scope. Runs in stage processes only.

What tfmot's ``prune_low_magnitude`` does for single weights by magnitude within a layer, for
everything else: blocks, n:m patterns, weights that compete over all layers, the gradient
criterion, and layers that tfmot cannot wrap.

Sources: Han et al. 2015 (arXiv:1506.02626) for magnitudes, Molchanov et al. 2019
(arXiv:1906.10771) for the first-order Taylor criterion, Mishra et al. 2021 (arXiv:2104.08378)
for n:m patterns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from optimizer.techniques.held import Projection
from optimizer.techniques.kernels import Kernel

MOST_SPARSE = 0.98
"""No layer loses a larger share of its weights when they compete over all layers."""

Score = Callable[[Sequence[Kernel]], list[np.ndarray]]
"""How much each weight matters: kernels → arrays of their shapes, non-negative."""


def magnitude(kernels: Sequence[Kernel]) -> list[np.ndarray]:
    """A weight matters as much as it is large."""
    return [np.abs(kernel.numpy()) for kernel in kernels]


def at_random(seed: int) -> Score:
    """A control: the same random importance at every update."""

    def score(kernels: Sequence[Kernel]) -> list[np.ndarray]:
        random = np.random.default_rng(seed)
        return [random.random(kernel.variable.shape) for kernel in kernels]

    return score


class Masks:
    """Masks over some kernels.

    Args:
        kernels: what is pruned.
        tables: for each kernel, optimizer step → sparsity (0 to 1); the steps are the same.
        structure: a recipe's ``prune.structure``.
        score: the criterion.
        together: indices of the kernels whose weights compete with each other; the others
            reach their sparsity each by itself.
    """

    def __init__(
        self,
        kernels: Sequence[Kernel],
        tables: Sequence[Mapping[int, float]],
        structure: Mapping[str, Any],
        score: Score,
        together: Sequence[int] = (),
    ) -> None:
        self._kernels, self._tables, self._together = list(kernels), list(tables), list(together)
        self._structure, self._score = structure, score
        self._masks = [tf.Variable(tf.ones_like(kernel.variable)) for kernel in kernels]

    def projections(self) -> list[Projection]:
        """What keeps the masked weights at zero while training."""
        return [
            (kernel.variable, mask.__mul__)
            for kernel, mask in zip(self._kernels, self._masks, strict=True)
        ]

    def update(self, step: int) -> None:
        """Choose the zeros anew, if the timetable has an update at this optimizer step."""
        if not self._tables or step not in self._tables[0]:
            return
        scores = self._score(self._kernels)
        shares = [table[step] for table in self._tables]
        if self._together:
            block_scores = [
                _block_scores(scores[index], self._structure, self._kernels[index].axes)
                for index in self._together
            ]
            shared = _compete(block_scores, shares[self._together[0]])
            for index, share in zip(self._together, shared, strict=True):
                shares[index] = share
        for index, (kernel, mask) in enumerate(zip(self._kernels, self._masks, strict=True)):
            kept = _keep(scores[index], shares[index], self._structure, kernel.axes)
            mask.assign(kept.astype("float32"))
            kernel.variable.assign(kernel.variable * mask)


def _keep(
    score: np.ndarray,
    sparsity: float,
    structure: Mapping[str, Any],
    axes: tuple[int, int] | None,
) -> np.ndarray:
    """Which weights of one kernel stay: bool, the kernel's shape."""
    if structure["kind"] == "n_m" and axes is not None:
        return keep_n_m(score, sparsity, structure["n"], structure["m"], axes[0])
    if structure["kind"] == "block" and axes is not None:
        return keep_blocks(score, sparsity, tuple(structure["size"]), axes)
    return _largest(score, sparsity)


def _compete(scores: Sequence[np.ndarray], sparsity: float) -> list[float]:
    """The share of each kernel below the one threshold that gives ``sparsity`` over all."""
    everything = np.concatenate([score.ravel() for score in scores])
    count = round(everything.size * sparsity)
    threshold = np.partition(everything, count)[count] if count else -np.inf
    return [min(float(np.mean(score < threshold)), MOST_SPARSE) for score in scores]


def _block_scores(
    score: np.ndarray, structure: Mapping[str, Any], axes: tuple[int, int] | None
) -> np.ndarray:
    """What each weight competes with: its own score, or its block's."""
    if structure["kind"] != "block" or axes is None:
        return score
    means, where = _block_means(score, tuple(structure["size"]), axes)
    return means[where]


def _largest(score: np.ndarray, sparsity: float) -> np.ndarray:
    """The highest scores, all but a share of ``sparsity``; at least one."""
    count = min(round(score.size * sparsity), score.size - 1)
    keep = np.ones(score.size, bool)
    keep[np.argsort(score, axis=None, kind="stable")[:count]] = False
    return keep.reshape(score.shape)


def keep_blocks(
    score: np.ndarray, sparsity: float, size: tuple[int, int], axes: tuple[int, int]
) -> np.ndarray:
    """Whole blocks of a kernel, the highest mean scores first.

    Args:
        score: of each weight, the kernel's shape.
        sparsity: share of blocks to remove, 0 to 1.
        size: (input channels, output channels) of a block; at the edges they are smaller.
        axes: the kernel's axes of input and output channels.

    Returns:
        bool, the kernel's shape.
    """
    means, where = _block_means(score, size, axes)
    return np.moveaxis(_largest(means, sparsity)[where], (-2, -1), axes)


def _block_means(
    score: np.ndarray, size: tuple[int, int], axes: tuple[int, int]
) -> tuple[np.ndarray, Any]:
    """The mean score of each block, and the index that spreads blocks over the weights again.

    Weights are spread with input and output channels as the last two axes.
    """
    moved = np.moveaxis(score, axes, (-2, -1))
    rows, columns = (
        np.arange(length) // step for length, step in zip(moved.shape[-2:], size, strict=True)
    )
    shape = (*moved.shape[:-2], rows[-1] + 1, columns[-1] + 1)
    where: Any = (..., rows[:, None], columns[None, :])
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, where, moved)
    np.add.at(counts, where, 1.0)
    return sums / counts, where


def keep_n_m(score: np.ndarray, sparsity: float, n: int, m: int, axis: int) -> np.ndarray:
    """The highest scores of every ``m`` consecutive input channels, ``n`` in the end.

    Args:
        score: of each weight, the kernel's shape.
        sparsity: how far the schedule has come, up to 1 − n/m.
        n: weights that stay in a group.
        m: size of a group; the last one may be smaller and keeps at most ``n`` as well.
        axis: the kernel's axis of input channels.

    Returns:
        bool, the kernel's shape.
    """
    dropped = min(round(m * sparsity), m - n)
    moved = np.moveaxis(score, axis, -1)
    padding = -moved.shape[-1] % m
    padded = np.pad(moved, [(0, 0)] * (moved.ndim - 1) + [(0, padding)], constant_values=-1.0)
    groups = padded.reshape(*padded.shape[:-1], -1, m)
    rank = np.argsort(np.argsort(groups, axis=-1, kind="stable"), axis=-1)
    kept = (rank >= dropped).reshape(padded.shape)[..., : moved.shape[-1]]
    return np.moveaxis(kept, -1, axis)


class MaskUpdates(keras.callbacks.Callback):
    """Tells masks of every optimizer step."""

    def __init__(self, masks: Masks) -> None:
        super().__init__()
        self._masks, self._step = masks, 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called by Keras before every optimizer step."""
        self._masks.update(self._step)
        self._step += 1
