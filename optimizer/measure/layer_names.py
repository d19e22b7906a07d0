"""Readable layer names out of the tensor names that the TFLite converter leaves behind.

The converter names a tensor after the TensorFlow operations that were merged into it, joined
by ``;``: ``sequential/re_lu/Relu;sequential/bn/FusedBatchNormV3;sequential/conv/Conv2D``. The
part that ends in the operation of the weights (here ``Conv2D``) names the layer they are from.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

_WEIGHT_OPERATION = re.compile(
    r"(Conv[123]D|Conv[23]DBackpropInput(V2)?|convolution|conv[23]d_transpose|conv_transpose"
    r"|separable_conv[12]d|depthwise|DepthwiseConv2dNative|MatMul|BatchMatMul(V2|V3)?|Tensordot"
    r"|einsum|Einsum|dot_general|embedding_lookup|GatherV2|ResourceGather)(_\d+)?\d*"
)
_WRAPPER = re.compile(r"^(quant|prune_low_magnitude|cluster)_")
_NO_LAYER = ("arith.", "tfl.", "StatefulPartitionedCall", "PartitionedCall", "while/")


def layer_name(
    weight_name: str, output_name: str, kind: str, known: Collection[str] = frozenset()
) -> str:
    """The layer that a weight tensor belongs to, for example ``conv2d_1``.

    Args:
        weight_name: name of the weight tensor in the file.
        output_name: name of the output tensor of the operator that uses it.
        kind: TFLite name of that operator, used when the names say nothing.
        known: the Keras layer names, when they are at hand: an exact match wins.

    Returns:
        The layer's path without the model's name, with wrapper prefixes such as ``quant_``
        taken off; the operator's name in lower case when no layer can be told.
    """
    paths = [
        path
        for name in (weight_name, output_name)
        for path in name.split(";")
        if path and not path.startswith(_NO_LAYER)
    ]
    return _known(paths, known) or _guess(paths) or kind.lower()


def _known(paths: Iterable[str], known: Collection[str]) -> str:
    ordered = sorted(paths, key=lambda path: _operation_index(path.split("/")) is None)
    for path in ordered:
        bare = "/".join(unwrapped(part) for part in path.split("/"))
        matches = [
            name for name in known if f"/{name}/" in f"/{path}/" or f"/{name}/" in f"/{bare}/"
        ]
        if matches:
            return max(matches, key=len)
    return ""


def _guess(paths: Iterable[str]) -> str:
    for path in paths:
        parts = path.split("/")
        index = _operation_index(parts)
        if index is not None:
            layer = parts[1:index] or parts[:index]
            return "/".join(unwrapped(part) for part in layer)
    return ""


def _operation_index(parts: list[str]) -> int | None:
    """Index of the part where the weights' operation begins, behind at least one other part."""
    matches = [i for i, part in enumerate(parts) if i and _WEIGHT_OPERATION.fullmatch(part)]
    if not matches:
        return None
    index = matches[-1]
    while index > 2 and index - 1 in matches:
        index -= 1
    return index


def unwrapped(name: str) -> str:
    """A layer name without the prefixes of tfmot's wrappers (``quant_``, ``cluster_`` …)."""
    while _WRAPPER.match(name):
        name = _WRAPPER.sub("", name)
    return name
