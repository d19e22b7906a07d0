"""What a recipe promised beside what is in the file, as rows of tables: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optimizer.measured import Measured

_DEPTHWISE = "DEPTHWISE_CONV_2D"
_LAST_AXIS = ("CONV_3D", "BATCH_MATMUL", _DEPTHWISE)
"""Operators whose kernels have their output channels on the last axis; others on the first."""
Layers = Sequence[Mapping[str, Any]]
Rows = list[dict[str, Any]]


def promise_rows(found: Measured) -> Rows:
    """One row per promise, the broken ones first."""
    return [
        {
            "Kept": "yes" if promise.kept else "no",
            "Promise": promise.promise,
            "Found in the file": promise.found,
        }
        for promise in sorted(found.promises, key=lambda promise: promise.kept)
    ]


def layer_rows(promises: Mapping[str, Mapping[str, Any]], layers: Layers) -> Rows:
    """What was promised for each layer, and what its kernels in the file have.

    Args:
        promises: ``promises.json``; the promise over the whole model is not in the rows.
        layers: of ``layers.json``, read out of the file.
    """
    rows = []
    for name, promise in promises.items():
        kernels = [k for k in layers if _is_of(k["name"], name) and k.get("prunable", True)]
        row: dict[str, Any] = {"Layer": name}
        if "sparsity" in promise:
            row["Zeros promised (%)"] = 100 * promise["sparsity"]
            row["Zeros (%)"] = _zeros(kernels)
        if "n_m" in promise:
            row["Pattern promised"] = "{}:{}".format(*promise["n_m"])
            row["Zeros (%)"] = _zeros(kernels)
        if "distinct" in promise:
            row["Distinct promised"] = promise["distinct"]
            row["Distinct"] = max((_distinct(kernel) for kernel in kernels), default=None)
        if "channels" in promise:
            row["Channels promised"] = promise["channels"]
            row["Channels"] = max((_channels(kernel) for kernel in kernels), default=None)
        if "dtype" in promise:
            row["Dtype promised"] = promise["dtype"]
            row["Dtype"] = ", ".join(sorted({kernel["dtype"] for kernel in kernels}))
        if name and len(row) > 1:
            rows.append(row)
    return rows


def channel_rows(before: Layers, after: Layers) -> Rows:
    """Output channels of each kernel in the baseline's file and in a variant's.

    Args:
        before: ``layers.json`` of the baseline.
        after: ``layers.json`` of the variant.

    Returns:
        Nothing when no kernel has lost any. Depthwise kernels, which have as many as the layer
        before them, are left out.
    """
    left = {layer["name"]: _channels(layer) for layer in after}
    rows = [
        {
            "Layer": layer["name"],
            "Operator": layer["type"],
            "Channels before": _channels(layer),
            "Channels left": left[layer["name"]],
            "Removed (%)": 100 * (1 - left[layer["name"]] / _channels(layer)),
        }
        for layer in before
        if layer["name"] in left and len(layer["shape"]) > 1 and layer["type"] != _DEPTHWISE
    ]
    return rows if any(row["Removed (%)"] > 0 for row in rows) else []


def left_in_float(training: Mapping[str, Any]) -> Rows:
    """Layers that quantization-aware training left out, each with the reason.

    Args:
        training: ``training.json`` of the stage.
    """
    left_out = training.get("left_out") or {}
    return [{"Layer": name, "Why": str(why)} for name, why in sorted(left_out.items())]


def _is_of(kernel: str, layer: str) -> bool:
    """Whether a kernel belongs to a layer: its name may add a role or a number."""
    return kernel == layer or kernel.startswith((f"{layer} (", f"{layer} #"))


def _zeros(kernels: Layers) -> float | None:
    sizes = [_size(kernel) for kernel in kernels]
    zeros = [kernel["sparsity"] for kernel in kernels]
    if not kernels or None in zeros:
        return None
    return 100 * sum(z * size for z, size in zip(zeros, sizes, strict=True)) / sum(sizes)


def _size(kernel: Mapping[str, Any]) -> int:
    size = 1
    for length in kernel["shape"]:
        size *= length
    return size


def _distinct(kernel: Mapping[str, Any]) -> int:
    return min(kernel["distinct"], kernel.get("distinct_per_channel") or kernel["distinct"])


def _channels(kernel: Mapping[str, Any]) -> int:
    shape = kernel["shape"]
    return int(shape[-1 if kernel["type"] in _LAST_AXIS else 0]) if shape else 1
