"""Layers that tfmot's wrappers cannot take: shared, masked, recurrent, attention."""

import numpy as np
import pytest

from optimizer.data.arrays import Arrays
from optimizer.models.flat import save_flat
from tests.techniques.steps import (
    QUICK,
    broken_promises,
    cluster,
    convert,
    measured_accuracy,
    prune,
    train_quantized,
)

WORDS, STEPS = 40, 12


@pytest.fixture(scope="module")
def sentences():
    """Sequences whose class is whether their first half holds more even words than odd ones."""
    random = np.random.default_rng(0)
    x = random.integers(1, WORDS, (500, STEPS))
    for row, length in enumerate(random.integers(6, STEPS + 1, len(x))):
        x[row, length:] = 0
    y = ((x[:, :6] % 2 == 0).sum(axis=1) > 3).astype("int64")
    x = x.astype("float32")
    return {"arrays.npz": Arrays.single(x[:350], y[:350], x[350:], y[350:]).save()}


def recurrent():
    from tf_keras import Input, Model, layers

    inputs = Input((STEPS,))
    x = layers.Embedding(WORDS, 16, mask_zero=True, name="embedding")(inputs)
    x = layers.Bidirectional(layers.LSTM(12), name="lstm")(x)
    x = layers.Dense(16, activation="relu", name="dense")(x)
    return Model(inputs, layers.Dense(2, activation="softmax", name="head")(x))


def attention():
    from tf_keras import Input, Model, layers

    inputs = Input((STEPS,))
    x = layers.Embedding(WORDS, 16, name="embedding")(inputs)
    attended = layers.MultiHeadAttention(2, 8, name="attention")(x, x)
    x = layers.LayerNormalization(name="norm")(layers.Add()([x, attended]))
    shared = layers.Dense(16, activation="relu", name="shared")
    x = layers.Concatenate()([shared(x), shared(layers.Activation("tanh")(x))])
    x = layers.GlobalAveragePooling1D()(x)
    return Model(inputs, layers.Dense(2, activation="softmax", name="head")(x))


@pytest.fixture(scope="module", params=[recurrent, attention])
def trained(request, sentences):
    import io

    import tf_keras

    tf_keras.utils.set_random_seed(0)
    model = request.param()
    model.compile(tf_keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    with np.load(io.BytesIO(sentences["arrays.npz"])) as arrays:
        model.fit(arrays["x_train"], arrays["y_train"], epochs=8, batch_size=64, verbose=0)
    return {"model.keras": save_flat(model)}


@pytest.fixture(scope="module")
def pruned(trained, sentences):
    schedule = {"kind": "constant", "target_sparsity": 0.5}
    return prune(trained, sentences, schedule=schedule, tune=QUICK)


def test_pruned_clustered_and_quantized(trained, pruned, sentences):
    before = measured_accuracy(convert(trained, sentences), sentences)
    clustered = cluster(pruned, sentences, preserve_sparsity=True, tune=QUICK)
    dynamic = convert(clustered, sentences, mode="dynamic")
    assert broken_promises(dynamic) == []
    assert measured_accuracy(dynamic, sentences) >= before - 0.1


def test_quantization_aware_training_covers_what_it_can_and_keeps_the_rest(pruned, sentences):
    aware = train_quantized(pruned, sentences, keep_zeros=True, tune=QUICK)
    assert broken_promises(convert(aware, sentences, mode="int8", aware=True)) == []
