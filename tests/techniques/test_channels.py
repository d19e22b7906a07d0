"""Whole channels removed: the graph is respected, and the file is smaller and still right."""

import json

import numpy as np
import pytest

from optimizer.errors import InputError
from optimizer.recipe import Recipe
from optimizer.stage import ignore_progress
from optimizer.techniques import channels
from tests.techniques.steps import (
    broken_promises,
    convert,
    facts,
    measured_accuracy,
    override,
    promises,
    recipe_part,
)


def residual():
    """Add behind BatchNormalization, a squeeze-and-excitation gate, ReLU6."""
    from tf_keras import Input, Model, layers

    inputs = Input((8, 8, 3))
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.BatchNormalization(name="stem_norm")(x)
    skip = layers.ReLU(6.0)(x)
    x = layers.Conv2D(32, 1, activation="relu", name="expand")(skip)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(8, 1, activation="relu", name="squeeze")(gate)
    gate = layers.Conv2D(32, 1, activation="sigmoid", name="excite")(gate)
    x = layers.Multiply()([x, gate])
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Conv2D(16, 1, name="project")(x)
    x = layers.Add()([x, skip])
    x = layers.GlobalAveragePooling2D()(x)
    return Model(inputs, layers.Dense(10, name="head")(x))


def branches():
    """Concatenate, separable and transposed convolutions, Flatten → Dense, Reshape."""
    from tf_keras import Input, Model, layers

    inputs = Input((8, 8, 3))
    one = layers.Conv2D(16, 3, padding="same", activation="relu", name="one")(inputs)
    two = layers.SeparableConv2D(24, 3, padding="same", depth_multiplier=2, name="two")(inputs)
    two = layers.PReLU(shared_axes=[1, 2], name="slope")(two)
    x = layers.Concatenate()([one, two])
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2, name="deep")(x)
    x = layers.Conv2DTranspose(16, 2, name="up")(x)
    x = layers.Reshape((16, 16))(x)
    x = layers.Conv1D(16, 3, name="line")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(32, activation="tanh", name="dense")(x)
    x = layers.LayerNormalization(name="layer_norm")(x)
    return Model(inputs, layers.Dense(10, activation="softmax", name="head")(x))


def sequence():
    """Embedding and convolution into a recurrent layer; a dense layer used twice."""
    from tf_keras import Input, Model, layers

    inputs = Input((12,))
    x = layers.Embedding(50, 16, name="embedding")(inputs)
    x = layers.Conv1D(24, 3, activation="relu", name="conv")(x)
    x = layers.LSTM(16, name="lstm")(x)
    shared = layers.Dense(16, activation="relu", name="shared")
    x = layers.Add()([shared(x), shared(layers.ReLU()(x))])
    return Model(inputs, layers.Dense(3, name="head")(x))


def looping():
    """A recurrent layer, which converts for one sample at a time, before dense ones."""
    from tf_keras import Input, Model, layers

    inputs = Input((8, 8, 1))
    x = layers.Reshape((8, 8))(inputs)
    x = layers.Bidirectional(layers.GRU(2), name="loop")(x)
    x = layers.Dense(32, activation="relu", name="after")(x)
    x = layers.Dense(64, activation="relu", name="dense")(x)
    return Model(inputs, layers.Dense(10, activation="softmax", name="head")(x))


def tied():
    """A dense layer whose units feed attention: none of them can go."""
    from tf_keras import Input, Model, layers

    inputs = Input((6, 8))
    x = layers.Dense(8, name="feeds_attention")(inputs)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = layers.Dense(16, activation="softmax", name="mixed")(x)
    x = layers.Flatten()(x)
    return Model(inputs, layers.Dense(2, name="head")(x))


def randomized(model):
    random = np.random.default_rng(0)
    model.set_weights([random.normal(0, 0.3, w.shape) ** 2 for w in model.get_weights()])
    return model


def silenced(model, graph, removed):
    """The model with the removed channels' influence on every consumer set to zero."""
    from tf_keras import layers

    from optimizer.techniques.channel_graph import DEPTHWISE, PRODUCERS, RECURRENT
    from optimizer.techniques.graph import clone

    copy = clone(model)
    for layer in copy.layers:
        if type(layer) not in (*PRODUCERS, *RECURRENT) or type(layer) is layers.Embedding:
            continue
        gone = np.isin(graph.roots(graph.inputs[layer.name]), sorted(removed))
        values = layer.get_weights()
        if type(layer) is layers.SeparableConv2D or type(layer) in RECURRENT:
            axis = 0 if type(layer) in RECURRENT else -2
        else:
            axis = -1 if type(layer) is layers.Conv2DTranspose else -2
        if type(layer) not in DEPTHWISE:
            moved = np.moveaxis(values[0], axis, 0)
            moved[gone] = 0.0
        layer.set_weights(values)
    return copy


@pytest.mark.parametrize("build", [residual, branches, sequence])
def test_removed_channels_that_nobody_hears_change_nothing(build):
    from optimizer.techniques.channel_graph import ChannelGraph, shares
    from optimizer.techniques.narrowing import narrow

    model = randomized(build())
    graph = ChannelGraph(model)
    removed = {root for roots in shares(graph).values() for root in roots[: len(roots) // 2]}
    narrowed = narrow(model, graph, removed)
    random = np.random.default_rng(1)
    shape = (4, *model.input_shape[1:])
    x = random.integers(0, 50, shape) if build is sequence else random.normal(size=shape)
    if build is branches:  # LayerNormalization averages over channels, so it hears them all
        model = without_layer_normalization(model)
        narrowed = without_layer_normalization(narrowed)
    expected = silenced(model, graph, removed).predict(x, verbose=0)
    assert narrowed.count_params() < 0.7 * model.count_params()
    np.testing.assert_allclose(narrowed.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)


def without_layer_normalization(model):
    from optimizer.techniques.graph import rebuild

    return rebuild(model, {"layer_norm"}, {})


def test_each_layer_says_why_its_channels_stay():
    from optimizer.techniques.channel_graph import channel_reasons

    reasons = channel_reasons(tied())
    assert "attention" in reasons["feeds_attention"]
    assert "softmax" in reasons["mixed"]
    assert "output" in reasons["head"]
    assert channel_reasons(residual())["stem"] is None
    assert channel_reasons(sequence())["embedding"] is None
    assert "recurrent" in channel_reasons(sequence())["lstm"].lower()


def test_coupled_layers_are_pruned_together():
    from optimizer.techniques.channel_graph import ChannelGraph, shares

    sets = shares(ChannelGraph(residual()))
    assert ("stem", "project") in sets
    assert ("expand", "excite") in sets
    assert ("squeeze",) in sets


def remove(files, data, *, epochs=3, layers=None, **part):
    part = {"structure": {"kind": "channels", "multiple_of": 4}, **part}
    prune = Recipe.parse({"prune": part}).model_dump(mode="json")["prune"]
    tune = {"epochs": epochs, "batch_size": 64, "learning_rate": 0.002}
    params = recipe_part(prune=prune, layers=layers or {}, fine_tune=tune)
    return channels.stage(params, {"model": files, "data": data}, ignore_progress)


HALF = {"kind": "polynomial", "final_sparsity": 0.5}


@pytest.mark.parametrize(
    "choice",
    [{"criterion": "magnitude"}, {"criterion": "gradient", "scope": "global"}],
)
def test_half_the_multiply_accumulates_are_gone_from_the_file(norm_files, data, choice):
    before = convert(norm_files, data)
    after = convert(remove(norm_files, data, schedule=HALF, **choice), data, mode="int8")
    assert facts(after)["macs"] <= 0.5 * facts(before)["macs"]
    assert broken_promises(after) == []
    assert any("multiply-accumulates" in promise for promise in promises(after))
    assert measured_accuracy(after, data) >= measured_accuracy(before, data) - 0.15


def test_a_share_of_channels_and_an_override(plain_files, data):
    schedule = {"kind": "constant", "target_sparsity": 0.5}
    files = remove(
        plain_files,
        data,
        schedule=schedule,
        structure={"kind": "channels", "target": "channels", "multiple_of": 1},
        layers={"dense_a": override(final_sparsity=0.25)},
        epochs=1,
    )
    left = json.loads(files["training.json"])["channels"]
    assert left == {"conv_a": 4, "conv_b": 8, "dense_a": 24}
    shapes = {layer["name"]: layer["shape"] for layer in facts(convert(files, data))["layers"]}
    assert shapes["conv_b"] == [8, 3, 3, 4]
    assert shapes["dense_a"] == [24, 128]


def test_channels_go_little_by_little():
    schedule = {"kind": "polynomial", "initial_sparsity": 0.0, "final_sparsity": 0.5}
    full = Recipe.parse({"prune": {"schedule": schedule}}).model_dump(mode="json")
    rounds = channels.removal_rounds(full["prune"]["schedule"], 4)
    assert [epochs for _, epochs in rounds] == [1, 1, 2]
    assert [due for due, _ in rounds] == sorted(due for due, _ in rounds)
    assert rounds[-1][0] == 0.5


@pytest.mark.parametrize("mode", ["none", "int8"])
def test_channels_behind_a_loop(data, mode):
    from optimizer.models.flat import save_flat

    files = remove({"model.keras": save_flat(looping())}, data, epochs=1, schedule=HALF)
    converted = convert(files, data, mode=mode)
    assert json.loads(files["training.json"])["channels"]["after"] < 32
    assert broken_promises(converted) == []


def test_a_model_without_removable_channels_is_refused(data):
    from optimizer.models.flat import save_flat

    with pytest.raises(InputError, match="No layer of this model has channels"):
        remove({"model.keras": save_flat(tied())}, data)


@pytest.fixture(scope="module")
def sentences():
    from optimizer.data.arrays import Arrays

    random = np.random.default_rng(0)
    x, y = random.integers(0, 50, (240, 12)).astype("int32"), random.integers(0, 3, 240)
    return {"arrays.npz": Arrays.single(x[:200], y[:200], x[200:], y[200:]).save()}


@pytest.mark.parametrize(
    "quantized",
    [{"mode": "int8", "io": "int8"}, {"mode": "int16x8"}],
)
def test_embeddings_of_tokens_lose_dimensions_and_are_quantized(sentences, quantized):
    from tf_keras import Input, Model, layers

    from optimizer.models.flat import save_flat

    inputs = Input((12,), dtype="int32")
    x = layers.Embedding(50, 16, name="embedding")(inputs)
    x = layers.Conv1D(16, 3, activation="relu", name="conv")(x)
    x = layers.GlobalMaxPooling1D()(x)
    model = Model(inputs, layers.Dense(3, activation="softmax", name="head")(x))
    files = {"model.keras": save_flat(model)}
    narrowed = remove(files, sentences, epochs=1, structure={"kind": "channels", "multiple_of": 1})
    converted = convert(narrowed, sentences, **quantized)
    assert any("channels removed in 2 layers" in promise for promise in promises(converted))
    assert broken_promises(converted) == []
    shapes = {layer["name"]: layer["shape"] for layer in facts(converted)["layers"]}
    assert shapes["embedding"][1] < 16
    assert facts(converted)["input_dtype"] == "int32"
