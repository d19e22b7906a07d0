"""Dense layers, activations, operations, and graphs of every shape."""

import numpy as np

from tests.models.zoo.parts import IMAGE, SERIES, VECTOR, chain


def dense(k):
    n = k.layers
    return chain(
        k,
        VECTOR,
        n.Dense(8, activation="tanh"),
        n.BatchNormalization(scale=False),
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
    each += [n.Activation("relu")(inputs), n.Identity()(inputs)]
    return k.Model(inputs, n.Dense(2)(n.Concatenate()(each)))


def thresholded(k):
    n = k.layers
    return chain(k, VECTOR, n.Dense(5), n.ThresholdedReLU(0.1), n.Dense(2))


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


def operations(k):
    ops, n = k.ops, k.layers
    inputs = k.Input(IMAGE, name="x")
    x = n.Conv2D(4, 3)(inputs) * 2.0 - 0.5
    x = ops.relu6(x) + ops.sigmoid(x)
    x = ops.mean(ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), axis=(1, 2))
    x = ops.concatenate([x, ops.square(x), ops.clip(x, 0.0, 0.5)], axis=-1)
    return k.Model(inputs, n.Dense(2)(ops.expand_dims(x, 1)[:, 0]))


def functions(k):
    """Calls of TensorFlow functions, as Keras 2 keeps them."""
    import tensorflow as tf

    n = k.layers
    inputs = k.Input(IMAGE, name="x")
    x = n.Conv2D(4, 3)(inputs) * 2.0 - 0.5
    x = tf.nn.relu6(x)[:, :-1, ::2] + tf.sigmoid(x[:, 1:, ::2])
    x = tf.reduce_mean(x, axis=[1, 2])
    x = tf.concat([x, tf.square(x), tf.clip_by_value(x, 0.0, 0.5)], axis=-1)
    return k.Model(inputs, n.Dense(2)(tf.expand_dims(x, 1)[:, 0]))


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
