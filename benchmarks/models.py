"""The models of the matrix: one of every kind; :mod:`benchmarks.building` makes their files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from benchmarks import synthetic
from benchmarks.synthetic import CLASSES, WORDS
from optimizer import samples

IMAGE, SERIES, VECTOR, VOLUME = (12, 12, 1), (16, 4), (12,), (6, 6, 6, 1)


@dataclass(frozen=True)
class Subject:
    """A model of the matrix.

    Attributes:
        kind: what it stands for.
        build: makes it from the ``keras`` module; ``None`` for a bundled sample.
        data: makes its arrays.
        loss: what it is trained with.
        suffix: of its file, which says in which form it is brought.
    """

    kind: str
    build: Callable[[Any], Any] | None = None
    data: Callable[[], synthetic.Arrays] | None = None
    loss: str = "sparse_categorical_crossentropy"
    suffix: Literal[".keras", ".zip", ".tflite"] = ".keras"


def _chain(keras: Any, shape: tuple[int, ...], *layers: Any, dtype: str = "float32") -> Any:
    inputs = x = keras.Input(shape, dtype=dtype, name="x")
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def _classes(keras: Any) -> Any:
    return keras.layers.Dense(CLASSES, activation="softmax", name="classes")


def _mlp(keras: Any) -> Any:
    n = keras.layers
    hidden = (n.Dense(32, activation="relu"), n.Dropout(0.2), n.Dense(24, activation="relu"))
    return _chain(keras, VECTOR, *hidden, _classes(keras))


def _cnn(keras: Any) -> Any:
    n = keras.layers
    blocks = []
    for width in (16, 32):
        blocks += [n.Conv2D(width, 3, padding="same", use_bias=False), n.BatchNormalization()]
        blocks += [n.ReLU(), n.MaxPooling2D(2)]
    head = (n.Flatten(), n.Dense(24, activation="relu"), _classes(keras))
    return _chain(keras, IMAGE, *blocks, *head)


def _depthwise(keras: Any) -> Any:
    n = keras.layers
    layers = [n.Conv2D(16, 3, strides=2, padding="same", use_bias=False), n.BatchNormalization()]
    for width in (24, 32):
        layers += [n.ReLU(6.0), n.DepthwiseConv2D(3, padding="same", use_bias=False)]
        layers += [n.BatchNormalization(), n.ReLU(6.0), n.Conv2D(width, 1, use_bias=False)]
        layers += [n.BatchNormalization()]
    return _chain(keras, IMAGE, *layers, n.ReLU(6.0), n.GlobalAveragePooling2D(), _classes(keras))


def _separable(keras: Any) -> Any:
    n = keras.layers
    return _chain(
        keras,
        IMAGE,
        n.SeparableConv2D(16, 3, padding="same", activation="relu"),
        n.SeparableConv2D(24, 3, strides=2, padding="same"),
        n.BatchNormalization(),
        n.LeakyReLU(),
        n.GlobalAveragePooling2D(),
        _classes(keras),
    )


def _residual(keras: Any) -> Any:
    n = keras.layers
    inputs = keras.Input(IMAGE, name="x")
    x = n.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    for _ in range(2):
        y = n.ReLU()(n.BatchNormalization()(n.Conv2D(16, 3, padding="same")(x)))
        y = n.BatchNormalization()(n.Conv2D(16, 3, padding="same")(y))
        x = n.ReLU()(n.Add()([x, y]))
    return keras.Model(inputs, _classes(keras)(n.GlobalAveragePooling2D()(x)))


def _dense_blocks(keras: Any) -> Any:
    n = keras.layers
    inputs = keras.Input(IMAGE, name="x")
    x = n.Conv2D(8, 3, strides=2, padding="same")(inputs)
    for _ in range(3):
        y = n.ReLU()(n.BatchNormalization()(x))
        x = n.Concatenate()([x, n.Conv2D(8, 3, padding="same")(y)])
    x = n.AveragePooling2D(2)(n.Conv2D(16, 1, activation="relu")(x))
    return keras.Model(inputs, _classes(keras)(n.Flatten()(x)))


def _conv_1d(keras: Any) -> Any:
    n = keras.layers
    return _chain(
        keras,
        SERIES,
        n.Conv1D(16, 3, padding="same", activation="relu"),
        n.BatchNormalization(),
        n.Conv1D(24, 3, padding="causal", activation="relu"),
        n.GlobalAveragePooling1D(),
        _classes(keras),
    )


def _lstm(keras: Any) -> Any:
    n = keras.layers
    stack = (n.LSTM(16, return_sequences=True), n.LSTM(12), n.Dense(16, activation="relu"))
    return _chain(keras, SERIES, *stack, _classes(keras))


def _gru(keras: Any) -> Any:
    n = keras.layers
    return _chain(keras, SERIES, n.Bidirectional(n.GRU(12)), n.Dense(16), _classes(keras))


def _tokens(keras: Any) -> Any:
    n = keras.layers
    return _chain(
        keras,
        (24,),
        n.Embedding(WORDS, 16),
        n.Conv1D(16, 3, activation="relu"),
        n.GlobalMaxPooling1D(),
        _classes(keras),
        dtype="int32",
    )


def _transformer(keras: Any) -> Any:
    n = keras.layers
    inputs = keras.Input(SERIES, name="x")
    x = n.Dense(16)(inputs)
    x = n.LayerNormalization()(n.Add()([x, n.MultiHeadAttention(2, 8)(x, x)]))
    y = n.Dense(16)(n.Dense(32, activation="gelu")(x))
    x = n.LayerNormalization()(n.Add()([x, y]))
    return keras.Model(inputs, _classes(keras)(n.GlobalAveragePooling1D()(x)))


def _autoencoder(keras: Any) -> Any:
    n = keras.layers
    middle = (n.Dense(24, activation="relu"), n.Dense(4), n.Dense(24, activation="relu"))
    return _chain(keras, (20,), *middle, n.Dense(20, activation="tanh"))


def _regression(keras: Any) -> Any:
    n = keras.layers
    normalization = n.Normalization()
    normalization.adapt(synthetic.prices(8)["x_train"])
    hidden = (n.Dense(32, activation="relu"), n.Dense(16, activation="relu"))
    return _chain(keras, (8,), normalization, *hidden, n.Dense(1))


def _nested(keras: Any) -> Any:
    n = keras.layers
    inner = (n.Dense(16, activation="relu"), n.BatchNormalization(), n.Dense(12))
    twice = keras.Sequential([keras.Input(VECTOR), *inner], name="twice")
    inputs = keras.Input(VECTOR, name="x")
    x = n.Add()([twice(twice(inputs)), inputs])
    return keras.Model(inputs, _classes(keras)(n.Dense(16, activation="relu")(x)))


def _operations(keras: Any) -> Any:
    ops, n = keras.ops, keras.layers
    inputs = keras.Input(IMAGE, name="x")
    x = ops.relu6(n.Conv2D(16, 3)(inputs) * 0.5 + 0.1)
    x = n.Conv2D(16, 3, activation="hard_silu")(x) - 0.1
    x = ops.concatenate([ops.mean(x, axis=(1, 2)), ops.max(x, axis=(1, 2))], axis=-1)
    return keras.Model(inputs, _classes(keras)(x))


def _conv_3d(keras: Any) -> Any:
    n = keras.layers
    return _chain(
        keras,
        VOLUME,
        n.Conv3D(8, 3, padding="same", activation="relu"),
        n.MaxPooling3D(2),
        n.Conv3D(12, 3, padding="same", activation="relu"),
        n.GlobalAveragePooling3D(),
        _classes(keras),
    )


def _segmentation(keras: Any) -> Any:
    n = keras.layers
    inputs = keras.Input((12, 12, 3), name="x")
    x = n.Conv2D(12, 3, padding="same", activation="relu")(inputs)
    y = n.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    y = n.Conv2DTranspose(12, 3, strides=2, padding="same", activation="relu")(y)
    x = n.Concatenate()([x, y])
    return keras.Model(inputs, n.Conv2D(1, 1, activation="sigmoid")(x))


def _two_inputs(keras: Any) -> Any:
    n = keras.layers
    left, right = keras.Input((12,), name="left"), keras.Input((8,), name="right")
    both = [n.Dense(16, activation="relu")(end) for end in (left, right)]
    return keras.Model([left, right], _classes(keras)(n.Concatenate()(both)))


_REAL = "mean_squared_error"
SUBJECTS = {
    **{name: Subject(sample.title) for name, sample in samples.MODELS.items()},
    "mlp": Subject("dense layers", _mlp, synthetic.patterns(*VECTOR)),
    "cnn": Subject("convolutions, BatchNormalization", _cnn, synthetic.patterns(*IMAGE)),
    "depthwise": Subject("MobileNet blocks", _depthwise, synthetic.patterns(*IMAGE)),
    "separable": Subject("separable convolutions", _separable, synthetic.patterns(*IMAGE)),
    "residual": Subject("residual blocks with Add", _residual, synthetic.patterns(*IMAGE)),
    "dense_blocks": Subject(
        "DenseNet blocks with Concatenate", _dense_blocks, synthetic.patterns(*IMAGE)
    ),
    "conv_1d": Subject("1-D convolutions", _conv_1d, synthetic.patterns(*SERIES)),
    "lstm": Subject("LSTM", _lstm, synthetic.patterns(*SERIES)),
    "gru": Subject("bidirectional GRU", _gru, synthetic.patterns(*SERIES)),
    "tokens": Subject("Embedding and convolution on words", _tokens, synthetic.tokens(24)),
    "transformer": Subject("MultiHeadAttention", _transformer, synthetic.patterns(*SERIES)),
    "autoencoder": Subject(
        "reconstruction without labels", _autoencoder, partial(synthetic.curves, 20), _REAL
    ),
    "regression": Subject(
        "Normalization, one real output", _regression, partial(synthetic.prices, 8), _REAL
    ),
    "nested": Subject("a nested model used twice", _nested, synthetic.patterns(*VECTOR)),
    "operations": Subject("keras.ops in the graph", _operations, synthetic.patterns(*IMAGE)),
    "conv_3d": Subject("3-D convolutions", _conv_3d, synthetic.patterns(*VOLUME)),
    "segmentation": Subject(
        "Conv2DTranspose, an image as output", _segmentation, partial(synthetic.shapes, 12), _REAL
    ),
    "saved_cnn": Subject("a SavedModel, in a zip", _cnn, synthetic.patterns(*IMAGE), suffix=".zip"),
    "saved_lstm": Subject(
        "a SavedModel with loops", _lstm, synthetic.patterns(*SERIES), suffix=".zip"
    ),
    "tflite_cnn": Subject("a TFLite file", _cnn, synthetic.patterns(*IMAGE), suffix=".tflite"),
    "two_inputs": Subject("two inputs", _two_inputs, partial(synthetic.pairs, 12, 8)),
}
"""Name → model, in the table's order."""
