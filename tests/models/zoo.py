"""Small models of every kind of layer and graph, built with either Keras."""

from __future__ import annotations

import numpy as np

IMAGE, VOLUME, SERIES, VECTOR, WORDS = (8, 8, 3), (6, 6, 6, 2), (10, 4), (6,), (9,)
VOCABULARY = 20


def chain(keras, shape, *layers, dtype="float32"):
    """A functional model that applies layers one after the other."""
    inputs = x = keras.Input(shape, dtype=dtype, name="x")
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def conv_1d(k):
    n = k.layers
    return chain(
        k,
        SERIES,
        n.Conv1D(5, 3, padding="causal", dilation_rate=2, activation="relu"),
        n.BatchNormalization(),
        n.SeparableConv1D(4, 3, padding="same"),
        n.DepthwiseConv1D(3, depth_multiplier=2),
        n.Conv1DTranspose(3, 2, strides=2),
        n.ZeroPadding1D(1),
        n.Cropping1D(1),
        n.UpSampling1D(2),
        n.MaxPooling1D(2),
        n.AveragePooling1D(2),
        n.GlobalAveragePooling1D(),
        n.Dense(3, activation="softmax"),
    )


def conv_2d(k):
    n = k.layers
    return chain(
        k,
        IMAGE,
        n.BatchNormalization(),
        n.Conv2D(6, 3, strides=2, padding="same", use_bias=False),
        n.BatchNormalization(),
        n.ReLU(6.0),
        n.DepthwiseConv2D(3, padding="same", activation="relu"),
        n.BatchNormalization(),
        n.SeparableConv2D(5, 3, padding="same", activation="relu"),
        n.Conv2DTranspose(4, 3, strides=2, padding="same"),
        n.LeakyReLU(),
        n.Conv2D(4, 3, dilation_rate=2, groups=2),
        n.ZeroPadding2D(((1, 0), (2, 1))),
        n.Cropping2D(1),
        n.UpSampling2D(2, interpolation="bilinear"),
        n.MaxPooling2D(2),
        n.AveragePooling2D(2, padding="same"),
        n.GlobalMaxPooling2D(),
        n.Dense(3),
    )


def conv_3d(k):
    n = k.layers
    return chain(
        k,
        VOLUME,
        n.Conv3D(4, 3, padding="same", activation="relu"),
        n.BatchNormalization(),
        n.MaxPooling3D(2),
        n.UpSampling3D(2),
        n.AveragePooling3D(2),
        n.ZeroPadding3D(1),
        n.Cropping3D(1),
        n.GlobalAveragePooling3D(),
        n.Dense(2),
    )


def conv_3d_transpose(k):
    n = k.layers
    return chain(k, VOLUME, n.Conv3DTranspose(3, 2, strides=2), n.GlobalMaxPooling3D(), n.Dense(2))


def dense(k):
    n = k.layers
    return chain(
        k,
        VECTOR,
        n.Dense(8, activation="tanh"),
        n.BatchNormalization(scale=False),
        n.Dropout(0.3),
        n.GaussianNoise(0.1),
        n.Dense(8, activation="gelu"),
        n.LayerNormalization(),
        n.UnitNormalization(),
        n.PReLU(),
        n.Dense(4, activation="sigmoid"),
    )


def einsum(k):
    n = k.layers
    return chain(
        k,
        SERIES,
        n.EinsumDense("abc,cd->abd", output_shape=(10, 6), bias_axes="d", activation="relu"),
        n.EinsumDense("abc,cde->abde", output_shape=(10, 2, 3)),
        n.Flatten(),
        n.Dense(2),
    )


def preprocessing(k):
    n = k.layers
    return chain(
        k,
        IMAGE,
        n.Rescaling(2.0, -1.0),
        n.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 0.5]),
        n.RandomFlip(),
        n.RandomRotation(0.1),
        n.Resizing(6, 6),
        n.CenterCrop(4, 4),
        n.Flatten(),
        n.Dense(2),
    )


def adapted(k):
    n = k.layers
    normalization = n.Normalization()
    normalization.adapt(np.random.default_rng(0).random((50, 6), np.float32) * 3)
    return chain(k, VECTOR, normalization, n.Dense(3))


def shapes(k):
    n = k.layers
    return chain(
        k,
        IMAGE,
        n.Permute((3, 1, 2)),
        n.Reshape((3, 64)),
        n.Permute((2, 1)),
        n.Dense(4, activation="relu"),
        n.Flatten(),
        n.RepeatVector(2),
        n.Flatten(),
        n.Dense(2),
    )


def activations(k):
    n = k.layers
    names = "elu exponential gelu hard_sigmoid linear mish relu selu sigmoid softplus softsign tanh"
    inputs = k.Input(VECTOR, name="x")
    each = [n.Dense(3, activation=name)(inputs) for name in [*names.split(), "swish"]]
    each += [n.ELU()(inputs), n.Softmax()(inputs), n.ReLU(4.0, 0.1, 0.2)(inputs)]
    return k.Model(inputs, n.Dense(2)(n.Concatenate()(each)))


def merges(k):
    n = k.layers
    inputs = k.Input(VECTOR, name="x")
    a, b = n.Dense(4)(inputs), n.Dense(4)(inputs)
    kinds = (n.Add, n.Subtract, n.Multiply, n.Average, n.Maximum, n.Minimum, n.Concatenate)
    merged = [kind()([a, b]) for kind in kinds]
    merged.append(n.Dot(axes=1)([a, b]))
    return k.Model(inputs, n.Dense(2)(n.Concatenate()(merged)))


def sequential(k):
    n = k.layers
    return k.Sequential(
        [k.Input(IMAGE), n.Conv2D(4, 3), n.BatchNormalization(), n.ReLU(), n.Flatten(), n.Dense(2)]
    )


def nested(k):
    n = k.layers
    inner = k.Sequential([k.Input((4,)), n.Dense(5, activation="relu"), n.Dense(4)], name="inner")
    middle_in = k.Input((4,))
    middle = k.Model(middle_in, n.Add()([inner(middle_in), middle_in]), name="middle")
    inputs = k.Input((4,), name="x")
    outer = k.Sequential([k.Input((4,)), middle, n.BatchNormalization()], name="outer")
    return k.Model(inputs, n.Dense(2)(outer(outer(inputs))))


def shared(k):
    n = k.layers
    inputs = k.Input(IMAGE, name="x")
    both = n.Conv2D(3, 3, padding="same", activation="relu")
    norm = n.BatchNormalization()
    x = norm(both(norm(both(inputs))))
    return k.Model(inputs, n.Dense(2)(n.GlobalAveragePooling2D()(x)))


def several_ends(k):
    n = k.layers
    a, b = k.Input((4,), name="zeta"), k.Input(SERIES, name="alpha")
    twin = n.Dense(5, activation="relu")
    joined = n.Concatenate()([twin(a), n.GlobalAveragePooling1D()(twin(b))])
    outputs = [n.Dense(2, name="zebra")(joined), n.Dense(3, name="ape")(twin(a))]
    return k.Model([a, b], outputs)


def embedding(k):
    n = k.layers
    return chain(
        k,
        WORDS,
        n.Embedding(VOCABULARY, 8),
        n.Conv1D(4, 3, activation="relu"),
        n.GlobalMaxPooling1D(),
        n.Dense(2),
        dtype="int32",
    )


def lstm(k):
    n = k.layers
    return chain(
        k,
        SERIES,
        n.LSTM(6, return_sequences=True),
        n.Bidirectional(n.LSTM(4)),
        n.Dense(2, activation="softmax"),
    )


def gru(k):
    n = k.layers
    return chain(
        k,
        SERIES,
        n.GRU(5, return_sequences=True),
        n.GRU(4, reset_after=False, recurrent_activation="hard_sigmoid", return_sequences=True),
        n.Bidirectional(n.GRU(3), merge_mode="sum"),
        n.Dense(2),
    )


def simple_rnn(k):
    n = k.layers
    return chain(k, SERIES, n.SimpleRNN(5, return_sequences=True), n.RNN(n.LSTMCell(4)), n.Dense(2))


def masked_words(k):
    n = k.layers
    return chain(
        k,
        WORDS,
        n.Embedding(VOCABULARY, 8, mask_zero=True),
        n.Bidirectional(n.LSTM(4, return_sequences=True)),
        n.GRU(3),
        n.Dense(2),
        dtype="int32",
    )


def masked_series(k):
    n = k.layers
    return chain(k, SERIES, n.Masking(0.0), n.LSTM(4), n.Dense(2))


def attention(k):
    n = k.layers
    inputs = k.Input(SERIES, name="x")
    x = n.Dense(8)(inputs)
    x = n.LayerNormalization()(n.Add()([x, n.MultiHeadAttention(2, 4)(x, x)]))
    x = n.Attention()([x, x])
    x = n.AdditiveAttention()([x, x])
    return k.Model(inputs, n.Dense(2)(n.GlobalAveragePooling1D()(x)))


def time_distributed(k):
    n = k.layers
    inputs = k.Input((4, *IMAGE), name="x")
    x = n.TimeDistributed(n.Conv2D(3, 3, activation="relu"))(inputs)
    x = n.TimeDistributed(n.Flatten())(x)
    return k.Model(inputs, n.Dense(2)(n.LSTM(4)(n.TimeDistributed(n.Dense(5))(x))))


def time_distributed_model(k):
    n = k.layers
    inner = k.Sequential([k.Input(IMAGE), n.Conv2D(3, 3), n.BatchNormalization(), n.Flatten()])
    inputs = k.Input((4, *IMAGE), name="x")
    return k.Model(inputs, n.Dense(2)(n.GRU(4)(n.TimeDistributed(inner)(inputs))))


def conv_lstm(k):
    n = k.layers
    return chain(k, (3, *IMAGE), n.ConvLSTM2D(2, 3), n.Flatten(), n.Dense(2))


def group_normalization(k):
    n = k.layers
    return chain(k, IMAGE, n.Conv2D(4, 3), n.GroupNormalization(2), n.Flatten(), n.Dense(2))


def random_crop(k):
    n = k.layers
    return chain(k, IMAGE, n.RandomCrop(6, 6), n.Conv2D(3, 3), n.Flatten(), n.Dense(2))


def any_size(k):
    n = k.layers
    return chain(
        k, (None, None, 3), n.Conv2D(4, 3, padding="same"), n.GlobalAveragePooling2D(), n.Dense(2)
    )


def adaptive(k):
    n = k.layers
    return chain(
        k,
        IMAGE,
        n.AdaptiveAveragePooling2D(4),
        n.AdaptiveMaxPooling2D(2),
        n.Flatten(),
        n.Dense(2),
    )


def operations(k):
    ops, n = k.ops, k.layers
    inputs = k.Input(IMAGE, name="x")
    x = n.Conv2D(4, 3)(inputs) * 2.0 - 0.5
    x = ops.relu6(x) + ops.sigmoid(x)
    x = ops.mean(ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), axis=(1, 2))
    x = ops.concatenate([x, ops.square(x), ops.clip(x, 0.0, 0.5)], axis=-1)
    return k.Model(inputs, n.Dense(2)(ops.expand_dims(x, 1)[:, 0]))


def keras_3_layers(k):
    n = k.layers
    return chain(
        k,
        VECTOR,
        n.Dense(4, activation="relu6"),
        n.Dense(4, activation="hard_silu"),
        n.Dense(4, activation="celu"),
        n.RMSNormalization(),
        n.SpectralNormalization(n.Dense(3)),
        n.Identity(),
        n.Dense(2),
    )


BOTH = (
    conv_1d,
    conv_2d,
    conv_3d,
    conv_3d_transpose,
    dense,
    einsum,
    preprocessing,
    adapted,
    shapes,
    activations,
    merges,
    sequential,
    nested,
    shared,
    several_ends,
    embedding,
    lstm,
    gru,
    simple_rnn,
    masked_words,
    masked_series,
    attention,
    time_distributed,
    time_distributed_model,
    conv_lstm,
    group_normalization,
    random_crop,
    any_size,
)
KERAS_3 = (adaptive, operations, keras_3_layers)


def samples(model, count):
    """Seeded input for a model, a list of one array per input; sequences end in zeros."""
    random = np.random.default_rng(0)
    arrays = []
    for tensor in model.inputs:
        shape = (count, *(8 if size is None else size for size in tuple(tensor.shape)[1:]))
        if "int" in str(tensor.dtype):
            array = random.integers(1, VOCABULARY, shape).astype("int32")
        else:
            array = random.random(shape, np.float32)
        if len(shape) == 3 or array.dtype.kind == "i":
            array[::2, -2:] = 0
        arrays.append(array)
    return arrays


def randomize(model):
    """Give every weight another value, so that a lost one shows; but those of ``adapt``."""
    random = np.random.default_rng(0)
    adapted = {id(w) for layer in model.layers if _is_adapted(layer) for w in layer.weights}
    for weight in model.weights:
        if id(weight) not in adapted and np.asarray(weight).dtype.kind == "f":
            change = random.uniform(-0.2, 0.2, weight.shape)
            is_variance = "variance" in weight.name
            weight.assign(np.asarray(weight) + (np.abs(change) if is_variance else change))
    return model


def _is_adapted(layer):
    return type(layer).__name__ == "Normalization"
