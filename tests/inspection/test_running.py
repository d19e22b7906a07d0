"""What is found by running a file: the beginnings of it, its float twin, errors and times."""

import json

import numpy as np
import pytest

from optimizer.data.arrays import Arrays
from optimizer.inspection import activations, profile
from optimizer.inspection.float_twin import float_twin
from optimizer.inspection.rewrite import first_operators
from optimizer.measure.flatbuffer import parse
from optimizer.measure.interpreter import predict, run_each
from optimizer.stage import ignore_progress


@pytest.fixture(scope="module")
def data(cnn):
    return {"arrays.npz": Arrays.single(cnn.x[:1], None, cnn.x, None).save()}


@pytest.mark.parametrize("mode", ["float32", "float16", "int8"])
def test_a_file_cut_short_computes_what_the_whole_one_computes_there(cnn, mode):
    whole = cnn.files[mode]
    graph, x = parse(whole)[0], cnn.x[:1]
    (interpreter,) = run_each(whole, [x])
    sizes = []
    for index in profile.computing_operators(whole):
        cut = first_operators(whole, index + 1)
        sizes.append(len(cut))
        (output,) = parse(cut)[0].outputs
        assert output == graph.operators[index].outputs[0]
        (other,) = run_each(cut, [x])
        np.testing.assert_array_equal(
            other.get_tensor(other.get_output_details()[0]["index"]), interpreter.get_tensor(output)
        )
    assert sizes == sorted(sizes)


def test_nothing_of_a_file_gives_back_its_input(cnn):
    (output,) = predict(first_operators(cnn.files["float32"], 0), [cnn.x[:3]])
    np.testing.assert_array_equal(output, cnn.x[:3])


@pytest.mark.parametrize("mode", ["int8", "int8_io", "dynamic"])
def test_a_twin_has_the_same_weights_and_nothing_quantized(cnn, mode):
    twin = float_twin(cnn.files[mode])
    if twin is None:
        assert mode == "dynamic"  # layers of this size stay in float
        return
    dtypes = {tensor.dtype for tensor in parse(twin.data)[0].tensors if tensor.quantization}
    assert dtypes == set()
    (exact,) = predict(twin.data, [cnn.x])
    assert np.abs(exact - cnn.outputs).max() < 0.05


@pytest.mark.parametrize("mode", ["float32", "float16"])
def test_a_file_in_floating_point_has_no_twin(cnn, mode):
    assert float_twin(cnn.files[mode]) is None


def compare(cnn, data, mode, reference="float32"):
    inputs = {
        "variant": {"model.tflite": cnn.files[mode]},
        "baseline": {"model.tflite": cnn.files[reference]},
        "data": data,
    }
    return json.loads(activations.stage({}, inputs, ignore_progress)["inspection.json"])


def test_errors_of_activations_are_small_and_there_for_every_operator(cnn, data):
    found = compare(cnn, data, "int8")
    assert found["samples"] == len(cnn.x)
    assert found["quantized"]
    assert found["unavailable"] == {}
    twins = [each["twin"] for each in found["operators"].values()]
    assert all(0 < error < 0.1 for error in twins)
    weighted = [each["baseline"] for each in found["operators"].values() if each["baseline"]]
    assert len(weighted) == 5  # two convolutions, a depthwise one, two dense layers


def test_the_baseline_has_nothing_to_differ_from(cnn, data):
    found = compare(cnn, data, "float32")
    assert not found["quantized"]
    values = {value for each in found["operators"].values() for value in each.values()}
    assert values == {None}


def test_a_recurrent_file_can_be_compared_and_cut(words):
    file = words.files["float32"]
    assert len(profile.computing_operators(file)) >= 3
    for index in profile.computing_operators(file):
        list(run_each(first_operators(file, index + 1), [words.x[:1]]))


def test_times_add_up_to_the_uncut_file():
    said = {
        "cuts": [0, 1, 3],
        "build_ns": [[1e3, 5e3, 25e3], [1e3, 6e3, 26e3], [1e3, 5e3, 25e3]],
        "whole_ns": [[25e3, 25e3], [26e3, 26e3], [25e3, 25e3]],
        "delegate": "XNNPACK",
    }
    found = profile.profile_of(said, [0, 2])
    assert [piece["operators"] for piece in found["pieces"]] == [[0], [2]]
    assert [piece["ms"] for piece in found["pieces"]] == pytest.approx([0.004, 0.020])
    assert found["call_ms"] == pytest.approx(0.001)
    assert found["agreement"] == pytest.approx(1.0)
    assert found["noise_ms"] == 0
    assert all(piece["certain"] for piece in found["pieces"])


def test_what_does_not_rise_above_the_noise_is_not_certain():
    said = {
        "cuts": [0, 1],
        "build_ns": [[1e3, 2e3]] * 4,
        "whole_ns": [[9e3, 7e3], [7e3, 9e3]] * 2,
        "delegate": "none",
    }
    (piece,) = profile.profile_of(said, [0])["pieces"]
    assert not piece["certain"]


@pytest.mark.parametrize("mode", ["float16", "int8"])
def test_every_operator_is_timed_once(cnn, mode):
    file = cnn.files[mode]
    told = []
    inputs = {"variant": {"model.tflite": file}}
    found = json.loads(
        profile.stage(
            {"builds": 2, "rounds": 1}, inputs, lambda fraction, text: told.append(fraction)
        )["inspection.json"]
    )
    timed = [index for piece in found["pieces"] for index in piece["operators"]]
    assert timed == profile.computing_operators(file)
    assert found["whole_ms"] > 0
    assert found["agreement"] > 0
    assert found["delegate"] == "XNNPACK"
    assert told[-1] == 1.0


def test_a_long_model_is_timed_in_groups(cnn):
    file = cnn.files["float32"]
    inputs = {"variant": {"model.tflite": file}}
    params = {"builds": 1, "rounds": 1, "max_seconds": 0.0}
    found = json.loads(profile.stage(params, inputs, ignore_progress)["inspection.json"])
    assert len(found["pieces"]) == 2
    timed = [index for piece in found["pieces"] for index in piece["operators"]]
    assert timed == profile.computing_operators(file)
