"""Keras SavedModels become trainable again; exported ones are converted as they are."""

import io
import json
import zipfile

import numpy as np
import pytest

from optimizer.feasible import objections
from optimizer.measure.interpreter import Ends, predict
from optimizer.models.flat import load_flat
from optimizer.recipe import Recipe
from tests.models import zoo
from tests.models.conftest import import_files
from tests.models.test_every_layer import RECURRENT, difference, models, outputs
from tests.models.test_other_kinds import converted, zipped

QUICK = (zoo.sequential, zoo.nested, zoo.several_ends, zoo.adapted)
EXPORTED = (*QUICK, zoo.conv_2d, zoo.shared, zoo.merges, zoo.operations, zoo.attention, zoo.lstm)
TRAINING = Recipe.parse({"prune": {}, "cluster": {}, "quantize": {"mode": "int8", "aware": True}})


def saved(build, folder):
    import tf_keras

    tf_keras.utils.set_random_seed(0)
    model = zoo.randomize(build(tf_keras))
    model.compile("adam", "mse")
    model.save(folder, save_format="tf")
    return model


@pytest.mark.parametrize("build", models((*zoo.BOTH, *zoo.KERAS_2), QUICK))
def test_a_keras_saved_model_is_rebuilt(build, tmp_path):
    model = saved(build, tmp_path)
    facts, files = import_files(zipped(tmp_path))
    assert facts["kind"] == "keras", facts["notes"]
    assert facts["verification"]["max_relative_difference"] < 1e-4
    flat = load_flat(files["model.keras"])
    xs = zoo.samples(model, 5)
    assert difference(outputs(model, xs), outputs(flat, xs)) < 1e-5
    assert [tuple(w.shape) for w in flat.trainable_weights] == [
        tuple(w.shape) for w in model.trainable_weights
    ]


def test_what_is_rebuilt_can_be_trained(tmp_path):
    saved(zoo.sequential, tmp_path)
    facts, _ = import_files(zipped(tmp_path))
    assert objections(TRAINING, facts, "regression") == []


@pytest.mark.parametrize("build", [zoo.sequential, zoo.nested])
def test_layers_described_in_the_graph_as_before_tensorflow_2_5(build, tmp_path):
    from tensorflow.core.protobuf import saved_model_pb2
    from tf_keras.protobuf import saved_metadata_pb2

    model = saved(build, tmp_path)
    metadata = tmp_path / "keras_metadata.pb"
    graph = tmp_path / "saved_model.pb"
    content = saved_model_pb2.SavedModel.FromString(graph.read_bytes())
    described = saved_metadata_pb2.SavedMetadata.FromString(metadata.read_bytes())
    for node in described.nodes:
        place = content.meta_graphs[0].object_graph_def.nodes[node.node_id]
        place.user_object.metadata = node.metadata
    graph.write_bytes(content.SerializeToString())
    metadata.unlink()
    facts, files = import_files(zipped(tmp_path))
    assert facts["kind"] == "keras"
    assert facts["source_format"] == "Keras 2 SavedModel (.zip)"
    xs = zoo.samples(model, 5)
    assert difference(outputs(model, xs), outputs(load_flat(files["model.keras"]), xs)) < 1e-5


def test_weights_that_are_not_those_of_the_graph_are_not_used(tmp_path):
    """The description says another activation than the graph has: only the graph can be used."""
    model = saved(zoo.sequential, tmp_path)
    data = _with_metadata(zipped(tmp_path), b'"activation": "linear"', b'"activation": "relu6" ')
    facts, files = import_files(data)
    assert facts["kind"] == "saved_model"
    assert any("differ" in note for note in facts["notes"])
    xs = zoo.samples(model, 5)
    actual = predict(converted(files)["model.tflite"], xs)
    assert difference(outputs(model, xs), actual) < 1e-5


def _with_metadata(data, old, new):
    assert len(old) == len(new)  # lengths are written before texts
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "keras_metadata.pb":
                assert old in content
                content = content.replace(old, new)
            target.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("build", models(EXPORTED, [zoo.shared, zoo.several_ends]))
def test_an_exported_keras_3_model_is_converted_but_not_trained(build, tmp_path):
    import keras

    keras.utils.set_random_seed(0)
    model = zoo.randomize(build(keras))
    model.export(tmp_path, verbose=False)
    facts, files = import_files(zipped(tmp_path))
    assert facts["kind"] == "saved_model"
    assert "without its Keras layers" in objections(TRAINING, facts, "regression")[0]
    xs = zoo.samples(model, 5)
    expected = outputs(model, xs)
    for mode, bound in (("none", 1e-5), ("dynamic", 0.05)):
        result = converted(files, mode=mode)
        names = tuple(tensor._keras_history[0].name for tensor in model.inputs)
        given = json.loads(result["conversion.json"])["inputs"]
        assert len(names) == 1 or set(given) == set(names)
        ends = Ends(names) if len(names) > 1 else Ends()
        assert difference(expected, predict(result["model.tflite"], xs, ends)) < bound
    assert facts["has_loops"] is (build in RECURRENT)
    assert np.all([np.isfinite(array).all() for array in expected])
