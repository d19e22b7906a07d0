"""Whether a recipe can act on a model and its data, said before anything runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optimizer.data.objective import UNLABELLED
from optimizer.recipe import Recipe

Facts = Mapping[str, Any]
_PARTS = (
    ("prune", "pruned", "final_sparsity", "sparsity"),
    ("cluster", "clustered", "number_of_clusters", "cluster count"),
)
_NO_INT16_KERNEL = ("LSTM", "LayerNormalization")
"""Layer types whose int16×8 operators the TFLite runtime refuses, or crashes on."""
_FEW_UPDATES = 20
"""Steps below which a rising sparsity has hardly any time to recover."""


def objections(recipe: Recipe, model_facts: Facts, task: str) -> list[str]:
    """Why a recipe cannot run here, each as a sentence; empty when it can.

    Args:
        recipe: already valid in itself.
        model_facts: ``facts.json`` of the model; its layers say what can act on them.
        task: the study's.
    """
    basic = basic_objection(recipe, model_facts, task)
    if basic:
        return [basic]
    found = []
    if recipe.quantize.mode == "int16x8":
        found += _without_int16_kernel(model_facts)
    for part, verb, field, noun in _PARTS:
        channels = part == "prune" and recipe.prune is not None and not recipe.leaves_zeros
        able = _able(model_facts, "channels" if channels else part)
        done = "narrowed by removing channels" if channels else verb
        if channels and not _knows(model_facts, "channels"):
            continue
        if getattr(recipe, part) is not None and not able:
            found.append(
                f"No layer of this model can be {done}; the Model page says why for each. "
                "Switch it off."
            )
        for name, override in recipe.layers.items():
            if able and getattr(override, field) is not None and name not in able:
                found.append(
                    f"The recipe overrides the {noun} of {name!r}, which is not a layer of this "
                    f"model that can be {done}. Those are: {', '.join(able)}."
                )
    if recipe.quantize.aware:
        found += _left_out(recipe, model_facts)
    if recipe.quantize.aware and not _able(model_facts, "quantize_aware"):
        found.append(
            "Quantization-aware training covers no layer of this model that has weights; the "
            "Model page says why for each. Post-training int8 needs no training: switch it off."
        )
    return found


def basic_objection(recipe: Recipe, model_facts: Facts, task: str) -> str | None:
    """Why a recipe cannot act on this kind of model or data, whatever the layers, or ``None``."""
    kind = model_facts.get("kind", "keras")
    if recipe.trains and UNLABELLED in task.split("+"):
        return (
            "The study has no labels, and this recipe trains. Post-training quantization is "
            "possible; for the rest bring data with labels."
        )
    if kind == "tflite" and not recipe.is_baseline:
        return (
            "The model is a TFLite file: it is finished, so it can be measured but neither trained "
            "nor quantized again. Upload the Keras model it came from."
        )
    if kind == "saved_model" and recipe.trains:
        return (
            "The model is a SavedModel without its Keras layers, so nothing in it can be pruned, "
            "clustered or trained. Post-training quantization is possible; for the rest upload "
            "the Keras model as .keras."
        )
    if model_facts.get("has_loops") and recipe.quantize.mode in ("int8", "int16x8"):
        return (
            f"The SavedModel has a loop, as recurrent layers do, which {recipe.quantize.mode} does "
            "not cover. Choose float16 or dynamic range, or upload the Keras model as .keras."
        )
    return None


def cautions(recipe: Recipe, data_facts: Facts) -> list[str]:
    """What is possible and probably not meant, each as a sentence."""
    found = []
    train = int(data_facts.get("train") or 0)
    quantize, tune = recipe.quantize, recipe.fine_tune
    calibrates = quantize.mode in ("int8", "int16x8") and not quantize.aware
    if calibrates and train and quantize.calibration_samples > train:
        found.append(
            f"{quantize.calibration_samples:,} representative samples were asked for; there are "
            f"{train:,} training samples, so all of them are used."
        )
    steps = tune.epochs * math.ceil(train / tune.batch_size)
    if recipe.trains and train and steps < _FEW_UPDATES:
        found.append(
            f"{tune.epochs} epoch{'s' * (tune.epochs != 1)} over {train:,} samples in batches of "
            f"{tune.batch_size:,} make only {steps} training steps. A smaller batch size or more "
            "epochs give the model time to recover."
        )
    return found


def _able(model_facts: Facts, technique: str) -> list[str]:
    """Names of the layers with weights that a technique can act on."""
    return [
        layer["name"]
        for layer in model_facts["layers"]
        if layer["parameters"] and layer["techniques"].get(technique, "unknown") is None
    ]


def _knows(model_facts: Facts, technique: str) -> bool:
    """Whether the facts say anything about a technique; older ones know fewer."""
    return any(technique in layer["techniques"] for layer in model_facts["layers"])


def _without_int16_kernel(model_facts: Facts) -> list[str]:
    """An objection to layers that the TFLite runtime cannot execute in int16×8."""
    names = [layer["name"] for layer in model_facts["layers"] if _lacks_int16(layer)]
    if not names:
        return []
    listed = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
    return [
        f"TensorFlow Lite cannot execute LSTM and LayerNormalization layers in int16×8 ({listed}). "
        "Choose int8, float16 or dynamic range."
    ]


def _lacks_int16(layer: Mapping[str, Any]) -> bool:
    """Whether a layer has no int16×8 kernel in TensorFlow Lite 2.21; a GRU has."""
    if layer["type"] == "Bidirectional":
        recurrent = [w["shape"] for w in layer["weights"] if w["name"].endswith("recurrent_kernel")]
        return any(wide == 4 * units for units, wide in recurrent)  # an LSTM has four gates
    return layer["type"] in _NO_INT16_KERNEL


def _left_out(recipe: Recipe, model_facts: Facts) -> list[str]:
    """Objections to the layers that selective quantization-aware training leaves out."""
    able = _able(model_facts, "quantize_aware")
    skipped = [name for name, layer in recipe.layers.items() if layer.quantize is False]
    names = {layer["name"] for layer in model_facts["layers"]}
    unknown = [name for name in skipped if name not in names]
    if unknown:
        return [
            f"The recipe leaves {unknown[0]!r} out of quantization-aware training, which is not a "
            f"layer of this model. Those it could cover are: {', '.join(able)}."
        ]
    if able and set(able) <= set(skipped):
        return [
            "The recipe leaves every layer out of quantization-aware training; switch it off, or "
            "leave fewer out."
        ]
    return []
