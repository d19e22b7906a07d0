"""Every kind of layer and graph, saved by either Keras: imported, converted, and the same.

All of the zoo runs with ``-m "slow or not slow"``; by default what is quick, or at risk.
"""

import functools
import json

import numpy as np
import pytest

from optimizer.data.arrays import Arrays
from optimizer.errors import StageError
from optimizer.measure.interpreter import Ends, predict
from optimizer.models import allowed
from optimizer.models.flat import load_flat
from tests.models import zoo
from tests.models.conftest import import_files, saved
from tests.techniques.steps import convert

IN_KERAS_3 = (*zoo.BOTH, *zoo.KERAS_3)
IN_KERAS_2 = (*zoo.BOTH, *zoo.KERAS_2)
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

OF_OLD_FORMAT = (zoo.conv_2d, zoo.adapted, zoo.nested, zoo.shared, zoo.several_ends, zoo.functions)
FLOAT = (zoo.conv_lstm, zoo.time_distributed_model, zoo.any_size, zoo.masked_series)
DYNAMIC = (zoo.conv_2d, zoo.dense, zoo.embedding)
INT8 = (
    zoo.conv_1d,
    zoo.conv_2d,
    zoo.conv_3d,
    zoo.dense,
    zoo.einsum,
    zoo.activations,
    zoo.merges,
    zoo.shared,
    zoo.several_ends,
    zoo.embedding,
    zoo.lstm,
    zoo.encoder_decoder,
    zoo.cross_attention,
    zoo.operations,
)


def models(builders, quick=None):
    """Builders as parameters; those that are not among ``quick`` run when asked."""
    return [
        pytest.param(
            build,
            id=build.__name__,
            marks=[] if quick is None or build in quick else [pytest.mark.slow],
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


def brought(library, build, path):
    """A model of the zoo, and the file of the flat model that its own file becomes."""
    library.utils.set_random_seed(0)
    model = zoo.randomize(build(library))
    facts, files = import_files(saved(model, path.parent, path.name), path.name)
    assert facts["verification"]["max_relative_difference"] < 1e-4
    flat = load_flat(files["model.keras"])
    assert not any(hasattr(layer, "layers") for layer in flat.layers)
    xs = zoo.samples(flat, 40)
    expected = outputs(model, xs)
    assert difference(expected, outputs(flat, xs)) < 1e-5
    return files["model.keras"], xs, expected


@pytest.fixture(scope="module")
def from_keras_3(tmp_path_factory):
    import keras

    path = tmp_path_factory.mktemp("keras_3") / "model.keras"
    return functools.cache(lambda build: brought(keras, build, path))


@pytest.mark.parametrize("build", models(IN_KERAS_3))
def test_a_keras_3_file(from_keras_3, build):
    from_keras_3(build)


@pytest.mark.parametrize("build", models(IN_KERAS_2, [b for b in IN_KERAS_2 if b not in RECURRENT]))
def test_a_keras_2_file(build, tmp_path):
    import tf_keras

    brought(tf_keras, build, tmp_path / "model.keras")


@pytest.mark.parametrize("build", models(IN_KERAS_2, OF_OLD_FORMAT))
def test_a_keras_2_hdf5_file(build, tmp_path):
    import tf_keras

    brought(tf_keras, build, tmp_path / "model.h5")


def test_every_layer_that_is_allowed_is_in_the_zoo():
    import keras
    import tf_keras

    in_keras_3 = {kind for build in IN_KERAS_3 for kind in kinds(build(keras))}
    in_keras_2 = {kind for build in zoo.KERAS_2 for kind in kinds(build(tf_keras))}
    assert {name for name in allowed.LAYERS if hasattr(keras.layers, name)} <= in_keras_3
    of_old_files = {"BatchNormalizationV1"}  # which test_old_files.py has
    assert in_keras_3 | in_keras_2 | of_old_files >= allowed.LAYERS


def kinds(model):
    """Names of the types of the layers in a model, and of the cells in them."""
    layers = list(model._flatten_layers())
    cells = [getattr(layer, "cell", None) for layer in layers]
    cells += [inner for cell in cells for inner in getattr(cell, "cells", ())]
    return {type(layer).__name__ for layer in (*layers, *cells)}


def run(built, mode):
    """How far a converted model is from the original, and what the conversion noted."""
    file, xs, expected = built
    ends = {"input_names": tuple(f"x{i}" for i in range(len(xs))), "target_names": ()}
    data = {"arrays.npz": Arrays(tuple(xs), (), tuple(xs), (), **ends).save()}
    converted = convert({"model.keras": file}, data, mode=mode)
    facts = json.loads(converted["conversion.json"])
    order = Ends(tuple(facts["inputs"]), tuple(facts["outputs"]))
    actual = predict(converted["model.tflite"], xs, order)
    return difference(expected, actual), facts["notes"]


@pytest.mark.parametrize("build", models(IN_KERAS_3, FLOAT))
def test_float32(from_keras_3, build):
    assert run(from_keras_3(build), "none")[0] < 1e-5


@pytest.mark.parametrize("build", models(IN_KERAS_3, DYNAMIC))
def test_dynamic_range(from_keras_3, build):
    assert run(from_keras_3(build), "dynamic")[0] < 0.05


@pytest.mark.parametrize("build", models([b for b in IN_KERAS_3 if b not in ONLY_FLOAT], INT8))
def test_int8(from_keras_3, build):
    off, notes = run(from_keras_3(build), "int8")
    assert off < (0.15 if build in RECURRENT else 0.1)  # a loop adds up what it rounds
    assert notes == []


@pytest.mark.parametrize("build", models(ONLY_FLOAT, [zoo.conv_lstm]))
def test_what_int8_does_not_cover_is_refused_by_name(from_keras_3, build):
    with pytest.raises(StageError, match=r"loop \(conv_lstm.*Choose float16 or dynamic range"):
        run(from_keras_3(build), "int8")
