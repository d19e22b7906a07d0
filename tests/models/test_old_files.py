"""HDF5 files as Keras 2 of several ages wrote them, by hand: import to what their weights mean."""

import io
import json

import h5py
import numpy as np
import pytest

from optimizer.errors import InputError
from tests.models.conftest import import_model
from tests.models.test_every_layer import difference, outputs

UNIFORM = {
    "class_name": "VarianceScaling",
    "config": {"distribution": "uniform", "mode": "fan_avg", "scale": 1.0, "seed": None},
}
ZEROS = {"class_name": "Zeros", "config": {}}


def weights_of(model):
    return {layer.name: [np.asarray(w) for w in layer.weights] for layer in model.layers}


def hdf5(config, weights, version, leaves=None, whole=True):
    """A file whose groups and attributes are those of Keras 2's ``model.save``.

    ``whole=False`` is ``model.save_weights``: no configuration, and the layers at the top.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        top = file.create_group("model_weights") if whole else file
        if whole:
            file.attrs["model_config"] = json.dumps(config).encode()
        for place in (file, top):
            place.attrs["keras_version"] = version.encode()
            place.attrs["backend"] = b"tensorflow"
        top.attrs["layer_names"] = [name.encode() for name in weights]
        for name, arrays in weights.items():
            group = top.create_group(name)
            paths = [f"{name}/weight_{number}:0" for number in range(len(arrays))]
            group.attrs["weight_names"] = [path.encode() for path in paths]
            for path, array in zip(paths, arrays, strict=True):
                group[path] = array
    return buffer.getvalue()


def layer(kind, name, *sources, **options):
    nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
    always = {"name": name} if kind == "InputLayer" else {"name": name, "trainable": True}
    config = {**always, **options}
    return {"name": name, "class_name": kind, "config": config, "inbound_nodes": nodes}


def graph(layers, inputs, outputs, kind="Model"):
    ends = {
        "input_layers": [[name, 0, 0] for name in inputs],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    return {"class_name": kind, "config": {"name": "model_1", "layers": layers, **ends}}


def conv(name, filters, *sources, **options):
    return layer(
        "Conv2D",
        name,
        *sources,
        **{
            "filters": filters,
            "kernel_size": [3, 3],
            "strides": [1, 1],
            "padding": "valid",
            "data_format": "channels_last",
            "dilation_rate": [1, 1],
            "activation": "linear",
            "use_bias": True,
            "kernel_initializer": UNIFORM,
            "bias_initializer": ZEROS,
            "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01}},
            "bias_regularizer": None,
            "activity_regularizer": None,
            "kernel_constraint": None,
            "bias_constraint": None,
            **options,
        },
    )


def norm(kind, name, *sources, axis, **options):
    return layer(
        kind,
        name,
        *sources,
        axis=axis,
        momentum=0.99,
        epsilon=0.001,
        center=True,
        scale=True,
        beta_initializer=ZEROS,
        moving_variance_initializer={"class_name": "Ones", "config": {}},
        **options,
    )


def dense(name, units, *sources, **options):
    options = {"activation": "softmax", "use_bias": True, **options}
    return layer("Dense", name, *sources, units=units, kernel_initializer=UNIFORM, **options)


def cnn():
    """What the files describe, built with the Keras of today."""
    from tf_keras import Input, Model, layers

    from tests.models.zoo import randomize

    inputs = Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(inputs)
    x = layers.LeakyReLU(0.3, name="leaky")(layers.BatchNormalization(name="norm")(x))
    x = layers.ReLU(6.0, name="relu")(layers.DepthwiseConv2D(3, name="depthwise")(x))
    x = layers.Flatten(name="flat")(x)
    return randomize(Model(inputs, layers.Dense(3, activation="softmax", name="dense")(x)))


def keras_2_0():
    """Keras 2.0.9 of 2017: numbers as arrays, relu6 by name, no dtypes."""
    return graph(
        [
            layer("InputLayer", "in", batch_input_shape=[None, 8, 8, 3], sparse=False),
            conv("conv", 4, "in"),
            norm("BatchNormalization", "norm", "conv", axis=-1),
            layer("LeakyReLU", "leaky", "norm", alpha={"type": "ndarray", "value": 0.3}),
            layer("DepthwiseConv2D", "depthwise", "leaky", kernel_size=[3, 3], depth_multiplier=1),
            layer("Activation", "relu", "depthwise", activation="relu6"),
            layer("Flatten", "flat", "relu"),
            dense("dense", 3, "flat"),
        ],
        ["in"],
        ["dense"],
    )


def tensorflow_1_14():
    """tf.keras 2.2.4-tf: dtypes, lists of axes, BatchNormalizationV1."""
    f32 = {"dtype": "float32"}
    return graph(
        [
            layer("InputLayer", "in", batch_input_shape=[None, 8, 8, 3], sparse=False, **f32),
            conv("conv", 4, "in", **f32),
            norm("BatchNormalizationV1", "norm", "conv", axis=[3], **f32),
            layer("LeakyReLU", "leaky", "norm", alpha=0.3, **f32),
            layer("DepthwiseConv2D", "depthwise", "leaky", kernel_size=[3, 3], **f32),
            layer("ReLU", "relu", "depthwise", max_value=6.0, negative_slope=0.0, threshold=0.0),
            layer("Flatten", "flat", "relu", data_format="channels_last", **f32),
            dense("dense", 3, "flat", **f32),
        ],
        ["in"],
        ["dense"],
    )


def tensorflow_2_4():
    """tf.keras 2.4.0: ``Functional``, policies as objects, ``ragged`` and ``groups``."""
    config = tensorflow_1_14()
    config["class_name"] = "Functional"
    for item in config["config"]["layers"]:
        item["config"]["dtype"] = "float32"
        if item["class_name"] == "BatchNormalizationV1":
            item["class_name"] = "BatchNormalization"
            item["config"]["dtype"] = {"class_name": "Policy", "config": {"name": "float32"}}
        if item["class_name"] == "Conv2D":
            item["config"]["groups"] = 1
        if item["class_name"] == "InputLayer":
            item["config"]["ragged"] = False
    return config


def tensorflow_2_9():
    """tf.keras 2.9.0: initializers that are shared objects, axes as a tuple written as list."""
    config = tensorflow_2_4()
    shared = {"class_name": "GlorotUniform", "config": {"seed": None}, "shared_object_id": 1}
    for number, item in enumerate(config["config"]["layers"]):
        item["shared_object_id"] = number + 10
        if "kernel_initializer" in item["config"]:
            item["config"]["kernel_initializer"] = shared
    return config


AGES = {
    "2.0.9": keras_2_0,
    "2.2.4-tf": tensorflow_1_14,
    "2.4.0": tensorflow_2_4,
    "2.9.0": tensorflow_2_9,
}


@pytest.mark.parametrize("version", list(AGES))
def test_a_network_of_images(version):
    model = cnn()
    facts, flat = import_model(hdf5(AGES[version](), weights_of(model), version), "model.h5")
    assert facts["source_format"] == "Keras 2 HDF5 (.h5)"
    x = np.random.default_rng(0).random((5, 8, 8, 3), np.float32)
    assert difference(outputs(model, [x]), outputs(flat, [x])) < 1e-5


@pytest.mark.parametrize("version", ["2.1.6", "2.2.4"])
def test_a_sequential_model_that_is_a_list_of_layers(version):
    from tf_keras import Sequential, layers

    model = Sequential(
        [
            layers.Dense(5, activation="relu", name="a", input_shape=(4,)),
            layers.BatchNormalization(name="b"),
            layers.Dense(2, activation="hard_sigmoid", name="c"),
        ]
    )
    listed = [
        dense("a", 5, activation="relu", batch_input_shape=[None, 4], dtype="float32"),
        norm("BatchNormalization", "b", axis=-1),
        layer("Dropout", "drop", rate=0.5, noise_shape=None, seed=None),
        dense("c", 2, activation="hard_sigmoid"),
    ]
    listed = [{key: item[key] for key in ("class_name", "config")} for item in listed]
    config = {"class_name": "Sequential", "config": listed}
    weights = weights_of(model) | {"drop": []}
    ordered = {name: weights[name] for name in ("a", "b", "drop", "c")}
    _, flat = import_model(hdf5(config, ordered, version), "model.h5")
    x = np.random.default_rng(0).standard_normal((5, 4)).astype("float32") * 4
    assert difference(outputs(model, [x]), outputs(flat, [x])) < 1e-5


def test_a_nested_shared_model_of_several_inputs():
    from tf_keras import Input, Model, Sequential, layers

    tower = Sequential([layers.Dense(3, name="t", input_shape=(4,))], name="tower")
    a, b = Input((4,), name="a"), Input((4,), name="b")
    joined = layers.concatenate([tower(a), tower(b)], name="joined")
    model = Model([a, b], [layers.Dense(2, activation="tanh", name="y")(joined), tower(a)])
    inner = dense("t", 3, activation="linear", batch_input_shape=[None, 4])
    nested = {"class_name": "Sequential", "name": "tower"}
    nested["config"] = [{key: inner[key] for key in ("class_name", "config")}]
    nested["inbound_nodes"] = [[["a", 0, 0, {}]], [["b", 0, 0, {}]]]
    config = graph(
        [
            layer("InputLayer", "a", batch_input_shape=[None, 4], dtype="float32", sparse=False),
            layer("InputLayer", "b", batch_input_shape=[None, 4], dtype="float32", sparse=False),
            nested,
            layer("Concatenate", "joined", axis=-1),
            dense("y", 2, "joined", activation="tanh"),
        ],
        ["a", "b"],
        ["y", "tower"],
    )
    config["config"]["layers"][3]["inbound_nodes"] = [[["tower", 1, 0, {}], ["tower", 2, 0, {}]]]
    config["config"]["output_layers"][1] = ["tower", 1, 0]
    facts, flat = import_model(hdf5(config, weights_of(model), "2.2.2"), "model.h5")
    assert len(facts["inputs"]) == len(facts["outputs"]) == 2
    xs = list(np.random.default_rng(0).random((2, 5, 4), np.float32))
    assert difference(outputs(model, xs), outputs(flat, xs)) < 1e-5


RECURRENT = {"units": 3, "return_sequences": False, "go_backwards": False, "stateful": False}


@pytest.mark.parametrize("name", ["CuDNNLSTM", "CuDNNGRU", "GRU without reset_after", "LSTM"])
def test_recurrent_layers_of_other_days(name):
    """CuDNN layers keep transposed kernels and two biases; a GRU once had one way to reset."""
    from tf_keras import Input, Model, layers

    from tests.models.zoo import randomize

    options = {
        "CuDNNLSTM": {"kind": layers.LSTM},
        "CuDNNGRU": {"kind": layers.GRU},
        "GRU without reset_after": {
            "kind": layers.GRU,
            "reset_after": False,
            "recurrent_activation": "hard_sigmoid",
        },
        "LSTM": {"kind": layers.LSTM, "recurrent_activation": "hard_sigmoid"},
    }[name]
    kind = options.pop("kind")
    inputs = Input((6, 4))
    model = randomize(Model(inputs, kind(3, name="cell", **options)(inputs)))
    weights = weights_of(model)
    written = {"activation": "tanh", "recurrent_activation": "hard_sigmoid", "implementation": 1}
    if name.startswith("CuDNN"):
        weights["cell"], written = cudnn(weights["cell"], gates=4 if "LSTM" in name else 3), {}
    config = graph(
        [
            layer("InputLayer", "in", batch_input_shape=[None, 6, 4], sparse=False),
            layer(name.split()[0], "cell", "in", **RECURRENT, **written),
        ],
        ["in"],
        ["cell"],
    )
    _, flat = import_model(hdf5(config, weights, "2.1.1"), "model.h5")
    x = np.random.default_rng(0).standard_normal((5, 6, 4)).astype("float32")
    assert difference(outputs(model, [x]), outputs(flat, [x])) < 1e-5


def cudnn(weights, gates):
    """A layer's weights as CuDNN keeps them: transposed gate by gate, with two biases in a row."""
    kernel, recurrent, bias = weights
    inputs = [part.T.reshape(part.shape) for part in np.split(kernel, gates, axis=1)]
    states = [part.T for part in np.split(recurrent, gates, axis=1)]
    if gates == 4:  # an LSTM adds the two
        bias = np.stack([bias - 0.25, np.full_like(bias, 0.25)])
    return [np.hstack(inputs), np.hstack(states), bias.reshape(-1)]


@pytest.mark.parametrize("name", ["model.h5", "model.weights.h5", "model.hdf5"])
def test_weights_alone_are_refused_with_advice(name):
    data = hdf5(None, weights_of(cnn()), "2.3.1", whole=False)
    with pytest.raises(InputError, match=r"no architecture. Save the whole model"):
        import_model(data, name)


@pytest.mark.parametrize(
    ("library", "suffix"),
    [("keras", ".weights.h5"), ("tf_keras", ".weights.h5"), ("tf_keras", ".h5")],
)
def test_what_save_weights_writes_is_refused_with_advice(library, suffix, tmp_path):
    keras = pytest.importorskip(library)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    path = tmp_path / f"model{suffix}"
    model.save_weights(path)
    with pytest.raises(InputError, match="no architecture"):
        import_model(path.read_bytes(), path.name)
