"""Each technique's promise, read out of the ``.tflite`` and not of the objects on the way."""

import json

import pytest

from optimizer.models.flat import save_flat
from tests.techniques.steps import (
    QUICK,
    broken_promises,
    cluster,
    convert,
    facts,
    kernels,
    measured_accuracy,
    override,
    prune,
    train_quantized,
)


@pytest.fixture(scope="module")
def baseline(plain_files, data):
    return convert(plain_files, data)


@pytest.fixture(scope="module")
def pruned(plain_files, data):
    return prune(plain_files, data)


@pytest.fixture(scope="module")
def pruned_clustered(pruned, data):
    return cluster(pruned, data, preserve_sparsity=True)


@pytest.fixture(scope="module")
def pcqat(pruned_clustered, data):
    return train_quantized(pruned_clustered, data, keep_zeros=True, clusters=8)


@pytest.mark.parametrize(
    ("mode", "dtype", "share"),
    [("float16", "float16", 0.6), ("int8", "int8", 0.4), ("int16x8", "int8", 0.45)],
)
def test_every_kernel_is_stored_in_the_mode_asked_for(
    plain_files, data, baseline, mode, dtype, share
):
    converted = convert(plain_files, data, mode=mode)
    assert {layer["dtype"] for layer in kernels(converted)} == {dtype}
    assert len(converted["model.tflite"]) < share * len(baseline["model.tflite"])
    loss = measured_accuracy(baseline, data) - measured_accuracy(converted, data)
    assert loss <= 0.03


def test_dynamic_range_stores_large_kernels_in_int8(plain_files, data):
    dtypes = {
        layer["name"]: layer["dtype"]
        for layer in kernels(convert(plain_files, data, mode="dynamic"))
    }
    assert dtypes["dense_a"] == "int8"


@pytest.mark.parametrize("io", ["float32", "int8", "uint8"])
def test_inputs_and_outputs_have_the_dtype_asked_for(plain_files, data, baseline, io):
    converted = convert(plain_files, data, mode="int8", io=io)
    assert facts(converted)["input_dtype"] == facts(converted)["output_dtype"] == io
    assert measured_accuracy(converted, data) >= measured_accuracy(baseline, data) - 0.03


def test_pruning_reaches_its_sparsity_in_every_kernel(pruned, data, baseline):
    converted = convert(pruned, data)
    for layer in kernels(converted):
        assert layer["sparsity"] == pytest.approx(0.8, abs=0.02)
    assert facts(converted)["sparsity"] >= 0.79
    assert facts(converted)["gzip_bytes"] < 0.5 * facts(baseline)["gzip_bytes"]
    assert measured_accuracy(converted, data) >= measured_accuracy(baseline, data) - 0.1


def test_constant_schedule_and_layer_overrides(plain_files, data):
    files = prune(
        plain_files,
        data,
        schedule={"kind": "constant", "target_sparsity": 0.6},
        layers={"dense_a": override(final_sparsity=0.25)},
    )
    sparsity = {layer["name"]: layer["sparsity"] for layer in kernels(convert(files, data))}
    assert sparsity["dense_a"] == pytest.approx(0.25, abs=0.01)
    assert sparsity["conv_b"] == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("init", ["kmeans++", "linear", "density", "random"])
def test_clustering_leaves_at_most_the_values_asked_for(plain_files, data, init):
    converted = convert(cluster(plain_files, data, cluster_centroids_init=init), data)
    for layer in kernels(converted):
        assert layer["distinct"] <= 8


def test_per_layer_cluster_counts(plain_files, data):
    layers = {"dense_a": override(number_of_clusters=32)}
    converted = convert(cluster(plain_files, data, layers=layers), data)
    distinct = {layer["name"]: layer["distinct"] for layer in kernels(converted)}
    assert 8 < distinct["dense_a"] <= 32
    assert distinct["conv_b"] <= 8


def test_clustering_after_pruning_keeps_the_zeros(pruned_clustered, data):
    for layer in kernels(convert(pruned_clustered, data)):
        assert layer["sparsity"] >= 0.78
        assert layer["distinct"] <= 8


def test_a_layer_with_too_few_weights_to_cluster_keeps_its_zeros(pruned, data):
    files = cluster(pruned, data, number_of_clusters=64, preserve_sparsity=True, tune=QUICK)
    assert set(json.loads(files["training.json"])["left_out"]) == {"conv_a"}
    assert broken_promises(convert(files, data)) == []


def test_pcqat_keeps_zeros_and_clusters_in_int8(pcqat, data, baseline):
    converted = convert(pcqat, data, mode="int8", aware=True)
    for layer in kernels(converted):
        assert layer["dtype"] == "int8"
        assert layer["sparsity"] >= 0.78
        assert layer["distinct_per_channel"] <= 9
    assert measured_accuracy(converted, data) >= measured_accuracy(baseline, data) - 0.1


def test_pqat_keeps_zeros(pruned, data):
    trained = train_quantized(pruned, data, keep_zeros=True)
    for layer in kernels(convert(trained, data, mode="int8", aware=True)):
        assert layer["sparsity"] >= 0.78


def test_qat_alone_does_not_promise_zeros(pruned, data):
    """The check above can fail: without preserving, training fills the zeros again."""
    trained = train_quantized(pruned, data, keep_zeros=False)
    assert facts(convert(trained, data, mode="int8", aware=True))["sparsity"] < 0.6


def test_cqat_keeps_clusters(plain_files, data):
    trained = train_quantized(cluster(plain_files, data), data, clusters=8)
    for layer in kernels(convert(trained, data, mode="int8", aware=True)):
        assert layer["distinct_per_channel"] <= 9


def test_qat_beside_layers_that_tflite_lacks(data):
    """3-D pooling is made of 2-D pooling when the trained model is converted."""
    from tf_keras import Sequential, layers

    model = Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Reshape((4, 4, 4, 1)),
            layers.Conv3D(4, 3, padding="same", activation="relu"),
            layers.MaxPooling3D(2),
            layers.Flatten(),
            layers.Dense(10, activation="softmax", name="dense"),
        ]
    )
    trained = train_quantized({"model.keras": save_flat(model)}, data, tune=QUICK)
    converted = convert(trained, data, mode="int8", aware=True)
    assert broken_promises(converted) == []
    assert [k["dtype"] for k in kernels(converted)] == ["int8"]


def test_qat_with_int8_inputs_and_outputs(pcqat, data):
    converted = convert(pcqat, data, mode="int8", aware=True, io="int8")
    assert facts(converted)["input_dtype"] == facts(converted)["output_dtype"] == "int8"


def test_all_three_on_batch_normalization_depthwise_and_separable(norm_files, data):
    base = measured_accuracy(convert(norm_files, data), data)
    clustered = cluster(prune(norm_files, data), data, preserve_sparsity=True)
    trained = train_quantized(clustered, data, keep_zeros=True, clusters=8)
    converted = convert(trained, data, mode="int8", aware=True)
    for layer in kernels(converted):
        assert layer["dtype"] == "int8"
        assert layer["sparsity"] >= 0.75
        assert layer["distinct_per_channel"] <= 9
    assert measured_accuracy(converted, data) >= base - 0.15


def test_clusters_are_not_lost_where_the_converter_folds_batch_normalization(norm_files, data):
    clustered = convert(cluster(norm_files, data, number_of_clusters=8, tune=QUICK), data)
    (dense,) = [kernel for kernel in kernels(clustered) if kernel["name"] == "dense"]
    assert dense["distinct"] <= 8
    assert not broken_promises(clustered)


def test_depthwise_kernels_are_among_those_that_qat_promises_in_int8(norm_files, data):
    trained = train_quantized(norm_files, data, tune=QUICK)
    converted = convert(trained, data, mode="int8", aware=True)
    depthwise = [k for k in facts(converted)["layers"] if k["type"] == "DEPTHWISE_CONV_2D"]
    assert {kernel["dtype"] for kernel in depthwise} == {"int8"}
    assert not broken_promises(converted)


def test_the_same_recipe_gives_the_same_bytes(plain_files, data, pcqat, pruned_clustered):
    again = train_quantized(pruned_clustered, data, keep_zeros=True, clusters=8)
    one = convert(pcqat, data, mode="int8", aware=True)["model.tflite"]
    assert convert(again, data, mode="int8", aware=True)["model.tflite"] == one
