"""Lesson: affine quantization, from real numbers to integers and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from optimizer.lessons.lesson import Exercise, Lesson, Reference

LAYERS = ("conv_1", "conv_2", "conv_3", "dense_1", "digit")
"""The layers of the sample whose weights can be quantized on the page."""
LAYER = "conv_2"
BITS = 8

LESSON = Lesson(
    id="affine-quantization",
    title="Affine quantization",
    question="How do real numbers become 8-bit integers, and what is lost on the way?",
    minutes=8,
    terms={
        "quantization": "stores numbers as small integers that stand for evenly spaced real "
        "numbers.",
        "scale": "is the distance between two neighbouring quantized values, in the unit of the "
        "real numbers.",
        "zero point": "is the integer that stands for the real number zero.",
        "clipping": "moves what lies outside the representable range to its end.",
        "per channel": "means that each output channel of a kernel has a scale of its own; per "
        "tensor, that they share one.",
        "int8": "is a file whose weights and activations are 8-bit integers, a quarter of the "
        "bytes of float32.",
        "SQNR": "is the signal-to-quantization-noise ratio: the sum of squared values over the sum "
        "of squared errors, in decibels.",
    },
    remember=(
        "real = (integer − zero point) × scale: inside the range a value moves by at most half a "
        "scale.",
        "A narrower range makes the scale and all rounding errors smaller, but clips what lies "
        "outside; each bit less halves the number of steps and costs about 6 dB.",
        "TFLite's weights are symmetric (zero point 0, −127 to 127), with a scale for each output "
        "channel; its activations are asymmetric, with one scale for the tensor.",
    ),
    references=(
        Reference(
            "TensorFlow Lite 8-bit quantization specification",
            "https://ai.google.dev/edge/litert/models/quantization_spec",
        ),
        Reference(
            "Jacob et al. 2018, Integer-Arithmetic-Only Inference",
            "https://arxiv.org/abs/1712.05877",
        ),
        Reference(
            "Krishnamoorthi 2018, Quantizing deep convolutional networks",
            "https://arxiv.org/abs/1806.08342",
        ),
        Reference(
            "Nagel et al. 2021, A White Paper on Neural Network Quantization",
            "https://arxiv.org/abs/2106.08295",
        ),
    ),
    exercises=(
        Exercise.of("int8, per channel", quantize={"mode": "int8"}),
        Exercise.of("int8, per tensor", quantize={"mode": "int8", "granularity": "per_tensor"}),
        Exercise.of("Dynamic range", quantize={"mode": "dynamic"}),
    ),
    exercise_columns=("metric", "agreement", "size", "gzip"),
)


@dataclass(frozen=True)
class Scheme:
    """How to quantize.

    Attributes:
        bits: of the integers, 2 to 8.
        symmetric: zero point 0 and integers from −(2^(b−1) − 1) to 2^(b−1) − 1; else all 2^b
            integers, and the zero point wherever the range needs it.
        per_channel: whether each output channel has a range of its own.
        clip: share of the full range that is kept, above 0 to 1.
    """

    bits: int = BITS
    symmetric: bool = True
    per_channel: bool = False
    clip: float = 1.0

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest integer."""
        high = 2 ** (self.bits - 1) - 1
        return (-high if self.symmetric else -high - 1), high


@dataclass(frozen=True, eq=False)
class Quantized:
    """A tensor as integers, and what that cost.

    Attributes:
        integers: int32, the tensor's shape.
        scale: float64, shape (1,) or (channels,).
        zero_point: int64, the scale's shape.
        real: the integers' real values: float64, the tensor's shape.
        error: ``real`` − the tensor.
        clipped: which values lay outside the range: bool, the tensor's shape.
        low, high: ends of the range of real values, of the scale's shape.
    """

    integers: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray
    real: np.ndarray
    error: np.ndarray
    clipped: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def sqnr_db(self) -> float:
        """10·log10 of the sum of squared values over that of squared errors."""
        noise = float((self.error**2).sum())
        signal = float(((self.real - self.error) ** 2).sum())
        return 10 * math.log10(signal / noise) if noise and signal else math.inf

    @property
    def largest_error(self) -> float:
        """The largest absolute error."""
        return float(np.abs(self.error).max())


def quantize(tensor: np.ndarray, scheme: Scheme) -> Quantized:
    """Quantize a tensor and bring it back.

    ``integer = clip(round(real / scale) + zero point)``, ``real = (integer − zero point) · scale``,
    as in TensorFlow Lite's specification and Jacob et al. 2018, section 2.1. The range is
    widened to contain zero, so that zero is exact.

    Args:
        tensor: float, shape (output channels, …).
        scheme: how.
    """
    values = tensor.astype(np.float64)
    rows = values.reshape(len(values), -1) if scheme.per_channel else values.reshape(1, -1)
    low, high = rows.min(axis=1), rows.max(axis=1)
    scale, zero_point = parameters(low, high, scheme)
    smallest, largest = scheme.limits
    steps = np.round(rows / scale[:, None]) + zero_point[:, None]
    integers = np.clip(steps, smallest, largest).astype(np.int32)
    real = (integers - zero_point[:, None]) * scale[:, None]
    return Quantized(
        integers.reshape(values.shape),
        scale,
        zero_point,
        real.reshape(values.shape),
        (real - rows).reshape(values.shape),
        ((steps < smallest) | (steps > largest)).reshape(values.shape),
        (smallest - zero_point) * scale,
        (largest - zero_point) * scale,
    )


def parameters(low: np.ndarray, high: np.ndarray, scheme: Scheme) -> tuple[np.ndarray, np.ndarray]:
    """Scale and zero point for ranges of real values.

    Args:
        low, high: ends of each range, shape (n,).
        scheme: how; its ``clip`` narrows the ranges.

    Returns:
        Scale, float64, and zero point, int64, shape (n,). A range that is only zero gets scale 1.
    """
    smallest, largest = scheme.limits
    low, high = np.minimum(low, 0.0) * scheme.clip, np.maximum(high, 0.0) * scheme.clip
    if scheme.symmetric:
        scale = np.maximum(-low, high) / largest
        zero_point = np.zeros(len(scale), np.int64)
    else:
        scale = (high - low) / (largest - smallest)
        safe = np.where(scale > 0, scale, 1.0)
        zero_point = np.clip(np.round(smallest - low / safe), smallest, largest).astype(np.int64)
    return np.where(scale > 0, scale, 1.0), zero_point


def clip_curve(
    tensor: np.ndarray, scheme: Scheme, clips: Sequence[float]
) -> list[tuple[float, float]]:
    """Pairs of (clip, SQNR in dB) for a scheme whose range is narrowed step by step."""
    return [(clip, quantize(tensor, replace(scheme, clip=clip)).sqnr_db) for clip in clips]


def largest_error_share(tensor: np.ndarray) -> float:
    """The largest error of symmetric 8 bits per tensor, as a share of the largest magnitude."""
    return quantize(tensor, Scheme()).largest_error / float(np.abs(tensor).max())
