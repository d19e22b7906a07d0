"""Lesson: what each technique destroys of the one before it, and what preserving keeps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from optimizer.lessons.bundled_study import PRUNED, bundled_file
from optimizer.lessons.experiments import newest_experiment, start_experiment
from optimizer.lessons.lesson import Exercise, Lesson, Reference
from optimizer.lessons.sample import digits
from optimizer.lessons.weight_clustering import first_centroids, lloyd
from optimizer.measure.tflite_file import TfliteFile
from optimizer.store import Store
from optimizer.store.records import Run

LAYER = "digit"
"""The last layer of the sample: dense, 80 inputs, 10 outputs, then softmax."""
CLUSTERS = 16
SPARSITY = 0.8
RATE = 0.01
"""Learning rate of the step on the page."""

_AWARE: dict[str, Any] = {"quantize": {"mode": "int8", "aware": True}}
_CLUSTER: dict[str, Any] = {"cluster": {"number_of_clusters": CLUSTERS}}
CHAIN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Prune 80 %", PRUNED),
    ("Prune, cluster", {**PRUNED, **_CLUSTER}),
    ("Prune, QAT", {**PRUNED, **_AWARE}),
    ("Prune, cluster, QAT", {**PRUNED, **_CLUSTER, **_AWARE}),
)
"""What is done one after the other → its recipe."""

LESSON = Lesson(
    id="collaborative-optimization",
    title="Collaborative optimization",
    question="Prune, then cluster, then quantize: does each step leave alone what the last one "
    "made?",
    minutes=7,
    terms={
        "collaborative optimization": "applies pruning, clustering and quantization one after the "
        "other so that each keeps what the ones before it made.",
        "sparsity-preserving clustering": "keeps pruned weights at exactly zero while the other "
        "weights are clustered.",
        "PCQAT": "is quantization-aware training that keeps both zeros and shared values.",
    },
    remember=(
        "Every step that trains moves weights, and a zero that moves is no zero any more.",
        "Preserving means that zeros are masked, and that weights of a cluster move together, "
        "while the rest trains. The order is prune, cluster, quantize.",
        "The file itself is as large as that of QAT alone. What is preserved pays after "
        "compression.",
    ),
    references=(
        Reference(
            "TFMOT: collaborative optimization",
            "https://www.tensorflow.org/model_optimization/guide/combine/collaborative_optimization",
        ),
        Reference(
            "TFMOT: PCQAT example",
            "https://www.tensorflow.org/model_optimization/guide/combine/pcqat_example",
        ),
        Reference(
            "Han et al. 2016, Deep Compression (section 3: centroids are trained by the sum of "
            "their weights' gradients)",
            "https://arxiv.org/abs/1510.00149",
        ),
    ),
    exercises=tuple(
        Exercise.of(f"{label}, preserving", **recipe)
        if label != CHAIN[0][0]
        else Exercise.of(label, **recipe)
        for label, recipe in CHAIN
    ),
    exercise_columns=("metric", "sparsity", "distinct", "size", "gzip"),
)


@dataclass(frozen=True, eq=False)
class Clustered:
    """A pruned layer after clustering and one step of training the centroids.

    Attributes:
        pruned: the weights before, shape (n,).
        placed: after k-means, shape (n,).
        trained: after the step, shape (n,).
        slope: derivative of the loss by the centroid that the zeros share.
    """

    pruned: np.ndarray
    placed: np.ndarray
    trained: np.ndarray
    slope: float


def zeros(weights: np.ndarray) -> float:
    """Share of weights that are exactly zero, 0 to 1."""
    return float((weights == 0).mean())


@cache
def pruned_kernel() -> np.ndarray:
    """The last layer's weights in the pruned file, float32, shape (10, 80)."""
    weights = TfliteFile.read(bundled_file(PRUNED)).weights
    return next(weight for weight in weights if weight.name == LAYER).dequantized()


@cache
def loss_slope() -> np.ndarray:
    """Derivative of the mean cross-entropy by the last layer's weights in the pruned network.

    Over the training images: of softmax and cross-entropy it is (p − y) aᵀ, with the layer's
    inputs a. Shape (10, 80).
    """
    # Imported here: only the page that asks for it loads the runtime.
    from ai_edge_litert.interpreter import Interpreter

    data = digits()
    images, labels = data["x_train"], data["y_train"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of the memory that keeping all tensors takes
        interpreter = Interpreter(
            model_content=bundled_file(PRUNED), experimental_preserve_all_tensors=True
        )
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    width = pruned_kernel().shape[1]
    hidden = next(
        interpreter.get_tensor(details["index"])
        for details in interpreter.get_tensor_details()
        if tuple(details["shape"]) == (len(images), width) and "Relu" in details["name"]
    )
    chances = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    surplus = chances - np.eye(chances.shape[1])[labels]
    return np.asarray(surplus.T @ hidden / len(images))


def cluster_and_train(count: int, preserve: bool, rate: float = RATE) -> Clustered:
    """Cluster the pruned layer by k-means, then train its centroids by one gradient step.

    A centroid's derivative is the sum of those of its weights (Han et al. 2016, section 3.3).

    Args:
        count: number of centroids.
        preserve: keep one at zero, for the pruned weights alone, out of the training.
        rate: learning rate.
    """
    weights = pruned_kernel().ravel().astype(np.float64)
    slopes = loss_slope().ravel()
    kept = weights != 0
    chosen = kept if preserve else np.ones_like(kept)
    centroids = first_centroids(weights[chosen], count - preserve, "kmeans++")
    steps = [step for step in lloyd(weights[chosen], centroids) if step.action == "assign"]
    nearest = steps[-1].nearest
    placed, trained = np.zeros_like(weights), np.zeros_like(weights)
    sums = np.bincount(nearest, slopes[chosen], minlength=len(centroids))
    placed[chosen] = steps[-1].centroids[nearest]
    trained[chosen] = (steps[-1].centroids - rate * sums)[nearest]
    mine = nearest[~kept[chosen]]
    slope = float(sums[mine[0]]) if len(mine) else 0.0
    return Clustered(weights, placed, trained, slope)


def start_without(store: Store) -> Run:
    """Ask the engine for the same steps, none of which preserves anything."""
    return start_experiment(
        store, "without_preserving", LESSON, {"recipes": [recipe for _, recipe in CHAIN[1:]]}
    )


def newest_without(store: Store) -> Run | None:
    """The newest run of :func:`start_without`."""
    return newest_experiment(store, "without_preserving")


@dataclass(frozen=True)
class Kept:
    """What a file has after some steps.

    Attributes:
        label: what was done.
        preserving: whether its steps preserve what the ones before them made.
        sparsity: share of zeros, 0 to 1.
        distinct: distinct weights of a layer (of a channel where each has its scale), at most.
        value: of the study's metric.
    """

    label: str
    preserving: bool
    sparsity: float
    distinct: int
    gzip_bytes: int
    value: float


def kept(label: str, preserving: bool, results: Mapping[str, Any]) -> Kept:
    """The same from a variant's results."""
    return Kept(
        label,
        preserving,
        float(results["sparsity"]),
        int(results["max_distinct_weights"]),
        int(results["gzip_bytes"]),
        float(results["metrics"][results["metric"]]),
    )
