"""Structures, criteria, scopes and granularities, each read out of the file that ships."""

import json

import numpy as np
import pytest

from optimizer.measure.tflite_file import TfliteFile
from tests.techniques.steps import (
    QUICK,
    broken_promises,
    cluster,
    convert,
    facts,
    kernels,
    measured_accuracy,
    override,
    promises,
    prune,
    train_quantized,
)

HALF = {"kind": "constant", "target_sparsity": 0.5}


def weights(converted):
    return TfliteFile.read(converted["model.tflite"], ("conv_a", "conv_b", "dense_a", "dense_b"))


def zero_masks(converted):
    """Which weights are zero, input channels last: layer → bool array."""
    return {weight.name: weight.is_zero for weight in weights(converted).weights}


def test_a_two_of_four_pattern_is_in_the_file(plain_files, data):
    files = prune(plain_files, data, structure={"kind": "n_m"}, tune=QUICK)
    converted = convert(files, data, mode="int8")
    assert broken_promises(converted) == []
    for name in ("conv_b", "dense_a"):
        zeros = zero_masks(converted)[name]
        groups = zeros.reshape(*zeros.shape[:-1], -1, 4).sum(axis=-1)
        assert groups.min() >= 2
        assert zeros.mean() == pytest.approx(0.5, abs=0.02)


def test_blocks_are_zero_together(plain_files, data):
    files = prune(plain_files, data, structure={"kind": "block", "size": [4, 1]}, tune=QUICK)
    converted = convert(files, data)
    assert broken_promises(converted) == []
    zeros = zero_masks(converted)["dense_a"]
    blocks = zeros.reshape(zeros.shape[0], -1, 4)
    assert (blocks.all(axis=-1) == blocks.any(axis=-1)).mean() > 0.99
    assert zeros.mean() == pytest.approx(0.8, abs=0.01)


def test_weights_that_compete_globally_leave_layers_with_shares_of_their_own(plain_files, data):
    files = prune(plain_files, data, scope="global", schedule=HALF, tune=QUICK)
    converted = convert(files, data)
    shares = [layer["sparsity"] for layer in kernels(converted)]
    assert max(shares) - min(shares) > 0.05
    assert facts(converted)["sparsity"] == pytest.approx(0.5, abs=0.01)
    assert broken_promises(converted) == []


@pytest.mark.parametrize("criterion", ["gradient", "random"])
def test_every_criterion_reaches_its_sparsity(plain_files, data, criterion):
    files = prune(plain_files, data, criterion=criterion, schedule=HALF, tune=QUICK)
    converted = convert(files, data)
    for layer in kernels(converted):
        assert layer["sparsity"] == pytest.approx(0.5, abs=0.02)
    assert broken_promises(converted) == []


def test_chance_is_worse_than_gradient(plain_files, data):
    """At 80 % without time to recover; a criterion that did nothing would not be."""
    high = {"kind": "constant", "target_sparsity": 0.8, "begin": 0.9}
    found = {
        criterion: measured_accuracy(
            convert(prune(plain_files, data, criterion=criterion, schedule=high, tune=QUICK), data),
            data,
        )
        for criterion in ("gradient", "random")
    }
    assert found["gradient"] > found["random"] + 0.1


def test_gentle_ends_spare_the_first_and_the_last_layer(plain_files, data):
    files = prune(plain_files, data, gentle_ends=True, tune=QUICK)
    shares = {layer["name"]: layer["sparsity"] for layer in kernels(convert(files, data))}
    assert shares["conv_a"] == pytest.approx(0.4, abs=0.02)
    assert shares["dense_b"] == pytest.approx(0.4, abs=0.01)
    assert shares["dense_a"] == pytest.approx(0.8, abs=0.01)


def test_a_schedule_of_steps_ends_where_it_says(plain_files, data):
    schedule = {"kind": "steps", "steps": [[0.0, 0.2], [0.5, 0.6]]}
    converted = convert(prune(plain_files, data, schedule=schedule, tune=QUICK), data)
    for layer in kernels(converted):
        assert layer["sparsity"] == pytest.approx(0.6, abs=0.02)


def test_an_audit_finds_a_broken_promise(pruned_once, data):
    """The same model under promises that it does not keep."""
    lies = {"dense_a": {"sparsity": 0.9}, "conv_b": {"distinct": 4, "n_m": [1, 4]}}
    forged = {**pruned_once, "promises.json": json.dumps(lies).encode()}
    broken = broken_promises(convert(forged, data))
    assert {item["promise"] for item in broken} == {
        "at least 90 % zeros in 1 layer",
        "at most 1 of 4 consecutive weights not zero in 1 layer",
        "at most 4 distinct weights in 1 layer",
    }
    assert "dense_a (50 %)" in broken[0]["found"]


def test_an_audit_finds_kernels_that_lost_everything(plain_model, data):
    from optimizer.models.flat import save_flat
    from optimizer.techniques.graph import clone

    model = clone(plain_model)
    layer = model.get_layer("dense_a")
    layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    files = {"model.keras": save_flat(model), "promises.json": b'{"dense_a": {"sparsity": 0.5}}'}
    (broken,) = broken_promises(convert(files, data))
    assert broken["promise"] == "no kernel loses all of its weights"
    assert "dense_a" in broken["found"]


@pytest.fixture(scope="module")
def pruned_once(plain_files, data):
    return prune(plain_files, data, schedule=HALF, tune=QUICK)


@pytest.mark.parametrize("mode", ["none", "float16"])
def test_sparse_encoding_makes_the_file_itself_smaller(plain_files, data, mode):
    files = prune(plain_files, data, tune=QUICK)
    dense = convert(files, data, mode=mode)
    sparse = convert(files, data, mode=mode, sparse_encoding=True)
    assert len(sparse["model.tflite"]) < 0.75 * len(dense["model.tflite"])
    assert facts(sparse)["sparsity"] == pytest.approx(facts(dense)["sparsity"])
    assert measured_accuracy(sparse, data) == measured_accuracy(dense, data)
    assert broken_promises(sparse) == []
    assert any("sparse encoding" in promise for promise in promises(sparse))


def test_each_channel_of_a_convolution_has_clusters_of_its_own(plain_files, data):
    files = cluster(plain_files, data, number_of_clusters=4, per_channel=True, tune=QUICK)
    converted = convert(files, data)
    found = {layer["name"]: layer for layer in kernels(converted)}
    assert found["conv_b"]["distinct"] > 4
    assert found["conv_b"]["distinct_per_channel"] <= 4
    assert found["dense_a"]["distinct"] <= 4
    assert broken_promises(converted) == []


def test_clusters_of_channels_survive_pruning_qat_and_conversion(pruned_once, data):
    clustered = cluster(
        pruned_once,
        data,
        number_of_clusters=6,
        per_channel=True,
        preserve_sparsity=True,
        tune=QUICK,
    )
    trained = train_quantized(clustered, data, keep_zeros=True, clusters=6, tune=QUICK)
    converted = convert(trained, data, mode="int8", aware=True)
    for layer in kernels(converted):
        assert layer["distinct_per_channel"] <= 6
        assert layer["sparsity"] >= 0.48
    assert broken_promises(converted) == []


@pytest.mark.parametrize("aware", [False, True])
def test_one_scale_per_tensor(plain_files, data, aware):
    files = plain_files
    if aware:
        files = train_quantized(files, data, granularity="per_tensor", tune=QUICK)
    converted = convert(files, data, mode="int8", granularity="per_tensor", aware=aware)
    assert not any(layer["per_channel"] for layer in facts(converted)["layers"])
    assert {layer["dtype"] for layer in kernels(converted)} == {"int8"}


def test_selective_qat_leaves_layers_in_float(plain_files, data):
    layers = {name: override(quantize=False) for name in ("dense_a", "dense_b")}
    files = train_quantized(plain_files, data, layers=layers, tune=QUICK)
    converted = convert(files, data, mode="int8", aware=True)
    dtypes = {layer["name"]: layer["dtype"] for layer in kernels(converted)}
    assert dtypes["conv_b"] == "int8"
    assert dtypes["dense_b"] == "float32"
    assert json.loads(files["training.json"])["left_out"]["dense_b"] == "The recipe leaves it out."
    assert broken_promises(converted) == []
