"""Recipes and files in words for people who never heard of pruning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optimizer.format import format_bytes
from optimizer.recipe import Recipe

_NUMBERS = {
    "none": "",
    "float16": "all weights stored as 16-bit numbers instead of 32-bit ones",
    "dynamic": "the weights of large layers stored as 8-bit integers",
    "int8": "weights and intermediate results stored as 8-bit integers instead of 32-bit numbers",
    "int16x8": "weights stored as 8-bit, intermediate results as 16-bit integers",
}
_OPERATORS = {
    "CONV_2D": "convolution",
    "DEPTHWISE_CONV_2D": "depthwise convolution",
    "CONV_3D": "3-D convolution",
    "TRANSPOSE_CONV": "transposed convolution",
    "FULLY_CONNECTED": "dense layer",
    "BATCH_MATMUL": "matrix product",
    "GATHER": "embedding",
    "EMBEDDING_LOOKUP": "embedding",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "LSTM",
}


def in_plain_words(recipe: Recipe) -> str:
    """What a recipe makes of a model, as the end of a sentence that begins with "the model with".

    For the float32 baseline: "nothing changed".
    """
    parts = []
    if recipe.prune:
        share = f"{100 * recipe.prune.schedule.final:.4g} %"
        structure = recipe.prune.structure
        if structure.kind == "channels":
            of = "arithmetic" if structure.target == "macs" else "channels"
            parts.append(f"{share} of its {of} cut out, whole filters at a time")
        elif structure.kind == "n_m":
            parts.append(f"only {structure.n} of every {structure.m} neighbouring weights left")
        else:
            parts.append(f"{share} of its weights set to zero")
    if recipe.cluster:
        parts.append(
            f"the weights of each layer limited to {recipe.cluster.number_of_clusters} distinct "
            "values"
        )
    if recipe.quantize.mode != "none":
        trained = ", trained to bear the rounding" if recipe.quantize.aware else ""
        parts.append(_NUMBERS[recipe.quantize.mode] + trained)
    if not parts:
        return "nothing changed"
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"


def operator_words(operator: str) -> str:
    """A TFLite operator in a word or two."""
    return _OPERATORS.get(operator, operator.lower().replace("_", " "))


def layer_words(
    before: Mapping[str, Any] | None, after: Mapping[str, Any], *, clustered: bool = False
) -> str:
    """What happened to one weight tensor, from its rows of two layer tables.

    Args:
        before, after: the rows; ``None`` where the baseline has no such tensor.
        clustered: whether the recipe clusters. Few distinct values come of rounding, too, and
            are nobody's doing then.
    """
    words = []
    if before and before["shape"] != after["shape"]:
        words.append(f"narrowed from {_shape(before)} to {_shape(after)}")
    if before and before["dtype"] != after["dtype"]:
        words.append(f"{before['dtype']} → {after['dtype']}")
    zeros, was = after["sparsity"] or 0.0, (before or {}).get("sparsity") or 0.0
    if zeros - was > 0.01:
        words.append(f"{100 * zeros:.0f} % of its weights became zero")
    distinct = after.get("distinct_per_channel") if after.get("per_channel") else after["distinct"]
    former = (before or {}).get("distinct")
    if clustered and distinct and former and distinct < former:
        per = " per channel" if after.get("per_channel") else ""
        words.append(f"{distinct} distinct values left{per}")
    if before and before["bytes"] and after["bytes"] and before["bytes"] != after["bytes"]:
        words.append(f"{format_bytes(before['bytes'])} → {format_bytes(after['bytes'])}")
    return "; ".join(words) or "unchanged"


def _shape(layer: Mapping[str, Any]) -> str:
    return " × ".join(str(size) for size in layer["shape"])
