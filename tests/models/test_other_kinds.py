"""TFLite files and zipped SavedModels: recognized, described, converted as far as possible."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from optimizer.errors import InputError
from optimizer.feasible import objections
from optimizer.measure.interpreter import predict
from optimizer.models.inspect import identify
from optimizer.recipe import Recipe
from optimizer.stage import ignore_progress
from tests.models.conftest import import_files


def converted(files, samples=None, **options):
    from optimizer.data.arrays import Arrays
    from optimizer.techniques.conversion import stage

    quantize = Recipe.parse({"quantize": {"mode": "none", **options}}).model_dump(mode="json")[
        "quantize"
    ]
    params = {"quantize": quantize, "sparse_encoding": False, "seed": 0}
    inputs = {"model": files}
    if samples is not None:
        arrays = Arrays.single(samples, None, samples, None)
        inputs["data"] = {"arrays.npz": arrays.save()}
        params["quantize"]["calibration_samples"] = len(samples)
    return stage(params, inputs, ignore_progress)


def zipped(folder, prefix="", add=()):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(Path(folder).rglob("*")):
            name = prefix + str(path.relative_to(folder))
            archive.write(path, name + "/" * path.is_dir())
        for name, content in add:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((40, 8, 8, 3), np.float32)


@pytest.fixture(scope="module")
def cnn():
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="image"),
            keras.layers.Conv2D(4, 3, name="conv"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax", name="dense"),
        ]
    )
    random = np.random.default_rng(0)
    model.set_weights([w + random.uniform(0, 0.1, w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def exported(cnn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    cnn.export(folder, verbose=False)
    return folder


@pytest.fixture(scope="module")
def keras_2(tmp_path_factory):
    import tf_keras

    layers = tf_keras.layers
    inputs = tf_keras.Input((8, 8, 3), name="image")
    base = tf_keras.Sequential(
        [layers.Conv2D(4, 3, name="conv", input_shape=(8, 8, 3)), layers.BatchNormalization()],
        name="base",
    )
    x = layers.Flatten()(base(layers.Normalization(mean=0.5, variance=0.1)(inputs)))
    model = tf_keras.Model(inputs, layers.Dense(3, activation="hard_sigmoid", name="dense")(x))
    model.compile("adam", "mse")
    random = np.random.default_rng(0)
    model.set_weights([random.random(w.shape) for w in model.get_weights()])
    folder = tmp_path_factory.mktemp("keras_2")
    model.save(folder, save_format="tf")
    return model, folder


def test_a_tflite_file_is_its_own_baseline(cnn, images):
    import tensorflow as tf

    data = tf.lite.TFLiteConverter.from_keras_model(cnn).convert()
    assert identify(data, "x").kind == "tflite"
    facts, files = import_files(data, "model.tflite")
    assert facts["kind"] == "tflite"
    assert facts["inputs"] == [{"name": "image", "shape": [None, 8, 8, 3], "dtype": "float32"}]
    assert facts["outputs"][0]["shape"] == [None, 3]
    assert facts["outputs"][0]["activation"] == "softmax"
    assert [layer["type"] for layer in facts["layers"]] == ["CONV_2D", "FULLY_CONNECTED"]
    assert facts["parameters"] == 3 * 3 * 3 * 4 + 4 + 6 * 6 * 4 * 3 + 3  # BatchNormalization folds
    assert all("cannot be trained" in r for r in facts["layers"][0]["techniques"].values())
    assert converted(files)["model.tflite"] == data
    assert objections(Recipe(), facts, "multiclass") == []
    for recipe in ({"prune": {}}, {"quantize": {"mode": "int8"}}):
        assert "TFLite file" in objections(Recipe.parse(recipe), facts, "multiclass")[0]


def test_a_quantized_tflite_file_takes_real_numbers(exported, images):
    _, files = import_files(zipped(exported))
    made = converted(files, images, mode="int8", io="int8")["model.tflite"]
    facts, _ = import_files(made)
    assert facts["inputs"][0]["dtype"] == facts["outputs"][0]["dtype"] == "float32"
    assert {layer["weights"][0]["name"] for layer in facts["layers"]} == {"int8"}


@pytest.mark.parametrize("cut", [20, 300, 1000])
def test_a_damaged_tflite_file_is_refused(cnn, cut):
    import tensorflow as tf

    data = tf.lite.TFLiteConverter.from_keras_model(cnn).convert()
    with pytest.raises(InputError):
        import_files(data[:cut])


@pytest.mark.parametrize("prefix", ["", "my model/"])
def test_an_exported_saved_model_is_converted_and_quantized(cnn, exported, images, prefix):
    data = zipped(exported, prefix, [("__MACOSX/._saved_model.pb", b"x")])
    assert identify(data, "x").kind == "saved_model"
    facts, files = import_files(data, "model.zip")
    assert facts["kind"] == "saved_model"
    assert facts["inputs"][0]["shape"] == [None, 8, 8, 3]
    assert facts["outputs"][0]["activation"] == "softmax"
    assert facts["verification"]["max_relative_difference"] < 1e-4
    assert set(files) == {"saved_model.zip", "facts.json"}
    expected = cnn.predict(images, verbose=0)
    bounds = {"none": 1e-5, "float16": 1e-2, "dynamic": 0.05, "int8": 0.05, "int16x8": 0.05}
    for mode, bound in bounds.items():
        samples = images if mode.startswith("int") else None
        tflite = converted(files, samples, mode=mode)["model.tflite"]
        assert np.abs(predict(tflite, [images])[0] - expected).max() < bound, mode
        assert objections(Recipe.parse({"quantize": {"mode": mode}}), facts, "multiclass") == []
    for recipe in ({"prune": {}}, {"cluster": {}}, {"quantize": {"aware": True}}):
        assert (
            "without its Keras layers" in objections(Recipe.parse(recipe), facts, "multiclass")[0]
        )


def test_the_kept_saved_model_has_nothing_but_the_signature(exported):
    from tensorflow.core.protobuf import saved_model_pb2

    _, files = import_files(zipped(exported))
    with zipfile.ZipFile(io.BytesIO(files["saved_model.zip"])) as archive:
        kept = saved_model_pb2.SavedModel.FromString(archive.read("saved_model.pb")).meta_graphs[0]
    functions = kept.graph_def.library.function
    used = {node.op for function in functions for node in function.node_def}
    assert not used & {"RestoreV2", "SaveV2", "AssignVariableOp", "StringJoin"}
    assert not kept.saver_def.ByteSize()
    assert {node.op for node in kept.graph_def.node} <= {"Const"}


def test_a_keras_saved_model_is_rebuilt_from_its_layers(keras_2, images):
    from optimizer.models.flat import load_flat

    model, folder = keras_2
    facts, files = import_files(zipped(folder))
    assert facts["kind"] == "keras"
    assert facts["source_format"] == "Keras 2 SavedModel (.zip)"
    assert {"conv", "dense"} <= {layer["name"] for layer in facts["layers"]}
    flat = load_flat(files["model.keras"])
    expected = model.predict(images, verbose=0)
    assert np.allclose(flat.predict(images, verbose=0), expected, atol=1e-5)
    assert objections(Recipe.parse({"prune": {}, "cluster": {}}), facts, "multiclass") == []


def test_keras_layers_that_cannot_be_rebuilt_leave_what_can_be_converted(keras_2, images):
    _, folder = keras_2
    metadata = (
        (folder / "keras_metadata.pb").read_bytes().replace(b'"Normalization"', b'"Normalizatiom"')
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(zipped(folder))) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, metadata if name == "keras_metadata.pb" else old.read(name))
    facts, files = import_files(buffer.getvalue())
    assert facts["kind"] == "saved_model"
    assert any("'Normalizatiom'" in note for note in facts["notes"])
    assert predict(converted(files)["model.tflite"], [images])[0].shape == (40, 3)


def test_a_loop_is_converted_for_one_sample_at_a_time(tmp_path):
    import keras

    inputs = keras.Input((6,), dtype="int32", name="words")
    x = keras.layers.Embedding(20, 8)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.LSTM(5)(x)))
    model.export(tmp_path, verbose=False)
    facts, files = import_files(zipped(tmp_path))
    assert facts["has_loops"]
    words = np.random.default_rng(0).integers(0, 20, (7, 6), "int32")
    expected = model.predict(words, verbose=0)
    for mode, bound in {"none": 1e-5, "dynamic": 0.05}.items():
        tflite = converted(files, mode=mode)["model.tflite"]
        assert np.abs(predict(tflite, [words])[0] - expected).max() < bound
    assert (
        "loop" in objections(Recipe.parse({"quantize": {"mode": "int8"}}), facts, "multiclass")[0]
    )


def test_several_inputs_and_outputs_of_a_saved_model(tmp_path):
    import keras

    a, b = keras.Input((4,), name="zeta"), keras.Input((3,), name="alpha")
    joined = keras.layers.Concatenate()([a, b])
    model = keras.Model([a, b], [keras.layers.Dense(2)(joined), keras.layers.Dense(5)(b)])
    model.export(tmp_path, verbose=False)
    facts, _ = import_files(zipped(tmp_path))
    assert {end["name"]: end["shape"] for end in facts["inputs"]} == {
        "zeta": [None, 4],
        "alpha": [None, 3],
    }
    assert len(facts["outputs"]) == 2


def refused(data):
    with pytest.raises(InputError) as caught:
        import_files(data)
    assert len(str(caught.value)) < 500
    return str(caught.value)


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ("assets/vocabulary.txt", "without assets"),
        ("../evil", "leads out of the folder"),
        ("/etc/evil", "leads out of the folder"),
        ("variables/../../evil", "leads out of the folder"),
        ("code.py", "has not, or has once"),
        ("again/saved_model.pb", "2 files named"),
    ],
)
def test_members_that_a_saved_model_has_not(exported, member, words):
    assert words in refused(zipped(exported, add=[(member, b"x")]))


def test_a_bomb_is_not_unpacked(exported):
    bomb = [("variables/variables.data-00001-of-00002", bytes(50_000_000))]
    assert "would unpack" in refused(zipped(exported, add=bomb))


def test_operations_with_effects_are_refused_by_name(tmp_path):
    """What would read a file, run Python or print, wherever it is in the functions called."""
    import tensorflow as tf

    marker = tmp_path / "written"

    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 2), name="x")])
        def read(self, x):
            def inner():
                tf.io.write_file(str(marker), "x")
                return tf.cast(tf.strings.length(tf.io.read_file("/etc/passwd")), tf.float32) * x

            return tf.cond(tf.reduce_sum(x) > 0, inner, lambda: x)

        @tf.function(input_signature=[tf.TensorSpec((None, 2), name="x")])
        def python(self, x):
            return tf.reshape(tf.py_function(lambda y: y, [x], tf.float32), (-1, 2))

        @tf.function(input_signature=[tf.TensorSpec((None, 2), name="x")])
        def prints(self, x):
            tf.print(x)
            return x

    module = Reader()
    for number, (function, words) in enumerate(
        [(module.read, "File"), (module.python, "PyFunc"), (module.prints, "StringFormat")]
    ):
        folder = tmp_path / str(number)
        tf.saved_model.save(module, folder, {"serving_default": function})
        assert words in refused(zipped(folder)) or "PrintV2" in refused(zipped(folder))
    assert not marker.exists()


def test_tables_and_their_files_are_refused(tmp_path):
    import tensorflow as tf

    class Lookup(tf.Module):
        def __init__(self):
            super().__init__()
            initializer = tf.lookup.KeyValueTensorInitializer([1, 2], [3.0, 4.0], tf.int64)
            self.table = tf.lookup.StaticHashTable(initializer, 0.0)

        @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.int64, name="x")])
        def __call__(self, x):
            return self.table.lookup(x)

    module = Lookup()
    tf.saved_model.save(module, tmp_path, {"serving_default": module.__call__})
    assert "LookupTableFindV2" in refused(zipped(tmp_path)) or "table" in refused(zipped(tmp_path))


def test_a_saved_model_without_a_signature_or_with_a_broken_graph(exported, tmp_path):
    import tensorflow as tf

    tf.saved_model.save(tf.Module(), tmp_path)
    assert "no signature" in refused(zipped(tmp_path))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("saved_model.pb", b"\xff\xff nonsense")
    assert "damaged" in refused(buffer.getvalue())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("saved_model.pb", (exported / "saved_model.pb").read_bytes())
    assert "cannot read" in refused(buffer.getvalue())
