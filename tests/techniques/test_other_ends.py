"""Models with several inputs and outputs, and every task, from training to the file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from optimizer.data.arrays import Arrays
from optimizer.errors import InputError
from optimizer.measure import accuracy
from optimizer.measure.interpreter import Ends, predict
from optimizer.models.flat import load_flat, save_flat
from optimizer.recipe import Recipe
from optimizer.stage import ignore_progress
from optimizer.techniques import channels
from tests.techniques import steps

TASK = "multiclass+regression"
_rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def pairs():
    """Images and ages; their class, and a price: the model's order is not the data's."""
    n = 240
    ages = _rng.random((n, 3)).astype("float32")
    images = _rng.random((n, 6, 6, 1)).astype("float32")
    kinds = (images.mean(axis=(1, 2, 3)) > 0.5).astype("int64") + (ages[:, 0] > 0.5)
    prices = (ages.sum(axis=1) + images.mean(axis=(1, 2, 3)))[:, np.newaxis].astype("float32")
    train, test = slice(0, 160), slice(160, None)
    return Arrays(
        (ages[train], images[train]),
        (prices[train], kinds[train]),
        (ages[test], images[test]),
        (prices[test], kinds[test]),
        ("zeta", "alpha"),
        ("price", "kind"),
    )


@pytest.fixture(scope="module")
def files(pairs):
    import tf_keras
    from tf_keras import layers

    tf_keras.utils.set_random_seed(0)
    alpha, zeta = tf_keras.Input((6, 6, 1), name="alpha"), tf_keras.Input((3,), name="zeta")
    x = layers.Conv2D(16, 3, activation="relu", name="conv")(alpha)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Concatenate(name="both")([x, layers.Dense(16, activation="relu", name="a")(zeta)])
    x = layers.Dense(24, activation="relu", name="joined")(x)
    kind = layers.Dense(3, activation="softmax", name="kind")(x)
    price = layers.Dense(1, name="price")(x)
    return {"model.keras": save_flat(tf_keras.Model([alpha, zeta], [kind, price]))}


@pytest.fixture(scope="module")
def data(pairs):
    return {"arrays.npz": pairs.save()}


def measured(converted, data, task=TASK, **params):
    inputs = {"model": converted, "data": data}
    found = accuracy.stage({"task": task, **params}, inputs, ignore_progress)
    return json.loads(found["metrics.json"])


NAMES = {"inputs": ["alpha", "zeta"], "outputs": ["kind", "price"]}


@pytest.mark.parametrize("mode", ["none", "float16", "dynamic", "int8", "int16x8"])
def test_files_take_and_give_what_the_model_does_by_name(files, data, pairs, mode):
    converted = steps.convert(files, data, mode=mode)
    order = json.loads(converted["conversion.json"])
    xs = pairs.inputs_for(NAMES["inputs"], "test")
    expected = load_flat(files["model.keras"]).predict(xs, verbose=0)
    ends = Ends(tuple(order["inputs"]), tuple(order["outputs"]))

    given = predict(converted["model.tflite"], xs, ends)

    assert order["inputs"] == NAMES["inputs"]
    assert order["outputs"] == NAMES["outputs"]
    for a, b in zip(expected, given, strict=True):
        assert np.abs(a - b).max() < (1e-4 if mode == "none" else 0.1)
    found = measured(converted, data, **NAMES)
    assert (found["metric"], found["n"]) == ("accuracy", 80)
    assert found["metrics"]["price.mae"] == pytest.approx(
        np.abs(expected[1] - pairs.y_test[0]).mean(), abs=1e-4 if mode == "none" else 0.1
    )


def test_every_training_technique_takes_several_ends(files, data):
    pruned = steps.prune(files, data, task=TASK, schedule=steps.half())
    clustered = steps.cluster(pruned, data, task=TASK, preserve_sparsity=True)
    aware = steps.train_quantized(clustered, data, task=TASK, keep_zeros=True, clusters=8)
    converted = steps.convert(aware, data, mode="int8", aware=True)
    kernels = {layer["name"]: layer for layer in steps.kernels(converted)}

    assert steps.broken_promises(converted) == []
    assert all(layer["dtype"] == "int8" for layer in kernels.values())
    assert kernels["joined"]["sparsity"] >= 0.49
    assert kernels["joined"]["distinct"] <= 8
    assert measured(converted, data, **NAMES)["value"] > 0.3


@pytest.mark.parametrize("criterion", ["magnitude", "gradient"])
def test_channels_leave_models_with_several_ends(files, data, criterion):
    part = {"structure": {"kind": "channels", "multiple_of": 1}, "criterion": criterion}
    part["schedule"] = {"kind": "constant", "target_sparsity": 0.5}
    prune = Recipe.parse({"prune": part}).model_dump(mode="json")["prune"]
    params = steps.recipe_part(prune=prune, task=TASK, fine_tune=steps.QUICK)
    narrowed = channels.stage(params, {"model": files, "data": data}, ignore_progress)
    converted = steps.convert(narrowed, data)

    before, after = (steps.facts(c)["macs"] for c in (steps.convert(files, data), converted))
    assert after <= 0.55 * before
    assert measured(converted, data, **NAMES)["n"] == 80


def _dense(outputs, activation, inputs=6, hidden=16):
    import tf_keras

    tf_keras.utils.set_random_seed(0)
    layers = [tf_keras.Input((inputs,)), tf_keras.layers.Dense(hidden, activation="relu")]
    layers.append(tf_keras.layers.Dense(outputs, activation=activation))
    return {"model.keras": save_flat(tf_keras.Sequential(layers))}


def _targets(task, x):
    signs = (x > 0).astype("float32")
    return {
        "multiclass": signs[:, :2].sum(axis=1).astype("int64"),
        "binary": (x.sum(axis=1) > 0).astype("int64"),
        "multilabel": signs[:, :3],
        "regression": x[:, :2] * 2,
        "reconstruction": None,
    }[task]


@pytest.mark.parametrize(
    ("task", "outputs", "activation", "loss"),
    [
        ("multiclass", 3, "softmax", "categorical_focal_crossentropy"),
        ("multiclass", 3, None, None),
        ("binary", 1, "sigmoid", "binary_focal_crossentropy"),
        ("multilabel", 3, "sigmoid", None),
        ("regression", 2, None, "huber"),
        ("reconstruction", 6, None, "mean_absolute_error"),
    ],
)
def test_every_task_is_trained_for_and_measured(task, outputs, activation, loss):
    x = np.random.default_rng(1).normal(size=(400, 6)).astype("float32")
    y = _targets(task, x)
    ys = (None, None) if y is None else (y[:300], y[300:])
    arrays = Arrays.single(x[:300], ys[0], x[300:], ys[1])
    data, files = {"arrays.npz": arrays.save()}, _dense(outputs, activation)
    logits = {"from_logits": [activation is None]}
    untrained = measured(steps.convert(files, data), data, task, **logits)

    tune = {**steps.TUNE, "epochs": 12, "batch_size": 16, "learning_rate": 0.01}
    pruned = steps.prune(files, data, task=task, loss=loss, tune=tune, schedule=steps.half())
    found = measured(steps.convert(pruned, data), data, task, **logits)

    better = found["value"] > untrained["value"]
    assert better == found["higher_is_better"]
    assert found["interval"][0] <= found["value"] <= found["interval"][1]


def test_without_labels_everything_but_training_works():
    x = np.random.default_rng(1).normal(size=(60, 6)).astype("float32")
    data = {"arrays.npz": Arrays.single(x[:40], None, x[40:], None).save()}
    files = _dense(3, "softmax")
    base, small = steps.convert(files, data), steps.convert(files, data, mode="int8")

    def run(converted, **more):
        inputs = {"model": converted, "data": data, **more}
        return accuracy.stage({"task": "unlabelled"}, inputs, ignore_progress)

    found = json.loads(run(small, baseline=run(base))["metrics.json"])
    assert found["value"] is None
    assert found["agreement"] > 0.8
    with pytest.raises(InputError, match="needs labels"):
        steps.prune(files, data, task="unlabelled")
