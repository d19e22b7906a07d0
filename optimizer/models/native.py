"""Tensor operations as layers that tf_keras has. Runs in stage processes only.

tfmot and the TFLite converter know layers better than anonymous operations: a multiplication
by a number becomes ``Rescaling``, a mean over height and width ``GlobalAveragePooling2D``.
What has no layer of its own becomes a :class:`optimizer.models.flat.TensorOperation`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tf_keras

from optimizer.models.flat import TensorOperation
from optimizer.models.operations import encode
from optimizer.models.walk import flatten, is_symbolic

layers = tf_keras.layers

ACTIVATIONS = {
    "Elu": "elu",
    "Exp": "exponential",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Silu": "swish",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
MERGES = {
    "Add": layers.Add,
    "Subtract": layers.Subtract,
    "Multiply": layers.Multiply,
    "Maximum": layers.Maximum,
    "Minimum": layers.Minimum,
}
GLOBAL_POOLINGS = {
    ("Mean", 3): layers.GlobalAveragePooling1D,
    ("Mean", 4): layers.GlobalAveragePooling2D,
    ("Mean", 5): layers.GlobalAveragePooling3D,
    ("Max", 3): layers.GlobalMaxPooling1D,
    ("Max", 4): layers.GlobalMaxPooling2D,
    ("Max", 5): layers.GlobalMaxPooling3D,
}


def apply_operation(
    operation: str,
    options: dict[str, Any],
    arguments: list[Any],
    keywords: dict[str, Any],
    name: str,
) -> Any:
    """Call the layer that does a tensor operation, and return its output tensor(s).

    Args:
        arguments: call arguments, in which the tensors are tf_keras's symbolic ones.
        name: the new layer's name.

    Raises:
        InputError: an argument cannot be kept in a file.
    """
    if not keywords:
        for candidate in (_scalar, _merge, _activation, _pooling, _shape):
            layer = candidate(operation, options, arguments, name)
            if layer is not None:
                tensors = [t for t in flatten(arguments) if is_symbolic(t)]
                return layer(tensors if len(tensors) > 1 else tensors[0])
    tensors = []
    encoded = [encode(argument, is_symbolic, tensors) for argument in arguments]
    encoded_keywords = {k: encode(v, is_symbolic, tensors) for k, v in keywords.items()}
    plain_options = {k: encode(v, is_symbolic, []) for k, v in options.items()}
    layer = TensorOperation(operation, plain_options, encoded, encoded_keywords, name=name)
    return layer(tensors if len(tensors) > 1 else tensors[0])


Layer = Any
"""A tf_keras layer; the package has no types."""
Candidate = Callable[[str, dict[str, Any], list[Any], str], Layer | None]


def _is_float(tensor: Any) -> bool:
    return is_symbolic(tensor) and tensor.dtype == "float32" and not _has_mask(tensor)


def _has_mask(tensor: Any) -> bool:
    return getattr(tensor, "_keras_mask", None) is not None


def _number(value: Any) -> float | None:
    if is_symbolic(value) or isinstance(value, bool | str) or value is None:
        return None
    array = np.asarray(value)
    return float(array) if array.ndim == 0 and array.dtype.kind in "fiu" else None


def _scalar(
    operation: str, options: dict[str, Any], arguments: list[Any], name: str
) -> Layer | None:
    if len(arguments) != 2 or options:
        return None
    first, second = arguments
    after, before = _number(second), _number(first)
    if _is_float(first) and after is not None:
        scale_offset = {
            "Add": (1.0, after),
            "Subtract": (1.0, -after),
            "Multiply": (after, 0.0),
            "Divide": (1.0 / after if after else None, 0.0),
            "TrueDivide": (1.0 / after if after else None, 0.0),
        }.get(operation)
    elif _is_float(second) and before is not None:
        scale_offset = {
            "Add": (1.0, before),
            "Subtract": (-1.0, before),
            "Multiply": (before, 0.0),
        }.get(operation)
    else:
        return None
    if scale_offset is None or scale_offset[0] is None:
        return None
    return layers.Rescaling(scale_offset[0], scale_offset[1], name=name)


def _merge(
    operation: str, options: dict[str, Any], arguments: list[Any], name: str
) -> Layer | None:
    if operation == "Concatenate" and isinstance(arguments[0], list | tuple):
        if all(_is_float(tensor) for tensor in arguments[0]) and len(arguments[0]) > 1:
            return layers.Concatenate(axis=options.get("axis", 0), name=name)
        return None
    if operation not in MERGES or len(arguments) != 2 or options:
        return None
    if not all(_is_float(tensor) for tensor in arguments):
        return None
    if arguments[0] is arguments[1] or arguments[0].shape.rank != arguments[1].shape.rank:
        return None
    return MERGES[operation](name=name)


def _activation(  # noqa: PLR0911 - one return per kind of activation
    operation: str, options: dict[str, Any], arguments: list[Any], name: str
) -> Layer | None:
    if len(arguments) != 1 or not _is_float(arguments[0]):
        return None
    if operation == "Relu":
        return layers.ReLU(name=name)
    if operation == "Relu6":
        return layers.ReLU(6.0, name=name)
    if operation == "LeakyRelu":
        return layers.LeakyReLU(options.get("negative_slope", 0.2), name=name)
    if operation == "Softmax":
        return layers.Softmax(options.get("axis", -1), name=name)
    if operation in ACTIVATIONS and options.get("alpha", 1.0) == 1.0:
        return layers.Activation(ACTIVATIONS[operation], name=name)
    return None


def _pooling(
    operation: str, options: dict[str, Any], arguments: list[Any], name: str
) -> Layer | None:
    if len(arguments) != 1 or not _is_float(arguments[0]):
        return None
    rank = arguments[0].shape.rank
    pooling = GLOBAL_POOLINGS.get((operation, rank))
    axis = options.get("axis")
    axes = [axis] if isinstance(axis, int) else list(axis or [])
    if pooling is None or sorted(a % rank for a in axes) != list(range(1, rank - 1)):
        return None
    if options.get("initial") is not None:
        return None
    return pooling(keepdims=bool(options.get("keepdims", False)), name=name)


def _shape(
    operation: str, options: dict[str, Any], arguments: list[Any], name: str
) -> Layer | None:
    if len(arguments) != 1 or not _is_float(arguments[0]):
        return None
    known = list(arguments[0].shape)
    if operation == "Reshape":
        return _reshape(known, options.get("newshape"), name)
    if operation == "ExpandDims":
        axis = options.get("axis")
        if isinstance(axis, int) and axis % (len(known) + 1) > 0 and None not in known[1:]:
            target = list(known[1:])
            target.insert(axis % (len(known) + 1) - 1, 1)
            return layers.Reshape(target, name=name)
    if operation == "Squeeze" and None not in known[1:]:
        kept = _after_squeeze(known, options.get("axis"))
        return None if kept is None else layers.Reshape(kept, name=name)
    if operation == "Transpose" and options.get("axes") is not None:
        axes = [axis % len(known) for axis in options["axes"]]
        if axes[0] == 0:
            return layers.Permute(axes[1:], name=name)
    return None


def _after_squeeze(known: list[Any], axis: Any) -> list[int] | None:
    """The sizes that are left, when the batch axis stays; squeezed without an axis, it does."""
    rank = len(known)
    axes = {a for a in range(1, rank) if known[a] == 1}
    if axis is not None:
        axes = {a % rank for a in ([axis] if isinstance(axis, int) else axis)}
    return None if 0 in axes else [known[a] for a in range(1, rank) if a not in axes]


def _reshape(known: list[int | None], target: Any, name: str) -> Layer | None:
    """``Reshape``, when the target keeps the batch axis as it is."""
    if not isinstance(target, list | tuple) or not target:
        return None
    sizes = list(target)[1:]
    if None in known[1:] or any(not isinstance(n, int) or n < 0 for n in sizes):
        return None
    if target[0] not in (-1, None) or math.prod(sizes) != math.prod(n or 0 for n in known[1:]):
        return None
    return layers.Reshape(sizes, name=name)
