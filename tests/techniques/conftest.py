"""Tiny trained models and data, made once for all tests of techniques."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from optimizer.data.arrays import Arrays


@pytest.fixture(scope="session")
def arrays():
    digits = load_digits()
    x = (digits.images / 16).astype("float32")[..., np.newaxis]
    y = digits.target.astype("int64")
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    return Arrays.single(x[:1200], y[:1200], x[1200:], y[1200:])


@pytest.fixture(scope="session")
def data(arrays):
    return {"arrays.npz": arrays.save()}


def _train(model, arrays, epochs):
    import tf_keras

    model.compile(tf_keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(arrays.x_train[0], arrays.y_train[0], epochs=epochs, batch_size=64, verbose=0)
    return model


@pytest.fixture(scope="session")
def plain_model(arrays):
    """Convolutions with fused ReLU, then dense layers."""
    import tf_keras
    from tf_keras import layers

    tf_keras.utils.set_random_seed(1)
    inputs = tf_keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv_a")(inputs)
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv_b")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(32, activation="relu", name="dense_a")(x)
    outputs = layers.Dense(10, activation="softmax", name="dense_b")(x)
    return _train(tf_keras.Model(inputs, outputs), arrays, 8)


@pytest.fixture(scope="session")
def norm_model(arrays):
    """What is hard: BatchNormalization on both sides of activations, depthwise, separable, Add."""
    import tf_keras
    from tf_keras import layers

    tf_keras.utils.set_random_seed(2)
    inputs = tf_keras.Input((8, 8, 1))
    x = layers.Conv2D(12, 3, padding="same", use_bias=False, name="conv_a")(inputs)
    x = layers.BatchNormalization(name="norm_a")(x)
    x = layers.ReLU(6.0, name="relu_a")(x)
    skip = x
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.BatchNormalization(name="norm_b")(x)
    x = layers.ReLU(name="relu_b")(x)
    x = layers.Conv2D(12, 1, name="conv_b")(x)
    x = layers.BatchNormalization(name="norm_c")(x)
    x = layers.Add(name="add")([x, skip])
    x = layers.SeparableConv2D(16, 3, activation="relu", name="separable")(x)
    x = layers.BatchNormalization(name="norm_after_relu")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.BatchNormalization(name="norm_of_vector")(x)
    x = layers.Dropout(0.1, name="dropout")(x)
    outputs = layers.Dense(10, activation="softmax", name="dense")(x)
    return _train(tf_keras.Model(inputs, outputs), arrays, 10)


@pytest.fixture(scope="session")
def plain_files(plain_model):
    from optimizer.models.flat import save_flat

    return {"model.keras": save_flat(plain_model)}


@pytest.fixture(scope="session")
def norm_files(norm_model):
    from optimizer.models.flat import save_flat

    return {"model.keras": save_flat(norm_model)}
