"""The scan on held-out samples, and files in which a spared layer has what the recipe gave it."""

import json

import numpy as np
import pytest

from optimizer.data.arrays import Arrays
from optimizer.errors import InputError
from optimizer.models.flat import save_flat
from optimizer.recipe import Recipe
from optimizer.sensitivity.protect import protect, set_layer
from optimizer.sensitivity.scan import INT8, Setting, read_scan
from optimizer.stage import ignore_progress
from optimizer.techniques import layer_scan
from tests.techniques.steps import (
    broken_promises,
    cluster,
    convert,
    facts,
    prune,
    train_quantized,
)

PARAMS = {
    "sparsities": [0.3, 0.6, 0.9],
    "clusters": [2, 8, 64],
    "int8": True,
    "samples": 400,
    "seed": 0,
    "task": "multiclass",
    "metric": None,
    "from_logits": [False],
}
SHORT = {"epochs": 1, "batch_size": 128, "learning_rate": 0.002}


def scanned(model, data, **changes):
    inputs = {"model": {"model.keras": save_flat(model)}, "data": data}
    files = layer_scan.stage({**PARAMS, **changes}, inputs, ignore_progress)
    return json.loads(files["scan.json"])


@pytest.fixture(scope="module")
def content(plain_model, data):
    return scanned(plain_model, data)


def test_the_fall_is_the_studys_metric_on_the_very_test_samples(plain_model, arrays, content):
    chosen = np.sort(np.random.default_rng(0).permutation(len(arrays.x_test[0]))[:400])
    x, y = arrays.x_test[0][chosen], arrays.y_test[0][chosen]
    whole = read_scan(content)
    assert (whole.samples, whole.test_samples) == (400, len(arrays.x_test[0]))
    before = (plain_model.predict(x, verbose=0).argmax(1) == y).mean()
    assert whole.value == pytest.approx(before)

    kernel = plain_model.get_layer("dense_a").kernel
    kept = kernel.numpy()
    cut = np.quantile(np.abs(kept), 0.9)
    kernel.assign(np.where(np.abs(kept) < cut, 0, kept))
    after = (plain_model.predict(x, verbose=0).argmax(1) == y).mean()
    kernel.assign(kept)
    found = whole.by_name["dense_a"].cells[Setting("prune", 0.9)].lost
    assert found == pytest.approx(100 * (before - after), abs=0.3)


def test_the_same_options_give_the_same_scan(plain_model, data, content):
    assert scanned(plain_model, data) == content


def test_without_labels_it_is_agreement_and_begins_at_all(plain_model, arrays):
    unlabelled = Arrays.single(arrays.x_train[0], None, arrays.x_test[0], None)
    found = scanned(plain_model, {"arrays.npz": unlabelled.save()}, task="unlabelled", clusters=[])
    (output,) = found["outputs"]
    assert (output["metric"], output["value"]) == ("agreement", 1.0)
    harsh = [layer["prune"]["0.9"][0]["fall"] for layer in found["layers"]]
    gentle = [layer["prune"]["0.3"][0]["fall"] for layer in found["layers"]]
    assert min(gentle) >= 0
    assert sum(harsh) > sum(gentle)


def test_every_output_is_judged_by_its_own_task(arrays):
    import tf_keras
    from tf_keras import layers

    tf_keras.utils.set_random_seed(0)
    inputs = tf_keras.Input((8, 8, 1))
    x = layers.Dense(8, activation="relu", name="body")(layers.Flatten()(inputs))
    kind = layers.Dense(10, activation="softmax", name="kind")(x)
    size = layers.Dense(1, name="size")(x)
    y = arrays.y_test[0]
    model = tf_keras.Model(inputs, [kind, size])
    both = Arrays(
        arrays.x_train,
        (arrays.y_train[0], arrays.y_train[0].astype("float32")),
        arrays.x_test,
        (y, y.astype("float32")),
        target_names=("kind", "size"),
    )
    found = scanned(
        model, {"arrays.npz": both.save()}, task="multiclass+regression", clusters=[], int8=False
    )
    assert [each["metric"] for each in found["outputs"]] == ["accuracy", "mae"]
    first, second = read_scan(found, 0), read_scan(found, 1)
    assert (first.output, second.output) == ("kind", "size")
    assert second.unit.name == "%"
    assert all(cell.lost == 0 for cell in first.by_name["size"].cells.values())
    assert any(cell.lost != 0 for cell in second.by_name["size"].cells.values())


def test_a_model_with_nothing_to_change_is_refused_in_words(data):
    import tf_keras

    inputs = tf_keras.Input((8, 8, 1))
    pooled = tf_keras.layers.Flatten()(tf_keras.layers.AveragePooling2D(2)(inputs))
    with pytest.raises(InputError, match="nothing to scan"):
        scanned(tf_keras.Model(inputs, pooled), data)


def test_spared_layers_have_in_the_file_what_the_recipe_gave_them(plain_files, data, content):
    """Scan → recipe → file: the audit keeps its promises, and the file shows each override."""
    recipe = Recipe.parse(
        {
            "prune": {"schedule": {"kind": "polynomial", "final_sparsity": 0.9}},
            "cluster": {"number_of_clusters": 8},
            "quantize": {"mode": "int8", "aware": True},
            "fine_tune": SHORT,
        }
    )
    whole = read_scan(content)
    losses = sorted(layer.cells[Setting("prune", 0.9)].lost for layer in whole.layers)
    protected = protect(recipe, whole, losses[1])
    spared = {change.layer for change in protected.changes}
    assert 0 < len(spared) < len(whole.layers)
    first = whole.layers[0].name
    recipe = set_layer(protected.recipe, first, Setting("int8", INT8))
    recipe = set_layer(recipe, first, Setting("cluster", 64))
    own = {name: layer.model_dump() for name, layer in recipe.layers.items()}

    pruned = prune(
        plain_files, data, own, SHORT, schedule=recipe.prune.schedule.model_dump(mode="json")
    )
    clustered = cluster(
        pruned, data, preserve_sparsity=True, layers=own, number_of_clusters=8, tune=SHORT
    )
    trained = train_quantized(clustered, data, keep_zeros=True, clusters=8, layers=own, tune=SHORT)
    shipped = convert(trained, data, mode="int8", aware=True)
    assert broken_promises(shipped) == []
    rows = {
        name: next(row for row in facts(shipped)["layers"] if row["name"] == name)
        for name in whole.by_name
    }
    for name, row in rows.items():
        override = recipe.layers.get(name)
        wanted = 0.9
        if override is not None and override.final_sparsity is not None:
            wanted = override.final_sparsity
        count = (override and override.number_of_clusters) or 8
        assert row["sparsity"] >= wanted - 0.02, name
        # In int8 each channel has a scale of its own, so values are shared within a channel.
        assert row["distinct_per_channel" if row["dtype"] == "int8" else "distinct"] <= count, name
        assert row["dtype"] == ("float32" if name == first else "int8"), name
        if wanted < 0.5:
            assert row["sparsity"] < 0.85, name
