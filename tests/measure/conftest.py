"""Small real models, converted once per session by the real TFLite converter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

KERNEL_VALUES = np.array([0.0, 0.5, -1.0, 0.75], np.float32)
MODES = ("float32", "float16", "dynamic", "int8", "int8_io")


@dataclass(frozen=True, eq=False)
class Converted:
    """A Keras model, samples for it, and its files by mode."""

    keras_model: object
    x: np.ndarray
    files: dict[str, bytes]

    @property
    def outputs(self) -> np.ndarray:
        return self.keras_model(self.x).numpy()


def convert(model, mode, x) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if mode != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if mode.startswith("int8"):
        converter.representative_dataset = lambda: ([s[None].astype("float32")] for s in x)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    if mode == "int8_io":
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def few_values(shape, seed):
    """A kernel of the four KERNEL_VALUES, so that zeros and distinct values are known."""
    return KERNEL_VALUES[np.random.default_rng(seed).integers(0, 4, shape)]


@pytest.fixture(scope="session")
def cnn() -> Converted:
    """Convolutions, BatchNormalization to fold, a depthwise and a dense layer; 3 classes."""
    import tensorflow as tf

    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(1)
    model = tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 2)),
            layers.Conv2D(6, 3, use_bias=False, name="stem"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="act"),
            layers.DepthwiseConv2D(3, name="spatial"),
            layers.Conv2D(8, 1, name="pointwise"),
            layers.Flatten(name="flat"),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="head"),
        ],
        name="tiny",
    )
    for seed, name in enumerate(("stem", "pointwise", "hidden")):
        kernel, *rest = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([few_values(kernel.shape, seed), *rest])
    norm = model.get_layer("norm")
    gamma, beta, mean, variance = norm.get_weights()
    norm.set_weights([gamma + np.arange(6) / 4, beta + 0.1, mean - 0.2, variance * 2])
    x = np.random.default_rng(0).normal(size=(40, 8, 8, 2)).astype(np.float32)
    return Converted(model, x, {mode: convert(model, mode, x) for mode in MODES})


@pytest.fixture(scope="session")
def words() -> Converted:
    """Embedding and fused LSTM, with the batch fixed to 1 as the converter needs it."""
    import tensorflow as tf

    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(2)
    inputs = tf.keras.Input((6,), batch_size=1)
    hidden = layers.LSTM(4, name="memory")(layers.Embedding(20, 5, name="words")(inputs))
    model = tf.keras.Model(inputs, layers.Dense(2, name="head")(hidden))
    x = np.random.default_rng(0).integers(0, 20, (12, 6)).astype(np.float32)
    return Converted(model, x, {"float32": convert(model, "float32", x)})


@pytest.fixture(scope="session")
def wide_tflite() -> bytes:
    """A dense model of 4 MB, many times larger than the others."""
    import tensorflow as tf

    model = tf.keras.Sequential([tf.keras.Input((500,)), tf.keras.layers.Dense(2000)])
    return convert(model, "float32", None)


@pytest.fixture(scope="session")
def two_outputs_tflite() -> bytes:
    import tensorflow as tf

    inputs = tf.keras.Input((4,))
    dense = tf.keras.layers.Dense
    return convert(tf.keras.Model(inputs, [dense(2)(inputs), dense(3)(inputs)]), "float32", None)
