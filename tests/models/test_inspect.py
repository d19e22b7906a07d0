"""Every refusal has its sentence, and nothing of a refused file runs."""

import base64
import json
import marshal
import subprocess
import sys

import h5py
import numpy as np
import pytest

from optimizer import samples
from optimizer.errors import InputError
from optimizer.models.inspect import identify, inspect_upload
from tests.models.conftest import config_of, dense, hdf5, repacked, sequential


def refusal(data, name="model.keras"):
    with pytest.raises(InputError) as caught:
        inspect_upload(data, name)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 500
    return text


def changed(config, kind, **options):
    """The configuration with the first layer of a kind changed."""
    layer = next(item for item in config["config"]["layers"] if item["class_name"] == kind)
    layer["config"].update(options)
    return config


@pytest.mark.parametrize("name", list(samples.MODELS))
def test_samples_are_accepted(name):
    data = samples.load_sample_model(name)
    found = inspect_upload(data, "any name at all").file
    assert found.size_bytes == len(data)
    assert found.keras == (2 if name == "cancer_mlp" else 3)
    assert identify(data, "x").format == found.format


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty (0 bytes)"),
        (b"hello, this is text", "not a Keras model"),
        (b"PK\x05\x06" + bytes(18), "empty or damaged zip"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "damaged or cut short"),
        (b"\x80\x04\x95pickled", "not a Keras model"),
    ],
)
def test_what_is_not_a_model(data, words):
    assert words in refusal(data)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("name", ["digits_cnn", "cancer_mlp"])
def test_truncated_files(name, share):
    data = samples.load_sample_model(name)
    assert "damaged" in refusal(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"add": [("../../evil", b"x")]}, "../../evil"),
        ({"add": [("/etc/cron.d/x", b"x")]}, "/etc/cron.d/x"),
        ({"add": [("assets/vocabulary.txt", b"x")]}, "assets/vocabulary.txt"),
        ({"add": [("saved_model.pb", b"x")]}, "SavedModel"),
        ({"drop": ["config.json"]}, "no config.json"),
        ({"drop": ["model.weights.h5"]}, "no weights"),
        ({"drop": ["model.weights.h5"], "add": [("x", b"0" * 10)]}, "'x'"),
        ({"metadata": {"keras_version": "1.2"}}, "'1.2'"),
        ({"metadata": []}, "None"),
    ],
)
def test_archives_with_other_members(digits_cnn, change, words):
    assert words in refusal(repacked(digits_cnn, **change))


def test_a_zip_bomb_is_refused_before_it_unpacks(digits_cnn):
    bomb = repacked(digits_cnn, drop=["model.weights.h5"])
    import io
    import zipfile

    buffer = io.BytesIO(bomb)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(400 * 2**20))
    assert "would unpack" in refusal(buffer.getvalue())


def lambda_layer(marker):
    code = compile(f"open({str(marker)!r}, 'w').close()", "x", "exec")
    encoded = base64.b64encode(marshal.dumps(code)).decode()
    return {
        "class_name": "Lambda",
        "config": {"name": "l", "function": [encoded, None, None], "batch_input_shape": [None, 4]},
    }


def test_lambda_layers_are_refused_and_never_run(tmp_path, digits_cnn):
    from tests.models.conftest import import_model

    marker = tmp_path / "marker"
    legacy = hdf5(sequential(lambda_layer(marker), dense()))
    config = config_of(digits_cnn)
    config["config"]["layers"].insert(1, lambda_layer(marker))
    for data in (legacy, repacked(digits_cnn, config=config)):
        assert "Lambda" in refusal(data)
        with pytest.raises(InputError, match="Lambda"):
            import_model(data, "renamed.keras")
    assert not marker.exists()


def function(module, name):
    return {"class_name": "function", "module": module, "config": name}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"activation": "os.system"}, "'os.system'"),
        (
            {"activation": {"class_name": "function", "module": "os", "config": "system"}},
            "os.function",
        ),
        (
            {"activation": {"class_name": "function", "module": "builtins", "config": "eval"}},
            "'eval'",
        ),
        ({"activation": {"class_name": "__lambda__", "config": {}}}, "Lambda"),
        ({"units": 2**40}, "1.1e+12"),
        ({"units": 1_000_000}, "units=1000000"),
        ({"vocabulary": "/etc/passwd"}, "read a file"),
        ({"dtype": "float7"}, "'float7'"),
        (
            {"dtype": {"module": "keras", "class_name": "QuantizedDTypePolicy", "config": {}}},
            "quantized in Keras already",
        ),
    ],
)
def test_options_of_layers(digits_cnn, options, words):
    config = changed(config_of(digits_cnn), "Dense", **options)
    assert words in refusal(repacked(digits_cnn, config=config))


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"class_name": "MyLayer", "config": {}}, "'MyLayer'"),
        ({"class_name": "Dense", "module": "evil.code", "config": {}}, "evil.code.Dense"),
        ({"class_name": "Dense", "registered_name": "Pack>Dense", "config": {}}, "Pack>Dense"),
        ({"class_name": "StringLookup", "config": {}}, "StringLookup"),
        ({"class_name": "TFOpLambda", "config": {"function": "io.gfile.makedirs"}}, "io.gfile"),
        ({"class_name": "Custom", "module": "keras.layers", "config": {}}, "'Custom'"),
    ],
)
def test_layers_that_are_not_built_in(node, words):
    assert words in refusal(hdf5(sequential(dense(), node)))


def test_compile_settings_are_dropped_also_in_nested_models(digits_cnn):
    config = config_of(digits_cnn)
    config["compile_config"] = {"loss": {"class_name": "Evil", "module": "evil"}}
    config["config"]["layers"].append({**json.loads(json.dumps(config)), "name": "nested"})
    assert "compile_config" not in json.dumps(
        inspect_upload(repacked(digits_cnn, config=config), "x").config
    )


def test_a_subclassed_model_is_refused():
    assert "subclassed" in refusal(hdf5({"class_name": "Mine", "config": {}}))


def test_weights_without_architecture_are_refused_with_advice():
    assert "model.save('model.keras')" in refusal(hdf5(None))


def test_a_sequential_model_without_an_input_shape():
    layer = dense()
    del layer["config"]["batch_input_shape"]
    assert "what shape it takes" in refusal(hdf5(sequential(layer)))


def test_a_cyclic_graph_is_refused():
    def node(name, source):
        return {**dense(name=name), "name": name, "inbound_nodes": [[[source, 0, 0, {}]]]}

    config = {
        "class_name": "Functional",
        "config": {"name": "m", "layers": [node("a", "b"), node("b", "a")]},
    }
    assert "in a circle (" in refusal(hdf5(config))


def test_configurations_too_deep_or_not_json(digits_cnn):
    deep = {}
    for _ in range(100):
        deep = {"a": deep}
    config = changed(config_of(digits_cnn), "Dense", extra=deep)
    assert "nested too deeply" in refusal(repacked(digits_cnn, config=config))
    data = repacked(digits_cnn, drop=["config.json"], add=[("config.json", b"{nope")])
    assert "no config.json" in refusal(data) or "not valid JSON" in refusal(data)


def external(file):
    file.create_dataset("model_weights/x", (4,), "float32", external=[("/etc/passwd", 0, 16)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "float32")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (4,))
    file["model_weights"].create_virtual_dataset("x", layout)


def external_link(file):
    file["model_weights/x"] = h5py.ExternalLink("/etc/other.h5", "/x")


def soft_link(file):
    file["model_weights/x"] = h5py.SoftLink("/nowhere")


def objects(file):
    file["model_weights"].create_dataset("x", data=np.array(["a"], dtype=h5py.string_dtype()))


def huge(file):
    file["model_weights"].create_dataset("x", (2**20, 2**20), "float32", chunks=(1024, 1024))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (external, "outside the HDF5 file"),
        (virtual, "outside the HDF5 file"),
        (external_link, "an external link at 'x'"),
        (soft_link, "a soft link at 'x'"),
        (objects, "dtype"),
        (huge, "the limit"),
    ],
)
def test_weights_that_are_not_plain_data_in_the_file(change, words):
    assert words in refusal(hdf5(sequential(dense()), change))


def test_config_style_and_version_must_agree(digits_cnn):
    config = sequential(dense())
    assert "another version" in refusal(repacked(digits_cnn, config=config))


def test_inspection_imports_no_keras():
    code = (
        "import sys; from optimizer.models.inspect import inspect_upload; "
        "from optimizer import samples; "
        "inspect_upload(samples.load_sample_model('digits_cnn'), 'x');"
        "assert not {'tensorflow', 'keras', 'tf_keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_lists_name_whatever_can_be_converted():
    from optimizer.models import allowed, layers, recurrent

    assert layers.SAME | layers.IDENTITY | recurrent.CELLS <= allowed.LAYERS
    assert set(layers.CONVERTERS) <= allowed.LAYERS
    assert set(layers.SAME_ACTIVATIONS) <= allowed.ACTIVATIONS


def keras2_node(name, source, number=0, **layer):
    return {**dense(name=name), **layer, "name": name, "inbound_nodes": [[[source, number, 0, {}]]]}


def functional(*layers):
    return {"class_name": "Functional", "config": {"name": "m", "layers": list(layers)}}


INPUT = {
    "class_name": "InputLayer",
    "name": "i",
    "config": {"name": "i", "batch_input_shape": [None, 4], "dtype": "float32"},
    "inbound_nodes": [],
}


def test_a_circle_through_a_nested_model_is_refused():
    """Keras 2 counts a nested model's calls from 1; its loader waits for such a circle for ever."""
    inner = {"name": "n", "layers": [INPUT, dense(name="d")]}
    nested = keras2_node("n", "a", class_name="Sequential", config=inner)
    assert "in a circle (" in refusal(hdf5(functional(INPUT, nested, keras2_node("a", "n", 1))))


@pytest.mark.parametrize(("source", "number"), [("nowhere", 0), ("b", 7), ("b", -1)])
def test_calls_that_refer_to_nothing_are_refused(source, number):
    layers = (INPUT, keras2_node("b", "i"), keras2_node("a", source, number))
    assert "which the model has not" in refusal(hdf5(functional(*layers)))


@pytest.mark.parametrize("version", ["3.4.0", "2.15.0"])
def test_config_style_and_version_must_agree_in_hdf5_too(version):
    """Keras 3 opens Keras 2's notation, and computes hard_sigmoid otherwise without a word."""
    config = sequential(dense(activation="hard_sigmoid"))
    if version.startswith("2"):
        config["config"]["layers"] = [
            {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 4]}}
        ]
    assert "another version" in refusal(hdf5(config, version=version))


def call(*arguments):
    return {**dense(name="a"), "name": "a", "inbound_nodes": [{"args": list(arguments)}]}


@pytest.mark.parametrize(
    "config",
    [
        sequential(dense(extra={"class_name": ["Dense"]})),
        sequential(dense(extra={"class_name": {"a": 1}})),
        sequential(dense(activation={"class_name": "function", "config": {"a": 1}})),
        sequential(dense(function=["code"])),
        sequential(dense(extra={"class_name": "Dense", "registered_name": ["x"]})),
        {"class_name": ["Sequential"], "config": {}},
        {"class_name": "Sequential", "config": {}, "build_config": "x"},
        {"class_name": "Sequential", "config": {"layers": "abc"}},
        {"class_name": "Sequential", "config": None},
        functional(INPUT, {**dense(name="a"), "inbound_nodes": "abc"}),
        functional(INPUT, call({"config": {"keras_history": ["i", "x", 0]}})),
        functional(INPUT, INPUT),
    ],
    ids=str,
)
def test_configurations_of_the_wrong_types_are_refused_in_words(config):
    assert refusal(hdf5(config))
