"""Lesson: weight clustering as one-dimensional k-means, step by step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from optimizer.lessons.compressed_size import entropy_bits
from optimizer.lessons.lesson import Exercise, Lesson, Reference

LAYER = "conv_2"
"""The layer of the sample whose weights are clustered on the page."""
CLUSTERS = 16
MAX_STEPS = 40
"""Rounds of assigning and moving, at most."""

Start = Literal["linear", "random", "density", "kmeans++"]
STARTS: dict[Start, str] = {
    "linear": "Linear",
    "random": "Random",
    "density": "Density-based",
    "kmeans++": "k-means++",
}
"""Initialization → what the screen calls it."""

LESSON = Lesson(
    id="weight-clustering",
    title="Weight clustering, step by step",
    question="What if all weights of a layer had to share a handful of values?",
    minutes=8,
    terms={
        "weight clustering": "replaces each weight of a layer by the nearest of a few shared "
        "values.",
        "centroid": "is the value that all weights of a cluster share.",
        "inertia": "is the sum of squared distances from the weights to their centroids; k-means "
        "lowers it at every step.",
    },
    remember=(
        "With k clusters a weight is an index of log₂ k bits into a table of k floats; the "
        "indices, not the table, are what counts.",
        "Assigning and moving never raise the inertia, but where they end depends on where they "
        "start.",
        "The file keeps four bytes for each weight: as with zeros, compression turns the "
        "repetition into a smaller download.",
    ),
    references=(
        Reference(
            "Han et al. 2016, Deep Compression (section 3)", "https://arxiv.org/abs/1510.00149"
        ),
        Reference(
            "TFMOT: CentroidInitialization",
            "https://www.tensorflow.org/model_optimization/api_docs/python/tfmot/clustering/keras/CentroidInitialization",
        ),
        Reference(
            "Lloyd 1982, Least squares quantization in PCM",
            "https://doi.org/10.1109/TIT.1982.1056489",
        ),
        Reference(
            "Arthur & Vassilvitskii 2007, k-means++",
            "https://dl.acm.org/doi/10.5555/1283383.1283494",
        ),
    ),
    exercises=(
        Exercise.of("16 clusters, k-means++", cluster={"number_of_clusters": CLUSTERS}),
        Exercise.of(
            "16 clusters, linear",
            cluster={"number_of_clusters": CLUSTERS, "cluster_centroids_init": "linear"},
        ),
        Exercise.of("4 clusters, k-means++", cluster={"number_of_clusters": 4}),
    ),
    exercise_columns=("metric", "distinct", "size", "gzip"),
)


@dataclass(frozen=True, eq=False)
class Step:
    """One moment of Lloyd's algorithm.

    Attributes:
        action: ``start``, ``assign`` or ``move``: what has just been done.
        centroids: float64, shape (k,), ascending.
        nearest: index of each weight's centroid, as last assigned, shape (n,); at the start -1.
        inertia: sum of squared distances of the weights to the centroids they are assigned to;
            at the start, to the nearest ones.
        moved: weights that changed their cluster, or centroids that changed.
    """

    action: Literal["start", "assign", "move"]
    centroids: np.ndarray
    nearest: np.ndarray
    inertia: float
    moved: int


def first_centroids(weights: np.ndarray, count: int, start: Start, seed: int = 0) -> np.ndarray:
    """Where centroids begin, as TFMOT's initializations place them.

    Linear: evenly from the smallest to the largest weight. Random: uniformly between these.
    Density-based: at evenly spaced heights of the cumulative distribution, so that each gets about
    as many weights. k-means++: drawn from the weights, each with a probability that grows with the
    squared distance to those drawn before.

    Args:
        weights: float, shape (n,).
        count: number of centroids.
        start: the initialization.
        seed: of the random ones.

    Returns:
        float64, shape (count,), ascending.
    """
    values = weights.astype(np.float64)
    random = np.random.default_rng(seed)
    if start == "linear":
        return np.linspace(values.min(), values.max(), count)
    if start == "random":
        return np.sort(random.uniform(values.min(), values.max(), count))
    if start == "density":
        return np.quantile(values, np.linspace(0, 1, count + 2)[1:-1])
    chosen = [random.choice(values)]
    squared = np.full(values.size, np.inf)
    while len(chosen) < count:
        squared = np.minimum(squared, (values - chosen[-1]) ** 2)
        if not squared.any():
            break  # fewer distinct weights than clusters
        chosen.append(random.choice(values, p=squared / squared.sum()))
    return np.sort(np.array(chosen))


def lloyd(weights: np.ndarray, centroids: np.ndarray, most: int = MAX_STEPS) -> list[Step]:
    """Assign each weight to its nearest centroid, move centroids to their means, and so on.

    Args:
        weights: float, shape (n,).
        centroids: where they begin, ascending.
        most: rounds at most.

    Returns:
        The start, then ``assign`` and ``move`` in turn, until an assignment changes nothing.
    """
    values = weights.astype(np.float64)
    nearest = _nearest(values, centroids)
    steps = [Step("start", centroids, np.full(values.size, -1), _inertia(values, centroids), 0)]
    before = np.full(values.size, -1)
    for _ in range(most):
        nearest = _nearest(values, centroids)
        changed = int(np.count_nonzero(nearest != before))
        inertia = float(((values - centroids[nearest]) ** 2).sum())
        steps.append(Step("assign", centroids, nearest, inertia, changed))
        if not changed:
            break
        sums = np.bincount(nearest, values, minlength=len(centroids))
        members = np.bincount(nearest, minlength=len(centroids))
        means = np.where(members > 0, sums / np.maximum(members, 1), centroids)
        shifted = int(np.count_nonzero(means != centroids))
        centroids, before = means, nearest
        inertia = float(((values - centroids[nearest]) ** 2).sum())
        steps.append(Step("move", centroids, nearest, inertia, shifted))
    return steps


def _nearest(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Index of the nearest of ascending centroids."""
    return np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)


def _inertia(values: np.ndarray, centroids: np.ndarray) -> float:
    return float(((values - centroids[_nearest(values, centroids)]) ** 2).sum())


@dataclass(frozen=True)
class Cost:
    """What clustered weights need.

    Attributes:
        index_bits: bits of an index of fixed length, ceil(log2 k).
        entropy_bits: bits of an index on average with the best code (Huffman's comes within 1).
        bytes_fixed: of the indices at fixed length and the table of float32 centroids.
        ratio: bytes of the float32 weights divided by ``bytes_fixed``.
    """

    index_bits: int
    entropy_bits: float
    bytes_fixed: float
    ratio: float


def cost(members: np.ndarray) -> Cost:
    """The bytes of clustered weights.

    As in Han et al. 2016, equation 1: ``n·b / (n·log2(k) + k·b)`` with b = 32 bits.

    Args:
        members: number of weights in each cluster, shape (k,).
    """
    count, weights = len(members), int(members.sum())
    bits = max(1, math.ceil(math.log2(count)))
    total = (weights * bits + count * 32) / 8
    return Cost(bits, entropy_bits(members), total, 4 * weights / total)
