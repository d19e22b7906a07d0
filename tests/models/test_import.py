"""Models of both Keras become flat tf_keras models with the same outputs."""

import numpy as np
import pytest

from optimizer import samples
from optimizer.errors import InputError
from tests.models.conftest import import_model, saved


def same_outputs(source, flat, *inputs):
    expected = source.predict(list(inputs) if len(inputs) > 1 else inputs[0], verbose=0)
    actual = flat.predict(list(inputs) if len(inputs) > 1 else inputs[0], verbose=0)
    for one, other in zip(
        expected if isinstance(expected, list) else [expected],
        actual if isinstance(actual, list) else [actual],
        strict=True,
    ):
        assert np.allclose(one, other, atol=1e-5)


def randoms(*shape):
    return np.random.default_rng(0).random(shape).astype("float32")


@pytest.mark.parametrize("name", list(samples.MODELS))
def test_samples_import_faithfully(name):
    facts, flat = import_model(samples.load_sample_model(name), samples.MODELS[name].path.name)
    assert facts["verification"]["max_relative_difference"] < 1e-4
    assert facts["parameters"] == flat.count_params()
    nested = [layer for layer in flat.layers if hasattr(layer, "layers")]
    assert nested == []


def test_facts_say_what_can_act_on_each_layer():
    facts, _ = import_model(samples.load_sample_model("digits_mobilenet"))
    kinds = {layer["type"]: layer["techniques"] for layer in facts["layers"]}
    assert kinds["Conv2D"] == dict.fromkeys(("prune", "cluster", "quantize_aware", "channels"))
    assert "Depthwise" in kinds["DepthwiseConv2D"]["prune"]
    assert "follow the channels" in kinds["DepthwiseConv2D"]["channels"]
    assert "softmax" in kinds["Dense"]["channels"]
    assert kinds["DepthwiseConv2D"]["quantize_aware"] is None
    assert facts["outputs"][0]["activation"] == "softmax"
    assert any("Nested models were flattened" in note for note in facts["notes"])


def test_shared_layers_several_inputs_and_outputs(tmp_path):
    import keras

    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = keras.layers.Dense(3, activation="relu", name="shared")
    joined = keras.layers.Concatenate(name="joined")([shared(a), shared(b)])
    model = keras.Model([a, b], [keras.layers.Dense(2, name="x")(joined), shared(a)])
    facts, flat = import_model(saved(model, tmp_path))
    assert len(facts["inputs"]) == len(facts["outputs"]) == 2
    assert [layer["name"] for layer in facts["layers"]].count("shared") == 1
    same_outputs(model, flat, randoms(5, 4), randoms(5, 4))


def test_nested_models_operations_and_normalization(tmp_path):
    import keras

    base = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, activation="relu6"),
            keras.layers.BatchNormalization(),
        ],
        name="base",
    )
    inputs = keras.Input((8, 8, 3))
    x = base(keras.ops.multiply(inputs, 2.0), training=False)
    x = keras.ops.mean(keras.activations.hard_sigmoid(x), axis=[1, 2]) + 1.0
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    _, flat = import_model(saved(model, tmp_path))
    same_outputs(model, flat, randoms(3, 8, 8, 3))


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_keras_2_files_keep_keras_2_meaning(tmp_path, name):
    """hard_sigmoid differs between the two: opened with the wrong one it would be off by 0.08."""
    import tf_keras

    model = tf_keras.Sequential(
        [
            tf_keras.layers.Dense(6, activation="hard_sigmoid", input_shape=(4,), name="first"),
            tf_keras.layers.Dense(2, name="second"),
        ]
    )
    model.compile("adam", "mse")
    facts, flat = import_model(saved(model, tmp_path, name))
    assert facts["source_format"].startswith("Keras 2")
    assert [layer["name"] for layer in facts["layers"]] == ["first", "second"]
    same_outputs(model, flat, randoms(5, 4) * 4)


@pytest.mark.parametrize("name", ["hard_sigmoid", "hard_silu", "relu6", "leaky_relu", "celu"])
def test_activations_that_keras_2_lacks(tmp_path, name):
    import keras

    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(6, activation=name), keras.layers.Dense(2)]
    )
    facts, flat = import_model(saved(model, tmp_path))
    assert any("lacks" in note for note in facts["notes"])
    same_outputs(model, flat, randoms(5, 4) * 8 - 4)


@pytest.mark.parametrize("name", ["keras", "tf_keras"])
def test_mixed_precision_becomes_float32_and_says_so(tmp_path, name):
    keras = pytest.importorskip(name)
    model = keras.Sequential(
        [
            keras.layers.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, activation="relu", dtype="mixed_float16"),
            keras.layers.Flatten(dtype="mixed_float16"),
            keras.layers.Dense(2),
        ]
    )
    facts, flat = import_model(saved(model, tmp_path))
    assert facts["verification"]["max_relative_difference"] < 1e-5
    assert any("mixed_float16" in note for note in facts["notes"])
    assert {str(weight.dtype.name) for weight in flat.weights} == {"float32"}


def test_slices_constants_and_integer_images(tmp_path):
    import keras

    pixels = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.RandomFlip()(pixels)
    x = x[:, ::2, 1:, :] * np.array([1.0, 2.0, 3.0], "float32")
    model = keras.Model(pixels, keras.layers.Conv2D(2, 3)(x))
    facts, flat = import_model(saved(model, tmp_path))
    assert any("removed" in note for note in facts["notes"])
    same_outputs(model, flat, np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), "uint8"))


def test_a_random_crop_of_keras_3_that_crops_is_refused_with_a_way_out(tmp_path):
    """Versions of Keras 3 crop, resize or do nothing when the model is used."""
    import keras

    layers = keras.layers
    cropping = [layers.RandomCrop(6, 5, name="crop"), layers.Flatten(), layers.Dense(2)]
    model = keras.Sequential([keras.Input((8, 8, 3)), *cropping])
    with pytest.raises(
        InputError, match=r"crop \(RandomCrop\).* 8×8 to 6×5.*CenterCrop or Resizing"
    ):
        import_model(saved(model, tmp_path))


def test_a_layer_that_cannot_be_made_again_is_named(tmp_path):
    import keras

    inner = keras.layers.AdaptiveAveragePooling2D(3)
    inputs = keras.Input((2, 8, 8, 3))
    model = keras.Model(inputs, keras.layers.TimeDistributed(inner, name="each")(inputs))
    with pytest.raises(InputError, match=r"The layer each \(TimeDistributed\) cannot be made"):
        import_model(saved(model, tmp_path))


def test_a_model_that_does_not_run_on_any_size_says_so(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((None,)), keras.layers.Reshape((28, 28, 1))])
    with pytest.raises(InputError, match=r"cannot be run on random input of shape \(8, 12\)"):
        import_model(saved(model, tmp_path))
