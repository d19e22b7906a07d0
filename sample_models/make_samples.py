"""Makes every sample model and dataset of this folder again, from scikit-learn's bundled data.

Usage, from the project's root, with the requirements installed::

    python sample_models/make_samples.py

Everything is seeded. It writes, beside this file:

* ``digits.npz``: 1,797 real 8×8 handwritten digits, ``(8, 8, 1)`` float32 in [0, 1], 10 classes;
* ``cancer.npz``: 569 real breast cancer measurements, 30 standardized float32 features, 2 classes;
* ``digits_cnn.keras`` (Keras 3): a plain convolutional network;
* ``digits_mobilenet.keras`` (Keras 3): the transfer-learning pattern, a small MobileNetV2
  (inverted residuals, BatchNormalization, ReLU6) nested inside a Sequential with a new head;
* ``cancer_mlp.h5`` (Keras 2, legacy HDF5): a small tabular classifier with a sigmoid output.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from optimizer.tf_environment import configure  # noqa: E402

SEED = 0
TEST_SHARE = 0.25

Arrays = dict[str, np.ndarray]


def digits() -> Arrays:
    """Scikit-learn's 8×8 handwritten digits: ``x`` float32 ``(n, 8, 8, 1)`` in [0, 1]."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x = (images / 16.0).astype(np.float32).reshape(-1, 8, 8, 1)
    return _split(x, labels.astype(np.int64))


def cancer() -> Arrays:
    """Breast cancer measurements: ``x`` float32 ``(n, 30)``, standardized on the training part."""
    from sklearn.datasets import load_breast_cancer

    x, labels = load_breast_cancer(return_X_y=True)
    arrays = _split(x, labels.astype(np.int64))
    mean, deviation = arrays["x_train"].mean(axis=0), arrays["x_train"].std(axis=0)
    for part in ("x_train", "x_test"):
        arrays[part] = ((arrays[part] - mean) / deviation).astype(np.float32)
    return arrays


def _split(x: np.ndarray, y: np.ndarray) -> Arrays:
    from sklearn.model_selection import train_test_split

    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=TEST_SHARE, random_state=SEED, stratify=y
    )
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def shifted(x: np.ndarray, y: np.ndarray, copies: int) -> tuple[np.ndarray, np.ndarray]:
    """The images and ``copies`` more of each, moved by up to one pixel, so that nets learn more."""
    random = np.random.default_rng(SEED)
    images, labels = [x], [y]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for _ in range(copies):
        down, right = random.integers(0, 3, size=(2, len(x)))
        moved = [
            padded[i, d : d + 8, r : r + 8]
            for i, (d, r) in enumerate(zip(down, right, strict=True))
        ]
        images.append(np.stack(moved))
        labels.append(y)
    return np.concatenate(images), np.concatenate(labels)


def digits_cnn(data: Arrays) -> Any:
    """A plain convolutional network of 55,898 parameters (Keras 3)."""
    import keras

    keras.utils.set_random_seed(SEED)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="conv_1"),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu", name="conv_2"),
            keras.layers.MaxPooling2D(name="pool"),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu", name="conv_3"),
            keras.layers.Dropout(0.2, name="dropout_1"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(80, activation="relu", name="dense_1"),
            keras.layers.Dropout(0.4, name="dropout_2"),
            keras.layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="digits_cnn",
    )
    x, y = shifted(data["x_train"], data["y_train"], copies=3)
    _fit(model, x, y, epochs=40, learning_rate=2e-3)
    return model


def digits_mobilenet(data: Arrays) -> Any:
    """A small MobileNetV2 trained with one head, then given another one (Keras 3)."""
    import keras

    keras.utils.set_random_seed(SEED)
    base = mobilenet_base()
    inputs = keras.Input((8, 8, 1), name="image")
    pooled = keras.layers.GlobalAveragePooling2D()(base(inputs))
    first = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(pooled))
    x, y = shifted(data["x_train"], data["y_train"], copies=3)
    _fit(first, x, y, epochs=20, learning_rate=3e-3)

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            base,
            keras.layers.GlobalAveragePooling2D(name="pool"),
            keras.layers.Dropout(0.2, name="dropout"),
            keras.layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="digits_mobilenet",
    )
    base.trainable = False
    _fit(model, x, y, epochs=3, learning_rate=1e-2)
    base.trainable = True
    _fit(model, x, y, epochs=10, learning_rate=5e-4)
    return model


def mobilenet_base() -> Any:
    """A MobileNetV2 body for 8×8 images (Sandler et al. 2018, arXiv:1801.04381)."""
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 1), name="base_input")
    x = layers.Conv2D(32, 3, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.ReLU(6.0, name="stem_relu")(x)
    # expansion, output channels, stride of each inverted residual block
    for number, (expansion, channels, stride) in enumerate(
        [(1, 16, 1), (4, 24, 1), (4, 24, 1), (4, 48, 2), (4, 48, 1), (4, 64, 1)], start=1
    ):
        x = _inverted_residual(x, expansion, channels, stride, f"block_{number}")
    x = layers.Conv2D(160, 1, use_bias=False, name="last")(x)
    x = layers.BatchNormalization(name="last_bn")(x)
    return keras.Model(inputs, layers.ReLU(6.0, name="last_relu")(x), name="mobilenet_base")


def _inverted_residual(inputs: Any, expansion: int, channels: int, stride: int, name: str) -> Any:
    from keras import layers

    x = inputs
    if expansion > 1:
        wide = expansion * inputs.shape[-1]
        x = layers.Conv2D(wide, 1, use_bias=False, name=f"{name}_expand")(x)
        x = layers.BatchNormalization(name=f"{name}_expand_bn")(x)
        x = layers.ReLU(6.0, name=f"{name}_expand_relu")(x)
    x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False, name=f"{name}_depth")(x)
    x = layers.BatchNormalization(name=f"{name}_depth_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_depth_relu")(x)
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project")(x)
    x = layers.BatchNormalization(name=f"{name}_project_bn")(x)
    if stride == 1 and inputs.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x


def cancer_mlp(data: Arrays) -> Any:
    """A small tabular classifier with one sigmoid output (Keras 2, by way of tf_keras)."""
    import tf_keras

    tf_keras.utils.set_random_seed(SEED)
    model = tf_keras.Sequential(
        [
            tf_keras.layers.Input((30,), name="measurements"),
            tf_keras.layers.Dense(64, activation="relu", name="dense_1"),
            tf_keras.layers.Dropout(0.3, name="dropout_1"),
            tf_keras.layers.Dense(32, activation="relu", name="dense_2"),
            tf_keras.layers.Dense(1, activation="sigmoid", name="benign"),
        ],
        name="cancer_mlp",
    )
    model.compile(tf_keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
    model.fit(data["x_train"], data["y_train"], epochs=60, batch_size=32, verbose=0)
    return model


def _fit(model: Any, x: np.ndarray, y: np.ndarray, epochs: int, learning_rate: float) -> None:
    import keras

    steps = epochs * -(-len(x) // 64)
    decay = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    model.compile(keras.optimizers.Adam(decay), loss="sparse_categorical_crossentropy")
    model.fit(x, y, epochs=epochs, batch_size=64, verbose=0)


def _report(path: Path, model: Any, data: Arrays) -> None:
    outputs = model.predict(data["x_test"], verbose=0)
    binary = outputs.shape[-1] == 1
    predicted = (outputs[:, 0] > 0.5) if binary else outputs.argmax(axis=-1)
    accuracy = float((predicted == data["y_test"]).mean())
    print(
        f"{path.name}: {model.count_params():,} parameters, {path.stat().st_size:,} bytes, "
        f"test accuracy {accuracy:.4f} on {len(data['y_test'])} samples",
        flush=True,
    )


def main() -> None:
    """Write the datasets and the models, and print sizes and accuracies."""
    configure()
    datasets = {"digits": digits(), "cancer": cancer()}
    for name, arrays in datasets.items():
        np.savez_compressed(HERE / f"{name}.npz", **arrays)
        print(f"{name}.npz: {(HERE / f'{name}.npz').stat().st_size:,} bytes", flush=True)
    recipes = [
        ("cancer_mlp.h5", cancer_mlp, "cancer", {"include_optimizer": False}),
        ("digits_cnn.keras", digits_cnn, "digits", {"include_optimizer": False}),
        ("digits_mobilenet.keras", digits_mobilenet, "digits", {"include_optimizer": False}),
    ]
    for file_name, make, dataset, options in recipes:
        model = make(datasets[dataset])
        model.save(HERE / file_name, **options)
        _report(HERE / file_name, model, datasets[dataset])


if __name__ == "__main__":
    main()
