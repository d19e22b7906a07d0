"""Recipes to start from, each with its reason; and a recipe in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from optimizer.recipe import LayerOverride, Prune, Recipe


@dataclass(frozen=True)
class Preset:
    """A recipe and why one would choose it."""

    recipe: Recipe
    reason: str


def _preset(reason: str, **parts: object) -> Preset:
    return Preset(Recipe.parse(dict(parts)), reason)


PRESETS = {
    "Quickest": _preset(
        "Dynamic range: seconds, no training, no calibration data; weights of large layers "
        "shrink to a quarter.",
        quantize={"mode": "dynamic"},
    ),
    "Phone GPU": _preset(
        "float16: GPU delegates compute in half precision; half the size, hardly any loss.",
        quantize={"mode": "float16"},
    ),
    "Microcontroller": _preset(
        "Full int8, inputs and outputs too: integer-only hardware needs no float code.",
        quantize={"mode": "int8", "io": "int8"},
    ),
    "Accuracy first": _preset(
        "Quantization-aware training: int8's size and speed, with the accuracy trained back.",
        quantize={"mode": "int8", "aware": True},
    ),
    "Lowest latency": _preset(
        "Remove channels until half of the multiply-accumulates are gone, then int8: less "
        "arithmetic on any hardware, and cheaper arithmetic where int8 is fast.",
        prune={
            "structure": {"kind": "channels"},
            "schedule": {"kind": "polynomial", "final_sparsity": 0.5},
            "criterion": "gradient",
            "scope": "global",
        },
        quantize={"mode": "int8"},
        fine_tune={"epochs": 5},
    ),
    "Smallest download": _preset(
        "Prune, cluster, then quantization-aware training that preserves both (PCQAT): the "
        "smallest file once compressed.",
        prune={},
        cluster={},
        quantize={"mode": "int8", "aware": True},
    ),
}
"""Name → preset."""

_CONVERSIONS = {
    "none": "Convert to TFLite in float32.",
    "float16": "Convert to TFLite with float16 weights.",
    "dynamic": "Convert to TFLite with int8 weights in large layers, activations in float.",
    "int16x8": "Convert to TFLite with int8 weights and int16 activations",
}


def explain(recipe: Recipe) -> list[str]:
    """The steps of a recipe in plain words, in the order they run."""
    epochs = recipe.fine_tune.epochs
    training = f"over {epochs} epoch{'s' if epochs > 1 else ''}"
    steps = []
    if recipe.prune:
        steps.append(f"{_pruning(recipe.prune)} while fine-tuning {training}.")
    if recipe.cluster:
        keeps = ", keeping the zeros" if recipe.leaves_zeros else ""
        where = "each channel of a convolution" if recipe.cluster.per_channel else "each layer"
        steps.append(
            f"Cluster the weights of {where} to {recipe.cluster.number_of_clusters} values{keeps}, "
            f"while fine-tuning {training}."
        )
    if recipe.quantize.aware:
        kept = [
            word
            for word, kept in (("zeros", recipe.leaves_zeros), ("clusters", recipe.cluster))
            if kept
        ]
        keeps = f", keeping the {' and '.join(kept)}" if kept else ""
        steps.append(f"Train quantization-aware {training}{keeps}.")
    steps.append(_conversion(recipe))
    if recipe.sparse_encoding:
        steps.append("Store the pruned weights without their zeros (TFLite's sparse encoding).")
    if recipe.layers:
        listed = ", ".join(f"{name} ({_own(layer)})" for name, layer in recipe.layers.items())
        steps.append(f"Layers with settings of their own: {listed}.")
    steps.append(
        "Measure the file: whether it keeps all this, its size, its quality on the test samples, "
        "its agreement with the baseline, its latency in turns with the baseline, its peak memory."
    )
    return steps


def _own(layer: LayerOverride) -> str:
    """What one layer has instead of the recipe's values."""
    words = []
    if layer.final_sparsity is not None:
        words.append(f"{100 * layer.final_sparsity:.4g} %")
    if layer.number_of_clusters is not None:
        words.append(f"{layer.number_of_clusters} clusters")
    if layer.quantize is False:
        words.append("no quantization-aware training")
    return ", ".join(words) or "as the others"


_CRITERIA = {
    "magnitude": "the smallest weights first",
    "gradient": "those first that change the loss least, by weight times gradient",
    "random": "at random, as a control",
}


def _pruning(prune: Prune) -> str:
    """What pruning does, up to the words about fine-tuning."""
    structure, share = prune.structure, f"{100 * prune.schedule.final:.4g} %"
    which = _CRITERIA[prune.criterion]
    competing = ", competing over all layers" if prune.scope == "global" else ""
    gentle = ", half as much in the first and last layer" if prune.gentle_ends else ""
    if structure.kind == "channels":
        of = "multiply-accumulates" if structure.target == "macs" else "channels"
        until = f"until {share} of the {of} are gone{gentle},"
        return f"Remove filters and units, {which}{competing}, {until}"
    if structure.kind == "n_m":
        pattern = f"{structure.n} of every {structure.m} consecutive weights are left"
        return f"Prune, {which}, until {pattern},"
    if structure.kind == "block":
        rows, columns = structure.size
        blocks = f"blocks of {rows} × {columns} weights"
        return f"Prune {blocks} to {share} zeros, {which}{competing}{gentle},"
    return f"Prune to {share} zeros, {which}{competing}{gentle},"


def _conversion(recipe: Recipe) -> str:
    quantize = recipe.quantize
    calibration = (
        f", with ranges from {quantize.calibration_samples} training samples"
        if quantize.mode in ("int8", "int16x8") and not quantize.aware
        else ""
    )
    if quantize.mode == "int8":
        scales = "" if quantize.granularity == "per_channel" else ", one scale per tensor"
        return (
            f"Convert to TFLite in int8 with {quantize.io} inputs and outputs{scales}{calibration}."
        )
    if quantize.mode == "int16x8":
        return _CONVERSIONS["int16x8"] + calibration + "."
    return _CONVERSIONS[quantize.mode]
