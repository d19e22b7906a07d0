"""Lesson: why calibration needs representative data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from optimizer.data.representative import Draw, representative
from optimizer.lessons.affine_quantization import Scheme, parameters
from optimizer.lessons.lesson import Lesson, Reference
from optimizer.lessons.practice import open_practice_study, practice_study
from optimizer.lessons.sample import activations, digits
from optimizer.store import Store
from optimizer.store.records import Run

LAYER = "dense_1"
"""The layer of the sample whose activations the student predicts."""
COUNT = 200
ONE_CLASS = 1
"""The digit of the dataset that has only one."""

SCHEME = Scheme(symmetric=False)
"""How TFLite quantizes activations: 8 bits, asymmetric, per tensor."""

LESSON = Lesson(
    id="calibration",
    title="Calibration needs representative data",
    question="Who tells the converter how large the numbers inside a network become?",
    minutes=8,
    terms={
        "calibration": "runs samples through the float model to find the range of every "
        "activation, before integers are chosen for it.",
        "representative dataset": "is the set of samples that calibration runs: a few hundred like "
        "those the model will see.",
        "activation": "is a value that a layer computes from its input; other than weights, it is "
        "different for each sample.",
    },
    remember=(
        "Weights are known when a file is made, activations are not: calibration finds their "
        "smallest and largest values on the samples it is given.",
        "Values outside the range are clipped; a range that is too wide wastes the 256 steps on "
        "values that never come.",
        "What matters most is that the samples are preprocessed exactly as the model's inputs "
        "will be; a few hundred random ones of the training data are enough.",
    ),
    references=(
        Reference(
            "LiteRT: post-training quantization",
            "https://ai.google.dev/edge/litert/models/post_training_quantization",
        ),
        Reference(
            "tf.lite.RepresentativeDataset",
            "https://ai.google.dev/edge/api/tflite/python/tf/lite/RepresentativeDataset",
        ),
        Reference(
            "Nagel et al. 2021, section 3.1 (range setting)", "https://arxiv.org/abs/2106.08295"
        ),
    ),
)

DATASETS: Mapping[Draw, str] = {
    "random": f"{COUNT} random training images",
    "single": "a single image",
    "one_class": f"only images of the digit {ONE_CLASS}",
    "noise": f"{COUNT} images of random noise",
    "dark": f"{COUNT} images, scaled twice (divided by 255 again)",
    "bright": f"{COUNT} images, not scaled (0 to 255 instead of 0 to 1)",
}
"""Representative datasets that the student compares → in words."""
SHORT: Mapping[Draw, str] = {
    "random": "random images",
    "single": "a single image",
    "one_class": f"only the digit {ONE_CLASS}",
    "noise": "random noise",
    "dark": "scaled twice",
    "bright": "not scaled",
}
"""The same, for a chart."""


def arguments(draw: Draw, count: int = COUNT, seed: int = 0) -> dict[str, Any]:
    """What :func:`representative` is given for one of them."""
    return {"draw": draw, "count": count, "label": ONE_CLASS, "seed": seed}


@dataclass(frozen=True)
class Range:
    """What calibration found for one activation, and what that does to the test set.

    Attributes:
        low, high: the range of real values, zero included.
        scale, zero_point: of the 8-bit integers.
        clipped: share of the test set's values beyond the outermost integers, 0 to 1.
        sqnr_db: signal-to-quantization-noise ratio of the test set's values.
        steps_used: how many of the 256 integers the middle 99.9 % of the test values cover.
    """

    low: float
    high: float
    scale: float
    zero_point: int
    clipped: float
    sqnr_db: float
    steps_used: int


def calibrated(samples: np.ndarray, layer: str) -> Range:
    """The range that min–max calibration finds for a layer, as TFLite's converter does.

    Args:
        samples: representative samples, float32, shape (n, 8, 8, 1).
        layer: the layer whose activations are looked at.
    """
    seen = activations(samples)[layer]
    return on_test_values(float(seen.min()), float(seen.max()), layer)


def on_test_values(low: float, high: float, layer: str) -> Range:
    """What a range does to a layer's activations on the test set."""
    values = test_activations()[layer].astype(np.float64).ravel()
    scales, zero_points = parameters(np.array([low]), np.array([high]), SCHEME)
    scale, zero_point = float(scales[0]), int(zero_points[0])
    smallest, largest = SCHEME.limits
    steps = np.round(values / scale) + zero_point
    integers = np.clip(steps, smallest, largest)
    real = (integers - zero_point) * scale
    noise, signal = float(((real - values) ** 2).sum()), float((values**2).sum())
    inner = np.quantile(integers, [0.0005, 0.9995])
    low, high = min(low, 0.0), max(high, 0.0)
    return Range(
        low,
        high,
        scale,
        zero_point,
        float(((steps < smallest) | (steps > largest)).mean()),
        10 * float(np.log10(signal / noise)) if noise and signal else float("inf"),
        int(inner[1] - inner[0]) + 1,
    )


@cache
def test_activations() -> Mapping[str, np.ndarray]:
    """Layer → what it computes on the test set."""
    return activations(digits()["x_test"])


def drawn(draw: Draw, count: int = COUNT, seed: int = 0) -> np.ndarray:
    """Samples of the digits data to calibrate with."""
    data = digits()
    return representative(x=data["x_train"], y=data["y_train"], **arguments(draw, count, seed))


def predicted_truth() -> float:
    """Share of the layer's test activations that a single image's range clips, 0 to 1."""
    return calibrated(drawn("single"), LAYER).clipped


def by_count(layer: str, counts: Sequence[int], draws: int = 9) -> list[tuple[int, list[float]]]:
    """How much is clipped after calibrating with more and more random images.

    Args:
        layer: whose activations.
        counts: numbers of images.
        draws: how often each number is drawn.

    Returns:
        Pairs of (number of images, clipped share of each draw, ascending).
    """
    seen = activations(digits()["x_train"])[layer]
    axes = tuple(range(1, seen.ndim))
    lows, highs = seen.min(axis=axes), seen.max(axis=axes)
    values = np.sort(test_activations()[layer].ravel())
    found = []
    for count in counts:
        shares = []
        for seed in range(draws):
            random = np.random.default_rng(seed)
            chosen = random.choice(len(seen), min(count, len(seen)), replace=False)
            low, high = min(lows[chosen].min(), 0.0), max(highs[chosen].max(), 0.0)
            half_step = (high - low) / 255 / 2
            below = np.searchsorted(values, low - half_step, side="left")
            above = len(values) - np.searchsorted(values, high + half_step, side="right")
            shares.append(float((below + above) / len(values)))
        found.append((count, sorted(shares)))
    return found


def start_trial(store: Store) -> Run:
    """Ask the engine to quantize the sample with each of the datasets."""
    return store.queue_run(
        "calibration",
        f"Lesson: {LESSON.title}",
        study_id=open_practice_study(store).id,
        options={"sets": [arguments(draw) for draw in DATASETS]},
    )


def last_trial(store: Store) -> Run | None:
    """The newest run of :func:`start_trial`, whatever its state."""
    study = practice_study(store)
    if study is None:
        return None
    runs = store.list_runs(study_id=study.id, limit=None)
    return next((run for run in runs if run.kind == "calibration"), None)
