"""The scan of single layers, and the metric that training reports on its way."""

import json

import numpy as np
import pytest

from optimizer.models.flat import load_flat, save_flat
from optimizer.stage import ignore_progress
from optimizer.techniques import clustering, pruning, quantize_aware, sensitivity

PARAMS = {"sparsities": [0.5, 0.9], "clusters": [4, 64], "task": "multiclass", "loss": None}
TUNE = {"fine_tune": {"epochs": 3, "batch_size": 64, "learning_rate": 0.001}, "seed": 0}


@pytest.fixture(scope="module")
def found(plain_model, data):
    inputs = {"model": {"model.keras": save_flat(plain_model)}, "data": data}
    files = sensitivity.stage({**PARAMS, "seed": 0}, inputs, ignore_progress)
    return json.loads(files["sensitivity.json"])


def test_every_layer_with_weights_is_scanned_in_every_way(found):
    assert [layer["name"] for layer in found["layers"]] == [
        "conv_a",
        "conv_b",
        "dense_a",
        "dense_b",
    ]
    for layer in found["layers"]:
        assert set(layer["prune"]) == {"0.5", "0.9"}
        assert set(layer["cluster"]) == {"4", "64"}
        assert layer["int8"]["fall"] is not None
        assert layer["weights"] > 0
    assert found["metric"] == "accuracy"
    assert found["samples"] == 512
    assert found["value"] > 0.8


def test_more_is_worse_and_int8_is_nearly_nothing(found):
    for layer in found["layers"]:
        assert layer["prune"]["0.9"]["rise"] > layer["prune"]["0.5"]["rise"]
        assert abs(layer["int8"]["rise"]) < 0.02
    few, many = (
        sum(layer["cluster"][count]["rise"] for layer in found["layers"]) for count in ("4", "64")
    )
    assert few > many


def test_the_scan_leaves_the_model_as_it_was_and_repeats(plain_model, data, found):
    before = [weight.copy() for weight in plain_model.get_weights()]
    inputs = {"model": {"model.keras": save_flat(plain_model)}, "data": data}
    again = sensitivity.stage({**PARAMS, "seed": 0}, inputs, ignore_progress)
    assert json.loads(again["sensitivity.json"]) == found
    for weight, kept in zip(plain_model.get_weights(), before, strict=True):
        assert np.array_equal(weight, kept)


STAGES = {
    "prune": (
        pruning.stage,
        {
            "prune": {
                "schedule": {"kind": "constant", "target_sparsity": 0.5, "begin": 0.0,
                             "frequency": None},
                "structure": {"kind": "unstructured"},
                "criterion": "magnitude",
                "scope": "layer",
                "gentle_ends": False,
            },
            "layers": {},
        },
    ),
    "cluster": (
        clustering.stage,
        {
            "cluster": {"number_of_clusters": 8, "cluster_centroids_init": "kmeans++",
                        "per_channel": False},
            "layers": {},
            "preserve_sparsity": False,
        },
    ),
    "quantize_aware": (
        quantize_aware.stage,
        {"layers": {}, "granularity": "per_channel", "keep_zeros": False,
         "number_of_clusters": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(STAGES))
def test_training_reports_the_metric_after_each_epoch_but_the_last(name, plain_model, data):
    stage, params = STAGES[name]
    heard = []

    def listen(fraction, message, **numbers):
        heard.append(numbers)

    inputs = {"model": {"model.keras": save_flat(plain_model)}, "data": data}
    told = {**params, **TUNE, "task": "multiclass"}
    files = stage(told, inputs, listen)
    seen = {n["metric_epoch"]: n["metric"] for n in heard if "metric" in n}
    assert set(seen) == {1, 2}
    assert all(0.5 < value <= 1 for value in seen.values())
    assert all("metric" not in n for n in heard if n.get("epoch") == 1)
    unheard = stage({**told}, inputs, ignore_progress)
    weights = [load_flat(f["model.keras"]).get_weights() for f in (files, unheard)]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
