"""The sample study's files, and a residual network of our own."""

import json
import zipfile
from pathlib import Path

import pytest

from tests.measure.conftest import convert

STUDY = Path(__file__).parents[2] / "sample_models" / "digits_cnn.study.zip"


@pytest.fixture(scope="session")
def sample_files():
    """Variant's name → its file."""
    with zipfile.ZipFile(STUDY) as archive:
        study = json.loads(archive.read("study.json"))
        return {
            variant["name"]: archive.read(f"artifacts/{variant['stages']['convert']}/model.tflite")
            for variant in study["variants"]
        }


@pytest.fixture(scope="session")
def residual():
    """Branches that live long, two outputs, depthwise convolutions: mode → file."""
    import numpy as np
    import tensorflow as tf

    layers = tf.keras.layers
    inputs = tf.keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    for _ in range(3):
        y = layers.DepthwiseConv2D(3, padding="same")(x)
        x = layers.Add()([x, layers.Conv2D(8, 1, activation="relu")(y)])
    branches = [layers.Conv2D(4, 1)(x), layers.Conv2D(12, 3, padding="same")(x), x]
    x = layers.AveragePooling2D()(layers.Concatenate()(branches))
    x = layers.GlobalAveragePooling2D()(x)
    outputs = [layers.Dense(5, activation="softmax")(x), layers.Dense(2)(x)]
    model = tf.keras.Model(inputs, outputs)
    samples = np.random.default_rng(0).normal(size=(20, 16, 16, 3)).astype(np.float32)
    return {mode: convert(model, mode, samples) for mode in ("float32", "int8")}
