"""The closed table of tensor operations that a model may contain, and how one is computed.

Keras 3 models contain calls of ``keras.ops``; tf_keras models contain calls of TensorFlow
functions (``TFOpLambda``). Both are brought to one form: the name of a Keras 3 operation, its
options and its arguments. Importing this module imports neither Keras nor TensorFlow.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optimizer.errors import InputError

_NAMES = {
    "numpy": "Absolute Add All Any Amax Amin Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh "
    "Argmax Argmin Average BroadcastTo Cbrt Ceil Clip Concatenate Cos Cosh Cumprod Cumsum Diff "
    "Divide DivideNoNan Dot Dstack Einsum Equal Exp Exp2 ExpandDims Expm1 Fabs Flip Floor "
    "FloorDivide FullLike GetItem Greater GreaterEqual Heaviside Hstack Hypot Isfinite "
    "Isinf Isnan Less LessEqual Log Log10 Log1p Log2 Logaddexp LogicalAnd LogicalNot LogicalOr "
    "LogicalXor Matmul Max Maximum Mean Min Minimum Mod Moveaxis Multiply NanToNum Negative "
    "NotEqual OnesLike Outer Pad Power Prod Ptp Ravel Reciprocal Repeat Reshape Roll Rot90 Round "
    "Sign Sin Sinc Sinh Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take "
    "TakeAlongAxis Tan Tanh Tensordot Tile Transpose Tril Triu TrueDivide Trunc Var Vstack "
    "Where ZerosLike",
    "nn": "AdaptiveAveragePool AdaptiveMaxPool AveragePool Celu DepthToSpace Elu Gelu Glu "
    "HardShrink HardSigmoid HardSilu HardTanh LayerNorm LeakyRelu LogSigmoid LogSoftmax MaxPool "
    "Moments Normalize OneHot RMSNorm Relu Relu6 Selu Sigmoid Silu SoftShrink Softmax Softplus "
    "Softsign SpaceToDepth SparsePlus SparseSigmoid Sparsemax Squareplus TanhShrink Threshold "
    "DotProductAttention",
    "math": "Erf Erfc Logsumexp Rsqrt TopK",
    "core": "Cast SaturateCast Slice StopGradient Unstack",
    "image": "CropImages PadImages RGBToGrayscale Resize",
    "linalg": "Norm",
}
KERAS_OPERATIONS: dict[str, str] = {
    name: module for module, names in _NAMES.items() for name in names.split()
}
"""Operation name → its module below ``keras.src.ops``; nothing else is ever computed."""

MAX_CONSTANT_ELEMENTS = 1_000_000
"""Largest constant array kept in an operation's arguments."""


def compute(
    operation: str,
    options: dict[str, Any],
    arguments: list[Any],
    keywords: dict[str, Any],
    tensors: list[Any],
) -> Any:
    """Run Keras 3's implementation of an operation on TensorFlow tensors.

    Raises:
        InputError: the operation is not in :data:`KERAS_OPERATIONS`.
    """
    if operation not in KERAS_OPERATIONS:
        raise InputError(f"The tensor operation {operation} is not supported.")
    call = _keras_class(operation)(**options).call
    filled = [decode(argument, tensors) for argument in arguments]
    return call(*filled, **{name: decode(value, tensors) for name, value in keywords.items()})


def keras_classes() -> dict[str, Any]:
    """Keras 3's classes by operation."""
    return {name: _keras_class(name) for name in KERAS_OPERATIONS}


def _keras_class(operation: str) -> Any:
    module = importlib.import_module(f"keras.src.ops.{KERAS_OPERATIONS[operation]}")
    return getattr(module, operation)


def encode(value: Any, is_tensor: Callable[[Any], bool], tensors: list[Any]) -> Any:
    """An argument as JSON; the tensors in it are appended to ``tensors`` and numbered.

    Raises:
        InputError: the argument is of a kind that cannot be kept, or a constant too large.
    """
    if is_tensor(value):
        tensors.append(value)
        return {"tensor": len(tensors) - 1}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [encode(item, is_tensor, tensors) for item in value]
    if isinstance(value, slice):
        return {
            "slice": [encode(x, is_tensor, tensors) for x in (value.start, value.stop, value.step)]
        }
    if value is Ellipsis:
        return {"ellipsis": True}
    array = _as_array(value)
    if array is None:
        raise InputError(
            f"A tensor operation has an argument of type {type(value).__name__}, which is not "
            "supported. Replace the operation by a layer and save the model again."
        )
    return {"array": array.tolist(), "dtype": str(array.dtype), "shape": list(array.shape)}


def _as_array(value: Any) -> np.ndarray | None:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return None
    if array.dtype.kind not in "fiub":
        return None
    if array.size > MAX_CONSTANT_ELEMENTS:
        raise InputError(
            f"A tensor operation has a constant of {array.size:,} elements; the limit is "
            f"{MAX_CONSTANT_ELEMENTS:,}. Make it a layer's weight and save the model again."
        )
    return array


def decode(value: Any, tensors: list[Any]) -> Any:
    """The argument that :func:`encode` wrote, with tensor ``i`` replaced by ``tensors[i]``."""
    if isinstance(value, list):
        return tuple(decode(item, tensors) for item in value)
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensors[value["tensor"]]
    if "slice" in value:
        return slice(*(decode(item, tensors) for item in value["slice"]))
    if "ellipsis" in value:
        return Ellipsis
    return np.array(value["array"], dtype=value["dtype"]).reshape(value["shape"])


@dataclass(frozen=True)
class TensorFlowFunction:
    """How a call of a TensorFlow function is written as a Keras 3 operation.

    Attributes:
        operation: name in :data:`KERAS_OPERATIONS`.
        arguments: the function's parameters that are the operation's call arguments, in order.
        options: the function's parameter → the operation's option.
        fixed: options that are always so.
    """

    operation: str
    arguments: tuple[str, ...] = ("x",)
    options: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The function's positional parameters, in order."""
        return (*self.arguments, *self.options)


def _reduction(operation: str) -> TensorFlowFunction:
    return TensorFlowFunction(
        operation, ("input_tensor",), {"axis": "axis", "keepdims": "keepdims"}
    )


_BINARY = ("x", "y")
_F = TensorFlowFunction
TENSORFLOW_FUNCTIONS: dict[str, TensorFlowFunction] = {
    "__operators__.add": _F("Add", _BINARY),
    "__operators__.getitem": _F("GetItem", ("tensor", "slice_spec")),
    "cast": _F("Cast", ("x",), {"dtype": "dtype"}),
    "clip_by_value": _F("Clip", ("t",), {"clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "compat.v1.squeeze": _F("Squeeze", ("input",), {"axis": "axis"}),
    "compat.v1.transpose": _F("Transpose", ("a",), {"perm": "axes"}),
    "concat": _F("Concatenate", ("values",), {"axis": "axis"}),
    "expand_dims": _F("ExpandDims", ("input",), {"axis": "axis"}),
    "linalg.matmul": _F("Matmul", ("a", "b")),
    "math.abs": _F("Absolute"),
    "math.add": _F("Add", _BINARY),
    "math.divide": _F("TrueDivide", _BINARY),
    "math.exp": _F("Exp"),
    "math.log": _F("Log"),
    "math.maximum": _F("Maximum", _BINARY),
    "math.minimum": _F("Minimum", _BINARY),
    "math.multiply": _F("Multiply", _BINARY),
    "math.negative": _F("Negative"),
    "math.pow": _F("Power", _BINARY),
    "math.reduce_max": _reduction("Max"),
    "math.reduce_mean": _reduction("Mean"),
    "math.reduce_min": _reduction("Min"),
    "math.reduce_prod": _reduction("Prod"),
    "math.reduce_sum": _reduction("Sum"),
    "math.rsqrt": _F("Rsqrt"),
    "math.sigmoid": _F("Sigmoid"),
    "math.softplus": _F("Softplus", ("features",)),
    "math.sqrt": _F("Sqrt"),
    "math.square": _F("Square"),
    "math.subtract": _F("Subtract", _BINARY),
    "math.tanh": _F("Tanh"),
    "math.truediv": _F("TrueDivide", _BINARY),
    "nn.elu": _F("Elu", ("features",)),
    "nn.gelu": _F("Gelu", ("features",), {"approximate": "approximate"}),
    "nn.leaky_relu": _F("LeakyRelu", ("features",), {"alpha": "negative_slope"}),
    "nn.relu": _F("Relu", ("features",)),
    "nn.relu6": _F("Relu6", ("features",)),
    "nn.selu": _F("Selu", ("features",)),
    "nn.silu": _F("Silu", ("features",)),
    "nn.softmax": _F("Softmax", ("logits",), {"axis": "axis"}),
    "nn.softsign": _F("Softsign", ("features",)),
    "nn.swish": _F("Silu", ("features",)),
    "reshape": _F("Reshape", ("tensor",), {"shape": "newshape"}),
    "squeeze": _F("Squeeze", ("input",), {"axis": "axis"}),
    "stack": _F("Stack", ("values",), {"axis": "axis"}),
    "stop_gradient": _F("StopGradient", ("input",)),
    "tile": _F("Tile", ("input",), {"multiples": "repeats"}),
    "transpose": _F("Transpose", ("a",), {"perm": "axes"}),
}
"""Names that ``TFOpLambda`` layers may have, and the operation each stands for."""

TENSORFLOW_DEFAULTS: dict[str, dict[str, Any]] = {
    "nn.leaky_relu": {"alpha": 0.2},
    "nn.gelu": {"approximate": False},
}


def from_tensorflow(
    function: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[str, dict[str, Any], list[Any]]:
    """A TensorFlow function's call as (operation, options, call arguments).

    Raises:
        InputError: the function, or one of its arguments, is not supported.
    """
    known = TENSORFLOW_FUNCTIONS.get(function)
    if known is None:
        raise InputError(
            f"The model calls the TensorFlow function tf.{function}, which is not supported. "
            "Replace it by a Keras layer and save the model again."
        )
    given = dict(zip(known.parameters, arguments, strict=False)) | keywords
    given = {**TENSORFLOW_DEFAULTS.get(function, {}), **given}
    given.pop("name", None)
    call_arguments = [given.pop(name) for name in known.arguments]
    options = {
        known.options[name]: given.pop(name) for name in list(given) if name in known.options
    }
    unknown = sorted(name for name, value in given.items() if value not in (None, False, -1))
    if unknown:
        raise InputError(
            f"The model calls tf.{function} with {unknown[0]}={given[unknown[0]]!r}, which is not "
            "supported. Replace it by a Keras layer and save the model again."
        )
    return known.operation, {**options, **known.fixed}, call_arguments
