"""Lesson: quantization-aware training and the straight-through estimator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from optimizer.lessons.lesson import Exercise, Lesson, Reference
from optimizer.lessons.sample import digits

Gradient = Literal["true", "ste"]
GRADIENTS: dict[Gradient, str] = {"true": "True gradient", "ste": "Straight-through estimator"}
"""What gradient descent uses → what the screen calls it."""

START, TARGET, STEP, RATE, STEPS = -0.8, 0.6, 0.25, 0.1, 50
"""The prediction's weight: where it begins, where it should be, its grid, the learning rate."""
LIMIT = 1.0
"""The grid of the single weight reaches from −1 to 1."""
FLOAT_STEPS, FLOAT_RATE = 400, 0.5
"""Gradient steps, and their learning rate, that train the neuron in floats."""
AWARE_STEPS, AWARE_RATE = 200, 0.02
"""The same of training on with fake-quantized weights."""

LESSON = Lesson(
    id="quantization-aware-training",
    title="Quantization-aware training",
    question="Rounding is flat almost everywhere: how can a network train through it?",
    minutes=8,
    terms={
        "quantization-aware training": "trains on with weights and activations rounded to their "
        "integers' values, so that the network learns to live with the rounding.",
        "fake quantization": "rounds a float to the value its integer would stand for, and stays a "
        "float.",
        "straight-through estimator": "takes the derivative of rounding to be 1 within the range, "
        "although it is 0 almost everywhere.",
        "post-training quantization": "rounds the weights of a finished network, without training.",
    },
    remember=(
        "Forward the rounded weight is used; backward its gradient goes straight to the float "
        "weight behind it, which collects small steps until it reaches another integer.",
        "The gradient is 0 outside the range: a clipped weight or activation does not learn.",
        "QAT pays where rounding hurts. At 8 bits post-training quantization often loses next to "
        "nothing, and needs no training.",
    ),
    references=(
        Reference(
            "Bengio et al. 2013, Estimating or propagating gradients through stochastic neurons",
            "https://arxiv.org/abs/1308.3432",
        ),
        Reference(
            "Jacob et al. 2018, Quantization and training for integer-arithmetic-only inference "
            "(section 3)",
            "https://arxiv.org/abs/1712.05877",
        ),
        Reference(
            "TensorFlow: gradient of fake quantization",
            "https://www.tensorflow.org/api_docs/python/tf/quantization/fake_quant_with_min_max_args_gradient",
        ),
        Reference(
            "Nagel et al. 2022, Overcoming oscillations in QAT", "https://arxiv.org/abs/2203.11086"
        ),
    ),
    exercises=(
        Exercise.of("int8 after training (PTQ)", quantize={"mode": "int8"}),
        Exercise.of("int8, quantization-aware (QAT)", quantize={"mode": "int8", "aware": True}),
        Exercise.of(
            "int8 after training, one scale per tensor",
            quantize={"mode": "int8", "granularity": "per_tensor"},
        ),
        Exercise.of(
            "int8, quantization-aware, one scale per tensor",
            quantize={"mode": "int8", "aware": True, "granularity": "per_tensor"},
        ),
    ),
    exercise_columns=("metric", "agreement", "size", "gzip", "ratio"),
)


def fake_quantize(values: np.ndarray, step: float, limit: float) -> np.ndarray:
    """Round to multiples of ``step`` between −limit and limit; float, the shape of ``values``."""
    return np.clip(np.round(values / step) * step, -limit, limit)


def ste_gradient(values: np.ndarray, limit: float) -> np.ndarray:
    """The straight-through derivative of :func:`fake_quantize`: 1 within the range, else 0.

    As TensorFlow's ``fake_quant_with_min_max_args_gradient``.
    """
    return (np.abs(values) <= limit).astype(float)


@dataclass(frozen=True, eq=False)
class Path:
    """A weight under gradient descent.

    Attributes:
        weight: the float weight before each step and at the end, shape (steps + 1,).
        used: what the forward pass used of it, the same shape.
    """

    weight: np.ndarray
    used: np.ndarray

    @property
    def jumps(self) -> int:
        """How often the rounded weight changed."""
        return int(np.count_nonzero(np.diff(self.used)))


def descend(
    start: float, target: float, step: float, rate: float, gradient: Gradient, steps: int = STEPS
) -> Path:
    """Minimize ½(ŵ − target)² over w, where ŵ is w rounded to multiples of ``step``.

    Args:
        start: of w.
        target: what ŵ should be.
        step: of the grid, which reaches from −:data:`LIMIT` to it.
        rate: learning rate of gradient descent.
        gradient: derivative of the rounding; the true one is 0 wherever it exists.
        steps: of gradient descent.
    """
    weights, used = [start], []
    for _ in range(steps):
        w = np.array(weights[-1])
        rounded = float(fake_quantize(w, step, LIMIT))
        through = float(ste_gradient(w, LIMIT)) if gradient == "ste" else 0.0
        used.append(rounded)
        weights.append(weights[-1] - rate * (rounded - target) * through)
    used.append(float(fake_quantize(np.array(weights[-1]), step, LIMIT)))
    return Path(np.array(weights), np.array(used))


@dataclass(frozen=True, eq=False)
class Neuron:
    """One logistic neuron that tells odd digits from even ones, trained in several ways.

    Attributes:
        losses: way → training loss after each step of the second training, shape (steps + 1,).
        accuracy: way → share of the test digits that are right; ``float`` and ``ptq`` too.
        weights: way → its 64 weights as the forward pass uses them.
        scale: way → distance of the grid's values; none for ``float``.
    """

    losses: dict[str, np.ndarray]
    accuracy: dict[str, float]
    weights: dict[str, np.ndarray]
    scale: dict[str, float]


WAYS = {
    "float": "Float, not rounded",
    "ptq": "Rounded after training (PTQ)",
    "true": "Trained on with the true gradient",
    "ste": "Trained on with the STE (QAT)",
}
"""How the neuron got its weights → what the screen calls it."""


@cache
def parity() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test digits as vectors, and whether they are odd.

    Returns:
        ``x_train``, ``y_train``, ``x_test``, ``y_test``: float64 of shape (n, 64), pixels from
        −1 to 1, and float64 0 or 1.
    """
    data = digits()
    parts = []
    for name in ("train", "test"):
        images = data[f"x_{name}"].reshape(len(data[f"x_{name}"]), -1).astype(np.float64)
        parts += [2 * images - 1, (data[f"y_{name}"] % 2).astype(np.float64)]
    return parts[0], parts[1], parts[2], parts[3]


@cache
def float_weights() -> np.ndarray:
    """The neuron's weights after training in floats, shape (64,)."""
    x, y, _, _ = parity()
    weights = np.zeros(x.shape[1])
    for _ in range(FLOAT_STEPS):
        weights = weights - FLOAT_RATE * _slope(x, y, weights)
    return weights


def neuron(bits: int, rate: float = AWARE_RATE, steps: int = AWARE_STEPS) -> Neuron:
    """Round the neuron's weights, and train on with rounded weights, with both gradients.

    Symmetric, one scale, anew at each step from the largest magnitude, as TFMOT's default for
    weights does. All training data in each step.

    Args:
        bits: of the integers, 2 to 8.
        rate: learning rate of the second training.
        steps: of the second training.
    """
    x, y, x_test, y_test = parity()
    start = float_weights()
    losses: dict[str, np.ndarray] = {"float": np.full(steps + 1, _loss(x, y, start))}
    used = {"float": start, "ptq": _rounded(start, bits)[0]}
    scale = {"ptq": _rounded(start, bits)[1]}
    losses["ptq"] = np.full(steps + 1, _loss(x, y, used["ptq"]))
    for way in GRADIENTS:
        weights, found = start, []
        for _ in range(steps):
            rounded, _ = _rounded(weights, bits)
            found.append(_loss(x, y, rounded))
            # The range follows the largest weight, so no weight is outside of it.
            through = 1.0 if way == "ste" else 0.0
            weights = weights - rate * _slope(x, y, rounded) * through
        used[way], scale[way] = _rounded(weights, bits)
        losses[way] = np.array([*found, _loss(x, y, used[way])])
    accuracy = {way: float(((x_test @ w > 0) == (y_test > 0.5)).mean()) for way, w in used.items()}
    return Neuron(losses, accuracy, used, scale)


def _rounded(weights: np.ndarray, bits: int) -> tuple[np.ndarray, float]:
    """Weights on the grid of so many bits, and the grid's distance."""
    scale = float(np.abs(weights).max()) / (2 ** (bits - 1) - 1)
    return fake_quantize(weights, scale, float(np.abs(weights).max())), scale


def _chance(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(x @ weights, -500, 500))))


def _loss(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """Mean binary cross-entropy, in nats."""
    signed = np.where(y > 0.5, 1.0, -1.0) * (x @ weights)
    return float(np.logaddexp(0, -signed).mean())


def _slope(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.asarray(x.T @ (_chance(x, weights) - y) / len(y))
