"""Does this dataset fit this model? Answered from their facts, before anything runs.

All functions are pure and take the contents of the two ``facts.json`` files. Every message
carries the values of both sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from optimizer.data.arrays import bind
from optimizer.data.facts import Facts, input_names, single, target_names
from optimizer.data.objective import UNLABELLED
from optimizer.data.options import SCALINGS
from optimizer.data.task import (
    describe_classes,
    number_text,
    outputs_are_logits,
    propose_task,
    renumbering_advice,
    shape_text,
)
from optimizer.errors import InputError

FEW_TEST_SAMPLES = 100
_TABLES = ("csv", "parquet")
__all__ = ["Finding", "check_data", "outputs_are_logits", "propose_task"]

_SCALING_LAYERS = ("Rescaling", "Normalization", "BatchNormalization")


@dataclass(frozen=True)
class Finding:
    """Something about a model and a dataset together that a person should know.

    ``error``: they cannot be used together as they are; ``warning``: they can, but the result
    may not mean what it seems to.
    """

    severity: Literal["error", "warning"]
    message: str


def check_data(model_facts: Facts, data_facts: Facts) -> list[Finding]:
    """Everything that does not fit, errors first.

    Args:
        model_facts: ``facts.json`` of ``import_model``.
        data_facts: ``facts.json`` of ``prepare_data``.
    """
    try:
        pairs = _inputs(model_facts, data_facts)
    except InputError as error:
        return [Finding("error", str(error))]
    errors: list[str | None] = []
    warnings: list[str | None] = []
    for model, data in pairs:
        errors += [_shape(model, data), _indices(model, data), _not_finite(data)]
        warnings += [_dtype(model, data), _range(model, data)]
    errors.append(_scaled_indices(model_facts, data_facts))
    warnings.append(_scaled_twice(model_facts, data_facts))
    try:
        tasks = propose_task(model_facts, data_facts).split("+")
    except InputError as error:
        errors.append(str(error))
        tasks = []
    warnings += _about_labels(model_facts, data_facts, tasks)
    warnings.append(_few_samples(data_facts))
    return [Finding("error", text) for text in errors if text] + [
        Finding("warning", text) for text in warnings if text
    ]


def _inputs(model_facts: Facts, data_facts: Facts) -> list[tuple[Facts, Facts]]:
    """For each of the model's inputs: both sides' facts as if there were no other."""
    inputs = model_facts["inputs"]
    order = bind([entry["name"] for entry in inputs], input_names(data_facts), "input")
    return [
        ({**model_facts, "inputs": [entry]}, single(data_facts, index, 0))
        for entry, index in zip(inputs, order, strict=True)
    ]


def _about_labels(model_facts: Facts, data_facts: Facts, tasks: list[str]) -> list[str | None]:
    outputs, names = model_facts["outputs"], target_names(data_facts)
    if UNLABELLED in tasks:
        return [
            "The data have no labels: accuracy is not measured, agreement with the baseline is. "
            "Recipes that train are not possible; quantization after training is."
        ]
    if len(tasks) != len(names):
        return []
    order = bind([output["name"] for output in outputs], names, "output")
    found = []
    for output, index, task in zip(outputs, order, tasks, strict=True):
        data = single(data_facts, 0, index)
        if task == "multiclass":
            found.append(_unused_outputs({**model_facts, "outputs": [output]}, data))
        found.append(_missing_classes(data))
    return found


def _shape(model_facts: Facts, data_facts: Facts) -> str | None:
    wanted = list(model_facts["inputs"][0]["shape"][1:])
    given = list(data_facts["x_shape"])
    if _fits(given, wanted):
        return None
    advice = _reshape_advice(given, wanted)
    if data_facts.get("format") in _TABLES and len(given) == len(wanted) == 1:
        advice = (
            "Each column of the table that is no label and not left out is one value of a sample, "
            "and each text of a category too. Choose other columns."
        )
    return (
        f"The model takes samples of shape {shape_text(wanted)}; the dataset has "
        f"{shape_text(given)}. {advice}"
    )


def _fits(given: list[int], wanted: list[int | None]) -> bool:
    return len(given) == len(wanted) and all(
        w is None or w == g for g, w in zip(given, wanted, strict=True)
    )


def _reshape_advice(given: list[int], wanted: list[int | None]) -> str:
    fixed = [d if d is not None else -1 for d in wanted]
    image = len(given) == 3
    last = given[-1] if given else None
    same_count = None not in wanted and math.prod(given) == math.prod(fixed)
    target = ", ".join(map(str, fixed))
    advice = (
        (_fits([*given, 1], wanted), "The channel axis is missing: save x[..., np.newaxis]."),
        (
            last == 1 and _fits(given[:-1], wanted),
            "The last axis is one too many: save x[..., 0].",
        ),
        (
            image and _fits([*given[1:], given[0]], wanted),
            "The channels come first: save np.moveaxis(x, 1, -1).",
        ),
        (
            image and last == 1 and _fits([*given[:-1], 3], wanted),
            "The images are grey, the model wants colour: save np.repeat(x, 3, axis=-1).",
        ),
        (same_count, f"The number of values is the same: save x.reshape(len(x), {target})."),
        (
            image and len(wanted) == 3 and last == fixed[-1],
            f"Resize the images to {' × '.join(map(str, fixed[:2]))}.",
        ),
    )
    return next((text for fits, text in advice if fits), "Bring the samples into that shape.")


def _dtype(model_facts: Facts, data_facts: Facts) -> str | None:
    wanted, given = model_facts["inputs"][0]["dtype"], data_facts["x_dtype"]
    if "int" not in wanted or not given.startswith("float"):
        return None
    return (
        f"The model takes {wanted}; the dataset has {given}, and what stands behind the decimal "
        f"point is cut off. Save x.astype('{wanted}')."
    )


def _indices(model_facts: Facts, data_facts: Facts) -> str | None:
    """Index out of an embedding's range, for a model that begins with an embedding."""
    first = [layer for layer in model_facts["layers"] if layer["type"] != "InputLayer"][:1]
    if not first or first[0]["type"] != "Embedding" or not first[0]["weights"]:
        return None
    entries = first[0]["weights"][0]["shape"][0]
    low, high = data_facts["x_min"], data_facts["x_max"]
    if low is None or (low >= 0 and high < entries):
        return None
    return (
        f"The model begins with an embedding of {entries} entries, so samples must be indices 0 to "
        f"{entries - 1}; the dataset has values from {number_text(low)} to {number_text(high)}."
    )


def _not_finite(data_facts: Facts) -> str | None:
    bad = data_facts["non_finite"]
    if not bad:
        return None
    samples = data_facts["train"] + data_facts["test"]
    total = samples * math.prod(data_facts["x_shape"])
    return (
        f"{bad:,} of the samples' {total:,} values are NaN or infinite, and a model's outputs for "
        "them are too. Replace them or remove those samples."
    )


def _range(model_facts: Facts, data_facts: Facts) -> str | None:
    low, high = data_facts["x_min"], data_facts["x_max"]
    image = len(model_facts["inputs"][0]["shape"]) == 4
    scaled = (data_facts.get("scaling") or {}).get("kind", "none") != "none"
    if low is None or not image or scaled:
        return None
    early = [layer for layer in model_facts["layers"] if layer["type"] != "InputLayer"][:3]
    scaling = [layer for layer in early if layer["type"] in _SCALING_LAYERS]
    values = f"from {number_text(low)} to {number_text(high)}"
    if low >= 0 and 32 < high <= 255 and not scaling:
        return (
            f"The samples have values {values}, and the model has no Rescaling or Normalization "
            "layer at its input. If it was trained on scaled values, choose a scaling."
        )
    rescaling = [layer["name"] for layer in scaling if layer["type"] == "Rescaling"]
    if low >= 0 and high <= 1 and rescaling:
        return (
            f"The samples have values {values}, and the model's own layer {rescaling[0]!r} scales "
            "them again. If that layer expects 0 to 255, save the original values."
        )
    return None


def _unused_outputs(model_facts: Facts, data_facts: Facts) -> str | None:
    units, classes = model_facts["outputs"][0]["shape"][-1], data_facts["classes"]
    if units == classes:
        return None
    return (
        f"The model has {units} outputs, for the classes 0 to {units - 1}; the labels are "
        f"{describe_classes(data_facts)}. {renumbering_advice(data_facts, units)}"
    )


def _missing_classes(data_facts: Facts) -> str | None:
    counts = data_facts["class_counts"]
    if not counts:
        return None
    missing = [c for c, n in enumerate(counts["train"]) if n == 0 and counts["test"][c] > 0]
    if not missing:
        return None
    listed = ", ".join(map(str, missing[:5])) + (" …" if len(missing) > 5 else "")
    tested = sum(counts["test"][c] for c in missing)
    return (
        f"{len(missing)} of {len(counts['train'])} classes ({listed}) have {tested} test samples "
        "but no training sample; fine-tuning will unlearn them."
    )


def _scaled_indices(model_facts: Facts, data_facts: Facts) -> str | None:
    """Indices into an embedding must not be scaled."""
    kind = (data_facts.get("scaling") or {}).get("kind", "none")
    indexed = any(layer["type"] == "Embedding" for layer in model_facts["layers"])
    if kind == "none" or not indexed:
        return None
    return (
        f"The samples are scaled ({SCALINGS[kind]}), but the model has an embedding, whose indices "
        "must stay whole numbers. Choose no scaling."
    )


def _scaled_twice(model_facts: Facts, data_facts: Facts) -> str | None:
    kind = (data_facts.get("scaling") or {}).get("kind", "none")
    own = [
        f"{layer['name']!r} ({layer['type']})"
        for layer in model_facts["layers"]
        if layer["type"] in ("Rescaling", "Normalization")
    ]
    if kind == "none" or not own:
        return None
    return (
        f"The samples are scaled here ({SCALINGS[kind]}), and the model scales them again in its "
        f"own layer {own[0]}. Choose no scaling, unless the model was trained like that."
    )


def _few_samples(data_facts: Facts) -> str | None:
    n = data_facts["test"]
    if n >= FEW_TEST_SAMPLES:
        return None
    points = 98 / math.sqrt(n)  # half of the 95 % interval of a share near one half, in points
    return (
        f"There are only {n} test samples, so accuracy is known to about ±{points:.0f} points; "
        f"use {FEW_TEST_SAMPLES} or more to tell variants apart."
    )
