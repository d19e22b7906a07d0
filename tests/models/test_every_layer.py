"""Every kind of layer and graph, saved by either Keras: imported, converted, and the same."""

import functools
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from optimizer.data.arrays import Arrays
from optimizer.errors import StageError
from optimizer.measure.interpreter import Ends, predict
from optimizer.models.flat import save_flat
from tests.models import zoo
from tests.models.conftest import import_model, saved
from tests.techniques.steps import convert

RECURRENT = (
    zoo.lstm,
    zoo.gru,
    zoo.simple_rnn,
    zoo.encoder_decoder,
    zoo.masked_words,
    zoo.masked_series,
)
"""Seconds each, as loops are traced again and again."""

ONLY_FLOAT = (zoo.conv_lstm, zoo.conv_lstm_1d, zoo.conv_lstm_3d)
"""Loops that full-integer quantization does not cover."""


def models(builders, quick=None):
    """Builders as parameters; those that take long, or are not among ``quick``, run when asked."""
    return [
        pytest.param(
            build,
            id=build.__name__,
            marks=[pytest.mark.slow] if build not in (quick or builders) else [],
        )
        for build in builders
    ]


def outputs(model, xs):
    """What a model of either Keras answers; called eagerly, which spares loops being traced."""
    result = model(xs if len(xs) > 1 else xs[0], training=False)
    return [np.asarray(x) for x in (result if isinstance(result, list) else [result])]


def difference(expected, actual):
    """Largest difference at any output, relative to the output's largest value."""
    pairs = list(zip(expected, actual, strict=True))
    assert [one.shape for one, _ in pairs] == [other.shape for _, other in pairs]
    return max(float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-6)) for a, b in pairs)


def brought(library, build, name):
    """A model of the zoo and the flat model that its file becomes."""
    library.utils.set_random_seed(0)
    model = zoo.randomize(build(library))
    with tempfile.TemporaryDirectory() as folder:
        data = saved(model, Path(folder), name)
    facts, flat = import_model(data, name)
    assert facts["verification"]["max_relative_difference"] < 1e-4
    assert not any(hasattr(layer, "layers") for layer in flat.layers)
    return model, flat


@functools.cache
def from_keras_3(build):
    import keras

    model, flat = brought(keras, build, "model.keras")
    xs = zoo.samples(flat, 40)
    return save_flat(flat), xs, outputs(model, xs), outputs(flat, xs)


@pytest.mark.parametrize("build", models((*zoo.BOTH, *zoo.KERAS_3)))
def test_a_keras_3_file(build):
    _, _, expected, actual = from_keras_3(build)
    assert difference(expected, actual) < 1e-5


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.parametrize("build", models((*zoo.BOTH, *zoo.KERAS_2)))
def test_a_keras_2_file(build, name):
    import tf_keras

    model, flat = brought(tf_keras, build, name)
    xs = zoo.samples(flat, 6)
    assert difference(outputs(model, xs), outputs(flat, xs)) < 1e-5


def run(build, mode):
    """How far a converted model is from the original, and what the conversion noted."""
    file, xs, expected, _ = from_keras_3(build)
    ends = {"input_names": tuple(f"x{i}" for i in range(len(xs))), "target_names": ()}
    data = {"arrays.npz": Arrays(tuple(xs), (), tuple(xs), (), **ends).save()}
    converted = convert({"model.keras": file}, data, mode=mode)
    facts = json.loads(converted["conversion.json"])
    order = Ends(tuple(facts["inputs"]), tuple(facts["outputs"]))
    actual = predict(converted["model.tflite"], xs, order)
    return difference(expected, actual), facts["notes"]


@pytest.mark.parametrize("build", models((*zoo.BOTH, *zoo.KERAS_3)))
def test_float32(build):
    assert run(build, "none")[0] < 1e-5


@pytest.mark.parametrize("build", models((*zoo.BOTH, *zoo.KERAS_3)))
def test_dynamic_range(build):
    assert run(build, "dynamic")[0] < 0.05


@pytest.mark.parametrize(
    "build", models([b for b in (*zoo.BOTH, *zoo.KERAS_3) if b not in ONLY_FLOAT])
)
def test_int8(build):
    off, notes = run(build, "int8")
    assert off < 0.1
    assert notes == []


@pytest.mark.parametrize("build", models(ONLY_FLOAT, [zoo.conv_lstm]))
def test_what_int8_does_not_cover_is_refused_by_name(build):
    with pytest.raises(StageError, match=r"loop \(conv_lstm.*Choose float16 or dynamic range"):
        run(build, "int8")
