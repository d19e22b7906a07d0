"""Running files on arrays: quantized ends, batching, and agreement with Keras."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.errors import InputError, StageError
from optimizer.measure.interpreter import Ends, dequantize, predict, quantize, signature_names
from tests.measure.conftest import MODES

INT8 = {"dtype": np.int8, "quantization": (0.5, 10)}


def one(tflite, x, **options):
    """The only output for samples of the only input."""
    (outputs,) = predict(tflite, [x], **options)
    return outputs


def test_quantizing_rounds_and_clips():
    values = np.array([0.0, 0.24, 0.26, -0.3, 1000.0, -1000.0])

    assert quantize(values, INT8).tolist() == [10, 10, 11, 9, 127, -128]


def test_dequantizing_inverts_quantizing_on_the_grid():
    values = np.array([-3.5, 0.0, 2.0])

    assert dequantize(quantize(values, INT8), INT8).tolist() == values.tolist()


def test_floats_and_unquantized_integers_only_change_dtype():
    assert quantize(np.array([3.0]), {"dtype": np.int32, "quantization": (0.0, 0)}).tolist() == [3]
    stored = quantize(np.array([0.7]), {"dtype": np.float32, "quantization": (0.0, 0)})
    assert stored.dtype == np.float32


@pytest.mark.parametrize(("mode", "tolerance"), [("float32", 1e-5), ("float16", 5e-3)])
def test_outputs_are_those_of_keras(cnn, mode, tolerance):
    assert np.abs(one(cnn.files[mode], cnn.x) - cnn.outputs).max() < tolerance


@pytest.mark.parametrize("mode", ["int8", "int8_io"])
def test_quantized_outputs_come_back_as_probabilities(cnn, mode):
    outputs = one(cnn.files[mode], cnn.x)

    assert outputs.dtype == np.float32
    assert np.abs(outputs.sum(axis=1) - 1).max() < 0.02
    assert np.mean(outputs.argmax(axis=1) == cnn.outputs.argmax(axis=1)) > 0.8


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("batch_size", [7, 16, 40, None])
def test_batches_give_what_one_by_one_gives(cnn, mode, batch_size):
    one_by_one = one(cnn.files[mode], cnn.x, batch_size=1)

    assert np.allclose(one(cnn.files[mode], cnn.x, batch_size=batch_size), one_by_one, atol=1e-6)


def test_an_lstm_forgets_one_sample_before_the_next(words):
    file = words.files["float32"]
    expected = np.concatenate([words.keras_model(sample[None]).numpy() for sample in words.x])

    outputs = one(file, words.x)

    assert np.abs(outputs - expected).max() < 1e-5
    assert np.array_equal(one(file, words.x[::-1])[::-1], outputs)


def test_progress_ends_with_all_samples(cnn):
    seen = []

    one(cnn.files["float32"], cnn.x, batch_size=16, on_batch=lambda *n: seen.append(n))

    assert seen == [(16, 40), (32, 40), (40, 40)]


def test_samples_of_another_shape_are_refused_with_both_shapes(cnn):
    with pytest.raises(InputError, match=r"\(8, 8, 1\).*\(8, 8, 2\)"):
        one(cnn.files["float32"], cnn.x[..., :1])


def test_several_outputs_come_in_the_order_that_was_asked_for(two_outputs_tflite):
    names = signature_names(two_outputs_tflite)[1]
    x = [np.zeros((3, 4))]

    shapes = {
        order: [part.shape[1] for part in predict(two_outputs_tflite, x, Ends((), order))]
        for order in (tuple(names), tuple(reversed(names)))
    }

    assert sorted(shapes[tuple(names)]) == [2, 3]
    assert shapes[tuple(names)] == shapes[tuple(reversed(names))][::-1]


def test_another_number_of_inputs_is_refused(two_outputs_tflite):
    with pytest.raises(InputError, match="takes 1 inputs; the data have 2"):
        predict(two_outputs_tflite, [np.zeros((3, 4))] * 2)


def test_a_file_the_runtime_cannot_load_ends_in_one_sentence():
    with pytest.raises(StageError, match="cannot load"):
        one(b"\x18\0\0\0TFL3" + b"\0" * 64, np.zeros((3, 4)))
