"""Recipes and files in words for people who never heard of pruning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def left_in_float(recipe: Recipe, layers: Sequence[Mapping[str, Any]]) -> str:
    """Which layers an int8 file has in float all the same, as a sentence; else empty.

    Quantization-aware training does not cover every kind of layer.

    Args:
        layers: the rows of the file's layer table.
    """
    if recipe.quantize.mode not in ("int8", "int16x8"):
        return ""
    names = [str(layer["name"]) for layer in layers if str(layer["dtype"]).startswith("float")]
    if not names or len(names) == len(layers):
        return ""
    return f" Still in floating point: {', '.join(names)}."


def operator_words(operator: str) -> str:
    """A TFLite operator in a word or two."""
    return _OPERATORS.get(operator, operator.lower().replace("_", " "))


def per_channel(layer: Mapping[str, Any], clusters: int | None) -> bool:
    """Whether a layer's distinct values are to be counted in each output channel by itself.

    So they are where each channel has its own scale, and where a BatchNormalization that was
    folded into the layer stretched each channel's clusters by its own factor.
    """
    own, every = layer.get("distinct_per_channel"), layer["distinct"]
    stretched = clusters is not None and own and every and own <= clusters < every
    return bool(own and (layer.get("per_channel") or stretched))


def distinct_words(layer: Mapping[str, Any], clusters: int | None) -> str:
    """How many different values a layer has: ``16``, ``9 per channel``."""
    if per_channel(layer, clusters):
        return f"{layer['distinct_per_channel']:,} per channel"
    return "–" if layer["distinct"] is None else f"{layer['distinct']:,}"


def layer_words(
    before: Mapping[str, Any] | None, after: Mapping[str, Any], *, clusters: int | None = None
) -> str:
    """What happened to one weight tensor, from its rows of two layer tables.

    Args:
        before, after: the rows; ``None`` where the baseline has no such tensor.
        clusters: the recipe's number of clusters, if it clusters. Few distinct values come of
            rounding, too, and are nobody's doing then.
    """
    words = []
    if before and before["shape"] != after["shape"]:
        words.append(f"narrowed from {_shape(before)} to {_shape(after)}")
    if before and before["dtype"] != after["dtype"]:
        words.append(f"{before['dtype']} → {after['dtype']}")
    zeros, was = after["sparsity"] or 0.0, (before or {}).get("sparsity") or 0.0
    if zeros - was > 0.01:
        words.append(f"{100 * zeros:.0f} % of its weights became zero")
    by_channel = per_channel(after, clusters)
    distinct = after["distinct_per_channel"] if by_channel else after["distinct"]
    former = (before or {}).get("distinct")
    if clusters and distinct and former and distinct < former:
        per = " per channel" if by_channel else ""
        words.append(f"{distinct} distinct values left{per}")
    if before and before["bytes"] and after["bytes"] and before["bytes"] != after["bytes"]:
        words.append(f"{format_bytes(before['bytes'])} → {format_bytes(after['bytes'])}")
    return "; ".join(words) or "unchanged"


def _shape(layer: Mapping[str, Any]) -> str:
    return " × ".join(str(size) for size in layer["shape"])
