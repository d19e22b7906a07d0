"""The families of ``keras.applications``: trained for a moment, imported, quantized, the same.

Minutes in all; run with ``-m slow``.
"""

import numpy as np
import pytest

from optimizer.data.arrays import Arrays
from optimizer.measure.interpreter import predict
from optimizer.models.verify import TOLERANCE
from tests.models.conftest import import_files, saved
from tests.models.test_every_layer import outputs
from tests.techniques.steps import convert

PIXELS_TO_255 = ("EfficientNetB0", "MobileNetV3Small")
"""Families that scale pixels themselves."""

MOST_EPOCHS = 8
"""How often the images are seen at most; how many epochs a family needs differs by machine."""

FAMILIES = (
    "DenseNet121",
    "EfficientNetB0",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "NASNetMobile",
    "ResNet50",
    "Xception",
)


def images(count, seed):
    """Images of coarse patches whose class is the colour that there is most of."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, count)
    patches = random.random((count, 4, 4, 3), np.float32) * 0.6
    patches[np.arange(count), :, :, labels] += 0.4
    noise = random.random((count, 96, 96, 3), np.float32)
    return np.kron(patches, np.ones((1, 24, 24, 1), np.float32)) * 0.9 + noise * 0.1, labels


def trained(name):
    """A model of the family that tells the colours apart, and images it has not seen."""
    import keras

    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, input_shape=(96, 96, 3), classes=3)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.6  # so few steps are too few for the usual one
    x, y = images(256, seed=0)
    unseen, labels = images(100, seed=1)
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(3e-4), loss, metrics=["accuracy"])
    for _ in range(MOST_EPOCHS):
        model.fit(pixels(x, name), y, batch_size=16, verbose=0)
        if model.evaluate(pixels(unseen, name), labels, verbose=0)[1] > 0.9:
            break
    return model, pixels(unseen, name), labels


def pixels(x, name):
    """Images in the range that the family takes."""
    return x * 255 if name in PIXELS_TO_255 else x * 2 - 1


def constants(model):
    """How many numbers ``Normalization`` has, whose mean and variance become constants."""
    import keras

    kind = keras.layers.Normalization
    return sum(layer.count_params() for layer in model.layers if isinstance(layer, kind))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_imported_and_quantized(name, tmp_path):
    model, x, labels = trained(name)
    (expected,) = outputs(model, [x])
    assert np.mean(expected.argmax(1) == labels) > 0.8
    facts, files = import_files(saved(model, tmp_path))
    assert facts["verification"]["max_relative_difference"] < TOLERANCE
    assert facts["parameters"] == model.count_params() - constants(model)
    data = Arrays((x,), (), (x,), (), input_names=("x",), target_names=())
    converted = convert(files, {"arrays.npz": data.save()}, mode="int8", calibration_samples=30)
    (actual,) = predict(converted["model.tflite"], [x])
    assert len(converted["model.tflite"]) < 0.4 * facts["parameter_bytes"]
    assert np.mean(actual.argmax(1) == expected.argmax(1)) > 0.9
