"""Every tensor operation that a model may contain: imported from a file, and the same."""

import importlib
import inspect

import numpy as np
import pytest

from optimizer.models.operations import KERAS_OPERATIONS, TENSORFLOW_FUNCTIONS
from tests.models.conftest import import_model, saved
from tests.models.test_every_layer import difference, outputs

SHAPE = (4, 4, 3)

OPTIONS = {
    "All": {"axis": -1},
    "Any": {"axis": [1, 2]},
    "Amax": {"axis": 1, "keepdims": True},
    "Amin": {"axis": -1},
    "Argmax": {"axis": -1},
    "Argmin": {"axis": 1, "keepdims": True},
    "Average": {"axis": 2},
    "AveragePool": {"pool_size": 2, "data_format": "channels_last"},
    "BroadcastTo": {"shape": (8, *SHAPE)},
    "Cast": {"dtype": "int32"},
    "Clip": {"x_min": 0.3, "x_max": 0.6},
    "Concatenate": {"axis": 2},
    "CropImages": {"top_cropping": 1, "left_cropping": 1, "target_height": 2, "target_width": 3},
    "Cumprod": {"axis": 1},
    "Cumsum": {"axis": -1},
    "DepthToSpace": {"block_size": 2},
    "Einsum": {"subscripts": "abcd,abed->abce"},
    "ExpandDims": {"axis": 2},
    "Flip": {"axis": 1},
    "Gelu": {"approximate": False},
    "Glu": {"axis": 1},
    "LayerNorm": {"epsilon": 0.01},
    "Logsumexp": {"axis": -1},
    "Max": {"axis": (1, 2)},
    "MaxPool": {"pool_size": (2, 1), "padding": "same", "data_format": "channels_last"},
    "Mean": {"axis": (1, 2), "keepdims": True},
    "Min": {"axis": 3},
    "Moments": {"axes": (1, 2)},
    "Moveaxis": {"source": 1, "destination": 3},
    "Norm": {"axis": -1},
    "Normalize": {"order": 1},
    "OneHot": {"num_classes": 3},
    "Pad": {"pad_width": ((0, 0), (1, 0), (0, 2), (0, 0)), "mode": "reflect"},
    "PadImages": {"top_padding": 1, "left_padding": 2, "target_height": 6, "target_width": 6},
    "Prod": {"axis": -1},
    "Ptp": {"axis": 1},
    "Repeat": {"repeats": 2, "axis": 1},
    "Reshape": {"newshape": (-1, 16, 3)},
    "Resize": {"size": (6, 2), "data_format": "channels_last"},
    "RGBToGrayscale": {"data_format": "channels_last"},
    "Roll": {"shift": 1, "axis": 1},
    "Rot90": {"axes": (1, 2)},
    "Round": {"decimals": 1},
    "SaturateCast": {"dtype": "uint8"},
    "Slice": {"shape": (8, 2, 2, 1)},
    "SpaceToDepth": {"block_size": 2},
    "Split": {"indices_or_sections": 2, "axis": 1},
    "Stack": {"axis": 2},
    "Std": {"axis": 1},
    "Sum": {"axis": 1},
    "Swapaxes": {"axis1": 1, "axis2": 3},
    "Take": {"axis": 2},
    "TakeAlongAxis": {"axis": -1},
    "Tensordot": {"axes": ((3,), (0,))},
    "Threshold": {"threshold": 0.5, "default_value": 0.1},
    "Tile": {"repeats": (1, 2, 1, 1)},
    "TopK": {"k": 2},
    "Transpose": {"axes": (0, 2, 1, 3)},
    "Unstack": {"axis": 1},
    "Var": {"axis": (1, 2)},
}


MIXING = ("Outer", "Ravel", "Vstack")
"""What comes out has no row for each sample."""

UNREADABLE = ("AdaptiveAveragePool", "AdaptiveMaxPool")
"""Keras 3.15 cannot read them back from a file; as layers they are in the zoo."""


def arguments(name, x, indices):
    """What an operation is called with: positional arguments and keywords."""
    some = np.linspace(0.1, 0.9, 3, dtype="float32")
    above = np.linspace(0.5, 2.0, 9, dtype="float32").reshape(3, 3)
    return {
        "Arccosh": ((x + 1.0,), {}),
        "Concatenate": (([x, x * 2.0],), {}),
        "DepthToSpace": ((x[..., :1] * np.ones(4, "float32"),), {}),
        "Dot": ((x, above), {}),
        "DotProductAttention": ((x, x, x + 0.1), {"scale": 0.5}),
        "Dstack": (([x, x],), {}),
        "FullLike": ((x, 2), {}),
        "GetItem": ((x, (slice(None), slice(1, 3), Ellipsis, -1)), {}),
        "Hstack": (([x, x],), {}),
        "LayerNorm": ((x,), {"gamma": some, "beta": some}),
        "LogicalAnd": ((x > 0.5, x < 0.7), {}),
        "LogicalNot": ((x > 0.5,), {}),
        "LogicalOr": ((x > 0.7, x < 0.5), {}),
        "LogicalXor": ((x > 0.4, x < 0.6), {}),
        "Matmul": ((x, above), {}),
        "OneHot": ((indices,), {}),
        "Outer": ((x, some), {}),
        "Power": ((x, 1.5), {}),
        "RMSNorm": ((x,), {"scale": some}),
        "Squeeze": ((x[..., :1],), {}),
        "Slice": ((x, np.array([0, 1, 2, 0])), {}),
        "Stack": (([x, x * 2.0],), {}),
        "Take": ((x, np.array([2, 0])), {}),
        "TakeAlongAxis": ((x, indices), {}),
        "Tensordot": ((x, above), {}),
        "Vstack": (([x, x],), {}),
        "Where": ((x > 0.5, x, 0.0), {}),
    }.get(name)


def called(name, x, indices):
    """The outputs of an operation on Keras 3's symbolic tensors, one row for each sample."""
    import keras

    kind = getattr(importlib.import_module(f"keras.src.ops.{KERAS_OPERATIONS[name]}"), name)
    given = arguments(name, x, indices)
    if given is None:
        required = [
            parameter
            for parameter in inspect.signature(kind.call).parameters.values()
            if parameter.default is parameter.empty and parameter.name != "self"
        ]
        given = ((x, *[x[:, ::-1]] * (len(required) - 1)), {})
    result = kind(**OPTIONS.get(name, {}))(*given[0], **given[1])
    results = result if isinstance(result, list | tuple) else [result]
    if name in MIXING:
        results = [keras.ops.reshape(tensor, (8, -1)) for tensor in results]
    return [keras.ops.cast(tensor, "float32") for tensor in results]


@pytest.mark.parametrize("module", sorted(set(KERAS_OPERATIONS.values())))
def test_operations_of_keras_3(module, tmp_path):
    """All of a module's operations in one model, on numbers between 0.1 and 0.9."""
    import keras

    inputs = keras.Input(SHAPE)
    x = keras.ops.sigmoid(inputs) * 0.8 + 0.1
    indices = keras.ops.cast(x * 2.9, "int32")
    made = {
        name: called(name, x, indices)
        for name, home in KERAS_OPERATIONS.items()
        if home == module and name not in UNREADABLE
    }
    model = keras.Model(inputs, [tensor for tensors in made.values() for tensor in tensors])
    facts, flat = import_model(saved(model, tmp_path))
    assert facts["verification"]["max_relative_difference"] < 1e-5
    array = np.random.default_rng(1).standard_normal((8, *SHAPE)).astype("float32")
    assert difference(outputs(model, [array]), outputs(flat, [array])) < 1e-5


def functions(x):
    """A call of every TensorFlow function that may be in a model.

    Four of them are in the file under another name: that of what they call in turn.
    """
    import tensorflow as tf

    weights = np.linspace(0.5, 2.0, 9, dtype="float32").reshape(3, 3)
    elementwise = "abs exp log negative rsqrt sigmoid softplus sqrt square tanh"
    binary = "add divide maximum minimum multiply pow subtract truediv"
    reductions = "max mean min prod sum"
    activations = "elu gelu leaky_relu relu relu6 selu silu softmax softsign swish"
    return {
        **{f"math.{name}": getattr(tf.math, name)(x) for name in elementwise.split()},
        **{f"math.{name}": getattr(tf.math, name)(x, x[:, ::-1]) for name in binary.split()},
        **{
            f"math.reduce_{name}": getattr(tf.math, f"reduce_{name}")(x, axis=[1, 2])
            for name in reductions.split()
        },
        **{f"nn.{name}": getattr(tf.nn, name)(x - 0.5) for name in activations.split()},
        "__operators__.add": x + 0.5,
        "__operators__.getitem": x[:, 1:3, :, -1],
        "cast": tf.cast(x * 2.9, "int32"),
        "clip_by_value": tf.clip_by_value(x, 0.3, 0.6),
        "compat.v1.squeeze": tf.compat.v1.squeeze(x[:, :, :, :1], axis=3),
        "compat.v1.transpose": tf.compat.v1.transpose(x, [0, 2, 1, 3]),
        "concat": tf.concat([x, x * 2.0], axis=2),
        "expand_dims": tf.expand_dims(x, 2),
        "linalg.matmul": tf.linalg.matmul(x, weights),
        "reshape": tf.reshape(x, [-1, 16, 3]),
        "squeeze": tf.squeeze(x[:, :, :, :1], axis=[3]),
        "stack": tf.stack([x, x * 2.0], axis=2),
        "stop_gradient": tf.stop_gradient(x),
        "tile": tf.tile(x, [1, 2, 1, 1]),
        "transpose": tf.transpose(x, [0, 3, 1, 2]),
    }


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_functions_of_tensorflow_in_keras_2(name, tmp_path):
    import tf_keras

    inputs = tf_keras.Input(SHAPE)
    made = functions(tf_keras.layers.Activation("sigmoid")(inputs) * 0.8 + 0.1)
    assert set(made) == set(TENSORFLOW_FUNCTIONS)
    outcomes = [tf_keras.layers.Activation("linear")(tensor) for tensor in made.values()]
    if name == "model.h5":  # the other format cannot write it
        outcomes.append(inputs[..., 1:])
    model = tf_keras.Model(inputs, outcomes)
    called = {layer.get_config().get("function") for layer in model.layers}
    assert set(TENSORFLOW_FUNCTIONS) - called == {"math.divide", "nn.swish", "squeeze", "transpose"}
    facts, flat = import_model(saved(model, tmp_path, name))
    assert facts["verification"]["max_relative_difference"] < 1e-5
    array = np.random.default_rng(1).standard_normal((8, *SHAPE)).astype("float32")
    assert difference(outputs(model, [array]), outputs(flat, [array])) < 1e-5
