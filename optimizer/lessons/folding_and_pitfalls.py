"""Lesson: BatchNormalization folded into convolutions, and other pitfalls."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import h5py
import numpy as np

from optimizer.lessons.bundled_study import INT8, PRUNED, bundled_file, bundled_result
from optimizer.lessons.lesson import Exercise, Lesson, Reference
from optimizer.lessons.sample import digits
from optimizer.measure.interpreter import predict
from optimizer.measure.tflite_file import TfliteFile
from optimizer.samples import load_sample_model

CONVOLUTION, NORMALIZATION = "stem", "stem_bn"
"""The layers of the sample MobileNet that are folded on the page."""
IMAGES = 64
"""Test images that go through the layers."""
DYNAMIC: dict[str, Any] = {"quantize": {"mode": "dynamic"}}
INT16: dict[str, Any] = {"quantize": {"mode": "int16x8"}}

LESSON = Lesson(
    id="folding-and-pitfalls",
    title="Batch normalization folding and other pitfalls",
    question="Where does BatchNormalization go when a model is converted, and what else goes wrong "
    "on the way?",
    minutes=9,
    terms={
        "batch normalization folding": "multiplies a normalization's factor into the kernel before "
        "it, so that nothing is left to compute.",
        "logits": "are a classifier's outputs before softmax turns them into probabilities.",
        "dynamic range quantization": "stores weights as int8 and leaves activations in float "
        "files, quantizing them on the fly where a kernel can.",
        "reference kernel": "is a plain implementation of an operator, correct and slow.",
    },
    remember=(
        "At inference BatchNormalization is one factor and one offset per channel; folded, they "
        "cost nothing and change the result by rounding only.",
        "Quantization sees the folded kernel. Its channels differ as much as the factors do, which "
        "is why kernels get a scale for each channel.",
        "The runtime checks shapes, not meanings. Ask of each figure what it is of: the file or "
        "the download, weights or activations, which operators.",
    ),
    references=(
        Reference("Ioffe & Szegedy 2015, Batch normalization", "https://arxiv.org/abs/1502.03167"),
        Reference(
            "Jacob et al. 2018, Quantization and training (section 3.2, folding)",
            "https://arxiv.org/abs/1712.05877",
        ),
        Reference(
            "Krishnamoorthi 2018, Quantizing deep convolutional networks (per channel)",
            "https://arxiv.org/abs/1806.08342",
        ),
        Reference(
            "LiteRT: post-training quantization",
            "https://ai.google.dev/edge/litert/models/post_training_quantization",
        ),
    ),
    exercises=(
        Exercise.of("Dynamic range", **DYNAMIC),
        Exercise.of("int8, float inputs and outputs", **INT8),
        Exercise.of("int8 from end to end", quantize={"mode": "int8", "io": "int8"}),
    ),
    exercise_columns=("metric", "agreement", "size", "gzip", "latency", "ratio"),
)


@dataclass(frozen=True, eq=False)
class Folding:
    """A convolution, the normalization behind it, and both as one.

    Attributes:
        kernel: of the convolution, shape (height, width, inputs, outputs); it has no bias.
        gamma, beta, mean, variance: of the normalization, shape (outputs,).
        epsilon: what is added to the variance.
    """

    kernel: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    epsilon: float

    @property
    def factor(self) -> np.ndarray:
        """γ / √(σ² + ε), shape (outputs,)."""
        return np.asarray(self.gamma / np.sqrt(self.variance + self.epsilon))

    @property
    def folded_kernel(self) -> np.ndarray:
        """The kernel times the factors, float32."""
        return np.asarray(self.kernel * self.factor, np.float32)

    @property
    def folded_bias(self) -> np.ndarray:
        """β − μ · factor, float32."""
        return np.asarray(self.beta - self.mean * self.factor, np.float32)


@dataclass(frozen=True)
class Difference:
    """How far the folded layer is from the two layers.

    Attributes:
        largest: absolute, in the units of the output.
        output: largest magnitude of an output.
        values: number of outputs compared.
    """

    largest: float
    output: float
    values: int


@cache
def folding() -> Folding:
    """The first convolution of the sample MobileNet and its normalization, from its file."""
    with zipfile.ZipFile(io.BytesIO(load_sample_model("digits_mobilenet"))) as archive:
        config = json.loads(archive.read("config.json"))
        weights = archive.read("model.weights.h5")
    body = next(
        layer for layer in config["config"]["layers"] if layer["class_name"] == "Functional"
    )
    settings = {layer["config"]["name"]: layer["config"] for layer in body["config"]["layers"]}
    # Keras numbers layers of a class in their order; these two are the first of theirs.
    with h5py.File(io.BytesIO(weights), "r") as file:
        layers = file["layers/functional/layers"]
        kernel = np.array(layers["conv2d/vars/0"])
        gamma, beta, mean, variance = (
            np.array(layers[f"batch_normalization/vars/{index}"]) for index in range(4)
        )
    epsilon = float(settings[NORMALIZATION]["epsilon"])
    return Folding(kernel, gamma, beta, mean, variance, epsilon)


def convolve(images: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A convolution with padding ``same`` and stride 1, float32.

    Args:
        images: shape (n, height, width, inputs).
        kernel: shape (3, 3, inputs, outputs).
    """
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.asarray(np.einsum("nhwcij,ijco->nhwo", windows, kernel), np.float32)


def difference() -> Difference:
    """Run test images through both layers, and through the folded one, in float32."""
    layer = folding()
    images = digits()["x_test"][:IMAGES].astype(np.float32)
    plain = convolve(images, layer.kernel)
    deviation = np.sqrt(layer.variance + np.float32(layer.epsilon))
    two = layer.gamma * (plain - layer.mean) / deviation + layer.beta
    one = convolve(images, layer.folded_kernel) + layer.folded_bias
    return Difference(float(np.abs(two - one).max()), float(np.abs(two).max()), two.size)


def rounding_error(kernel: np.ndarray, per_channel: bool) -> np.ndarray:
    """Root mean square error of int8 in each output channel, over the channel's largest weight.

    Args:
        kernel: output channels last.
        per_channel: a scale for each output channel, or one for all.
    """
    flat = kernel.reshape(-1, kernel.shape[-1])
    largest = np.abs(flat).max(axis=0)
    scale = (largest if per_channel else np.full_like(largest, largest.max())) / 127
    error = np.round(flat / scale) * scale - flat
    return np.asarray(np.sqrt((error**2).mean(axis=0)) / largest)


@cache
def accuracy_scaled(mode: str, factor: float) -> float:
    """Accuracy of a file of the sample study when its inputs are multiplied by a factor.

    Args:
        mode: ``float32`` or ``int8``.
        factor: 1 is what the model was trained with: pixels from 0 to 1.
    """
    data = digits()
    file = bundled_file(INT8 if mode == "int8" else None)
    outputs = predict(file, [data["x_test"] * np.float32(factor)])[0]
    return float((outputs.argmax(axis=-1) == data["y_test"]).mean())


@dataclass(frozen=True)
class Softmaxed:
    """What one softmax too many does to a classifier's outputs.

    Attributes:
        accuracy: before and after, 0 to 1.
        confidence: mean of the largest probability, before and after.
        loss: mean cross-entropy in nats, before and after.
    """

    accuracy: tuple[float, float]
    confidence: tuple[float, float]
    loss: tuple[float, float]


@cache
def softmax_twice() -> Softmaxed:
    """Take the sample's probabilities for logits and apply softmax again."""
    data = digits()
    once = predict(bundled_file(), [data["x_test"]])[0].astype(np.float64)
    raised = np.exp(once)
    twice = raised / raised.sum(axis=-1, keepdims=True)
    labels = data["y_test"]
    rows = np.arange(len(labels))

    def pair(figure: Any) -> tuple[float, float]:
        return float(figure(once)), float(figure(twice))

    return Softmaxed(
        pair(lambda p: (p.argmax(axis=-1) == labels).mean()),
        pair(lambda p: p.max(axis=-1).mean()),
        pair(lambda p: -np.log(np.maximum(p[rows, labels], 1e-12)).mean()),
    )


@dataclass(frozen=True)
class Overhead:
    """What of a file is weights and biases, and what is everything else; bytes."""

    file: int
    constants: int

    @property
    def rest(self) -> int:
        """Graph, names, scales and padding."""
        return self.file - self.constants


def overhead(recipe: Mapping[str, Any] | None) -> Overhead:
    """The parts of a file of the sample study."""
    file = TfliteFile.read(bundled_file(recipe))
    return Overhead(file.size_bytes, file.parameter_bytes)


def arithmetic(recipe: Mapping[str, Any] | None) -> Mapping[str, int]:
    """Operators of a file of the sample study by what they compute in.

    ``hybrid`` ones have int8 weights and float activations.
    """
    return TfliteFile.read(bundled_file(recipe)).ops


def float_operators(recipe: Mapping[str, Any] | None) -> Mapping[str, int]:
    """Operators of a file of the sample study that compute in float32."""
    return TfliteFile.read(bundled_file(recipe)).float_operators


def pruned_sizes() -> tuple[int, int]:
    """Bytes of the pruned file, and of it after gzip."""
    found = bundled_result(PRUNED)
    return found.size_bytes or 0, found.gzip_bytes or 0
