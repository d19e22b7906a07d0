"""Recipes to start from, each with its reason; and a recipe in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from optimizer.recipe import Recipe


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
        steps.append(
            f"Prune to {100 * recipe.prune.schedule.final:g} % zeros while fine-tuning {training}."
        )
    if recipe.cluster:
        keeps = ", keeping the zeros" if recipe.prune else ""
        steps.append(
            f"Cluster each layer's weights to {recipe.cluster.number_of_clusters} values{keeps}, "
            f"while fine-tuning {training}."
        )
    if recipe.quantize.aware:
        kept = [
            word
            for word, part in (("zeros", recipe.prune), ("clusters", recipe.cluster))
            if part is not None
        ]
        keeps = f", keeping the {' and '.join(kept)}" if kept else ""
        steps.append(f"Train quantization-aware {training}{keeps}.")
    steps.append(_conversion(recipe))
    steps.append(
        "Measure the file: three sizes, accuracy on the test set, agreement with the baseline, "
        "latency in turns with the baseline, peak memory."
    )
    return steps


def _conversion(recipe: Recipe) -> str:
    quantize = recipe.quantize
    calibration = (
        f", with ranges from {quantize.calibration_samples} training samples"
        if quantize.mode in ("int8", "int16x8") and not quantize.aware
        else ""
    )
    if quantize.mode == "int8":
        return f"Convert to TFLite in int8 with {quantize.io} inputs and outputs{calibration}."
    if quantize.mode == "int16x8":
        return _CONVERSIONS["int16x8"] + calibration + "."
    return _CONVERSIONS[quantize.mode]
