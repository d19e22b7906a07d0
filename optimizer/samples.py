"""The bundled sample models and datasets, by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from optimizer.errors import InputError

SAMPLE_FOLDER = Path(__file__).resolve().parents[1] / "sample_models"


@dataclass(frozen=True)
class Sample:
    """A bundled file.

    Attributes:
        dataset: for a model, the name of the sample dataset it was trained on; for a dataset,
            its own name.
    """

    name: str
    title: str
    description: str
    path: Path
    dataset: str


def _sample(name: str, file_name: str, dataset: str, title: str, description: str) -> Sample:
    return Sample(name, title, description, SAMPLE_FOLDER / file_name, dataset)


MODELS = {
    sample.name: sample
    for sample in (
        _sample(
            "digits_cnn",
            "digits_cnn.keras",
            "digits",
            "Digits, convolutional",
            "A plain convolutional network that reads 8×8 handwritten digits (Keras 3).",
        ),
        _sample(
            "digits_mobilenet",
            "digits_mobilenet.keras",
            "digits",
            "Digits, MobileNetV2 style",
            "Transfer learning's pattern: a small MobileNetV2 with BatchNormalization and ReLU6, "
            "nested inside a model with a head of its own (Keras 3).",
        ),
        _sample(
            "cancer_mlp",
            "cancer_mlp.h5",
            "cancer",
            "Breast cancer, tabular",
            "A small dense network over 30 measurements, benign or malignant (legacy Keras 2 .h5).",
        ),
    )
}
"""Name → sample model."""

DATASETS = {
    sample.name: sample
    for sample in (
        _sample(
            "digits",
            "digits.npz",
            "digits",
            "Handwritten digits",
            "1,797 real 8×8 images of handwritten digits in ten classes.",
        ),
        _sample(
            "cancer",
            "cancer.npz",
            "cancer",
            "Breast cancer, Wisconsin",
            "569 real samples with 30 standardized measurements in two classes.",
        ),
    )
}
"""Name → sample dataset."""


def load_sample_model(name: str) -> bytes:
    """The file of a bundled model.

    Raises:
        InputError: there is no such sample; the known ones are named.
    """
    if name not in MODELS:
        raise InputError(f"There is no sample model {name!r}. There are: {', '.join(MODELS)}.")
    return MODELS[name].path.read_bytes()
