"""Weights, sizes, sparsity and distinct values, against numbers known beforehand."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from optimizer.errors import InputError
from optimizer.measure.tflite_file import TfliteFile, describe
from tests.measure.conftest import MODES

CLUSTERED = ("stem", "pointwise", "hidden")


def by_name(tflite):
    return {weight.name: weight for weight in TfliteFile.read(tflite).weights}


def keras_kernel(cnn, name):
    """The Keras kernel in TFLite's order: output channels first."""
    kernel = cnn.keras_model.get_layer(name).get_weights()[0]
    return np.moveaxis(kernel, -1, 0)


@pytest.mark.parametrize("mode", MODES)
def test_each_weight_carries_its_keras_layer_name_operator_and_shape(cnn, mode):
    found = [(w.name, w.op, w.shape) for w in TfliteFile.read(cnn.files[mode]).weights]

    assert found == [
        ("stem", "CONV_2D", (6, 3, 3, 2)),
        ("spatial", "DEPTHWISE_CONV_2D", (1, 3, 3, 6)),
        ("pointwise", "CONV_2D", (8, 1, 1, 6)),
        ("hidden", "FULLY_CONNECTED", (16, 128)),
        ("head", "FULLY_CONNECTED", (3, 16)),
    ]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CLUSTERED)
def test_zeros_set_by_hand_are_counted_exactly(cnn, mode, name):
    kernel = keras_kernel(cnn, name)

    weight = by_name(cnn.files[mode])[name]

    assert weight.zeros == np.count_nonzero(kernel == 0)
    assert weight.sparsity == pytest.approx(np.mean(kernel == 0))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CLUSTERED)
def test_distinct_values_per_channel_are_those_of_the_keras_kernel(cnn, mode, name):
    kernel = keras_kernel(cnn, name)
    expected = max(len(np.unique(channel)) for channel in kernel)

    assert by_name(cnn.files[mode])[name].distinct_per_channel == expected


def test_distinct_values_of_a_whole_tensor_are_counted_exactly(cnn):
    weights = by_name(cnn.files["float32"])

    assert weights["pointwise"].distinct == 4
    assert weights["hidden"].distinct == 4
    head = cnn.keras_model.get_layer("head").get_weights()[0]
    assert weights["head"].distinct == len(np.unique(head))


def test_folding_a_batch_normalization_multiplies_values_but_not_per_channel(cnn):
    stem = by_name(cnn.files["float32"])["stem"]

    assert stem.distinct > 4 >= stem.distinct_per_channel


@pytest.mark.parametrize(
    ("mode", "dtype"), [("float32", "float32"), ("float16", "float16"), ("int8", "int8")]
)
def test_dtype_is_the_one_in_the_file(cnn, mode, dtype):
    assert {weight.dtype for weight in by_name(cnn.files[mode]).values()} == {dtype}


def test_dynamic_range_leaves_small_tensors_in_float(cnn):
    dtypes = {name: weight.dtype for name, weight in by_name(cnn.files["dynamic"]).items()}

    assert dtypes["hidden"] == "int8"  # 2048 values
    assert dtypes["head"] == "float32"  # 48 values: below the converter's 1024


@pytest.mark.parametrize(("mode", "error"), [("float32", 0), ("float16", 1e-3), ("int8", 1 / 127)])
def test_dequantized_weights_are_the_keras_weights(cnn, mode, error):
    for name in ("pointwise", "hidden", "head"):
        weight = by_name(cnn.files[mode])[name]
        kernel = keras_kernel(cnn, name).reshape(weight.shape)
        assert weight.dequantized().dtype == np.float32
        assert np.abs(weight.dequantized() - kernel).max() <= error * np.abs(kernel).max()


def test_per_channel_scales_apply_along_the_axis_of_a_depthwise_kernel(cnn):
    weight = by_name(cnn.files["int8"])["spatial"]
    kernel = cnn.keras_model.get_layer("spatial").get_weights()[0]

    assert weight.per_channel
    assert weight.channel_axis == 3
    error = np.abs(weight.dequantized() - np.moveaxis(kernel, 3, 0)).max(axis=(0, 1, 2))
    assert (error <= weight.quantization.scale / 2 + 1e-6).all()


def test_depthwise_kernels_do_not_count_in_the_overall_sparsity(cnn):
    file = TfliteFile.read(cnn.files["float32"])
    counted = [keras_kernel(cnn, name) for name in (*CLUSTERED, "head")]

    assert not by_name(cnn.files["float32"])["spatial"].prunable
    zeros, values = sum((k == 0).sum() for k in counted), sum(k.size for k in counted)
    assert file.sparsity == pytest.approx(zeros / values)


def test_max_distinct_is_per_channel_where_quantized_per_channel(cnn):
    file = TfliteFile.read(cnn.files["int8"])
    prunable = [weight for weight in file.weights if weight.prunable]

    assert all(weight.per_channel for weight in prunable)
    assert file.max_distinct_weights == max(weight.distinct_per_channel for weight in prunable)
    assert file.max_distinct_weights < max(weight.distinct for weight in prunable)


def test_parameter_bytes_are_those_of_the_folded_float_model(cnn):
    kernels = sum(
        cnn.keras_model.get_layer(name).get_weights()[0].size
        for name in ("stem", "spatial", "pointwise", "hidden", "head")
    )
    file = TfliteFile.read(cnn.files["float32"])
    biases = file.parameter_bytes // 4 - kernels

    assert file.parameter_bytes % 4 == 0
    assert 6 <= biases <= 6 + 6 + 8 + 16 + 3  # zero biases are shared or left out
    half = TfliteFile.read(cnn.files["float16"])
    assert half.parameter_bytes == file.parameter_bytes // 2


def test_sizes_are_the_files_and_gzip_is_reproducible(cnn):
    data = cnn.files["float32"]
    file = TfliteFile.read(data)

    assert file.size_bytes == len(data)
    assert file.gzip_bytes == len(gzip.compress(data, 9, mtime=0))


@pytest.mark.parametrize(
    ("mode", "dtypes", "arithmetic"),
    [
        ("float32", ("float32", "float32"), {"float32"}),
        ("float16", ("float32", "float32"), {"float32"}),
        ("dynamic", ("float32", "float32"), {"float32", "hybrid"}),
        ("int8", ("float32", "float32"), {"int8", "float32"}),
        ("int8_io", ("int8", "int8"), {"int8"}),
    ],
)
def test_input_output_and_operator_dtypes(cnn, mode, dtypes, arithmetic):
    file = TfliteFile.read(cnn.files[mode])

    assert (file.input_dtype, file.output_dtype) == dtypes
    assert {kind for kind in file.ops if kind not in ("int32", "bool")} == arithmetic


def test_embedding_and_lstm_kernels_are_weights(words):
    file = TfliteFile.read(words.files["float32"])
    found = {weight.name: weight for weight in file.weights}

    assert found["words"].op == "GATHER"
    assert np.array_equal(
        found["words"].dequantized(), words.keras_model.get_layer("words").get_weights()[0]
    )
    recurrent = [w for w in file.weights if w.op == "UNIDIRECTIONAL_SEQUENCE_LSTM"]
    assert sorted(w.shape for w in recurrent) == [(4, 4)] * 4 + [(4, 5)] * 4
    assert len({w.name for w in recurrent}) == 8


def test_describe_has_the_fields_of_layers_json(cnn):
    summary = describe(cnn.files["int8_io"], known_layers=["stem", "head"])

    assert {
        *("size_bytes", "gzip_bytes", "parameter_bytes", "sparsity", "max_distinct_weights"),
        *("input_dtype", "output_dtype", "layers"),
    } <= set(summary)
    for layer in summary["layers"]:
        assert {
            *("name", "type", "shape", "dtype", "sparsity", "distinct", "distinct_per_channel"),
            "bytes",
        } <= set(layer)
    assert sum(layer["bytes"] for layer in summary["layers"]) < summary["parameter_bytes"]


@pytest.mark.parametrize("data", [b"", b"TFL3", b"not a model at all", b"PK\x03\x04" + b"\0" * 50])
def test_other_files_are_refused_in_a_sentence(data):
    with pytest.raises(InputError, match="not a TensorFlow Lite file"):
        describe(data)


def test_truncated_files_are_refused_or_read_never_a_crash(cnn):
    data = cnn.files["int8"]
    refused = 0
    for length in range(8, len(data), len(data) // 60):
        try:
            describe(data[:length])
        except InputError:
            refused += 1
    assert refused > 30


def test_changed_bytes_are_refused_or_read_never_a_crash(cnn):
    rng = np.random.default_rng(0)
    original = np.frombuffer(cnn.files["int8_io"], np.uint8)
    refused = 0
    for _ in range(300):
        data = original.copy()
        places = rng.integers(8, len(data), 12)
        data[places] = rng.integers(0, 256, 12)
        try:
            describe(data.tobytes())
        except InputError:
            refused += 1
    assert refused > 30
