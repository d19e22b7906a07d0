"""Lesson: how fast a pruning schedule takes weights away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.lessons.lesson import Exercise, Lesson, Reference
from optimizer.schedules import PolynomialSchedule, Schedule

LAYER = "conv_2"
"""The layer of the sample whose kernel is masked on the page."""

TARGET = 0.8
PREDICTED_AT = 0.25
"""The student predicts the sparsity after this share of the rise from begin to end."""

EPOCHS = 3

LESSON = Lesson(
    id="sparsity-schedules",
    title="Sparsity schedules",
    question="If 80 % of the weights have to go, when should they go: all at once, or bit by bit?",
    minutes=6,
    terms={
        "sparsity": "is the share of a layer's weights that are exactly zero.",
        "sparsity schedule": "says how large the sparsity has to be at each moment of the "
        "fine-tuning.",
        "magnitude pruning": "sets the weights closest to zero to zero, because they change the "
        "output least.",
        "mask": "is the array of zeros and ones that a kernel is multiplied by, so that pruned "
        "weights stay zero while the others train.",
    },
    remember=(
        "A polynomial schedule takes many weights early, when plenty are superfluous, and few at "
        "the end, when each one hurts.",
        "Between begin and end the network mends what was cut; the training after the end lets it "
        "settle with the final mask.",
        "At each update the mask is chosen anew, from what the magnitudes are by then.",
    ),
    references=(
        Reference(
            "Zhu & Gupta 2017, To prune, or not to prune (equation 1)",
            "https://arxiv.org/abs/1710.01878",
        ),
        Reference(
            "TFMOT: PolynomialDecay",
            "https://www.tensorflow.org/model_optimization/api_docs/python/tfmot/sparsity/keras/PolynomialDecay",
        ),
    ),
    exercises=(
        Exercise.of(
            "Late jump, in the last tenth",
            prune={"schedule": {"kind": "constant", "target_sparsity": TARGET, "begin": 0.9}},
        ),
        Exercise.of(
            "Early jump, at the start",
            prune={"schedule": {"kind": "constant", "target_sparsity": TARGET}},
        ),
        Exercise.of(
            "Cubic curve",
            prune={"schedule": {"kind": "polynomial", "final_sparsity": TARGET, "power": 3}},
        ),
    ),
    exercise_columns=("metric", "agreement", "sparsity", "gzip"),
)


@dataclass(frozen=True)
class Moment:
    """A kernel at one moment of the fine-tuning, if its magnitudes did not change.

    Attributes:
        asked: sparsity that the schedule asks for, 0 to 1.
        threshold: magnitude below which weights are zero.
        mask: which weights are kept: bool, the kernel's shape.
    """

    asked: float
    threshold: float
    mask: np.ndarray

    @property
    def zeros(self) -> int:
        """How many weights are zero."""
        return int(np.count_nonzero(~self.mask))


def moment(kernel: np.ndarray, schedule: Schedule, fraction: float) -> Moment:
    """What the schedule's sparsity makes of a kernel, by magnitude, as TFMOT does it.

    ``round(size × (1 − sparsity))`` weights of the largest magnitude are kept
    (``pruning_impl.Pruning._update_mask``).

    Args:
        kernel: float, any shape.
        schedule: the schedule.
        fraction: share of the fine-tuning done, 0 to 1.
    """
    asked = schedule.sparsity_at(fraction)
    magnitudes = np.abs(kernel).ravel()
    kept = round(magnitudes.size * (1.0 - asked))
    mask = np.zeros(magnitudes.size, bool)
    order = np.argsort(-magnitudes, kind="stable")
    mask[order[:kept]] = True
    threshold = float(magnitudes[order[kept - 1]]) if 0 < kept < magnitudes.size else 0.0
    return Moment(asked, threshold, mask.reshape(kernel.shape))


def energy_kept(kernel: np.ndarray, mask: np.ndarray) -> float:
    """Share of the squared weights that a mask keeps, 0 to 1."""
    return float((kernel[mask] ** 2).sum() / (kernel**2).sum())


def predicted_truth(power: float = 3) -> float:
    """The sparsity after :data:`PREDICTED_AT` of the rise along a polynomial, 0 to 1."""
    schedule = PolynomialSchedule(final_sparsity=TARGET, power=power, begin=0.0, end=1.0)
    return schedule.sparsity_at(PREDICTED_AT)
