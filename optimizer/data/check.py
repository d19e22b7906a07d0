"""Does this dataset fit this model? Answered from their facts, before anything runs.

All functions are pure and take the contents of the two ``facts.json`` files. Every message
carries the values of both sides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from optimizer.errors import InputError

Facts = Mapping[str, Any]
CLASS_KINDS = ("class_index", "one_hot", "binary")
FEW_TEST_SAMPLES = 100
_SIGMOIDS = ("sigmoid", "hard_sigmoid")
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
    several = _several_ends(model_facts)
    if several:
        return [Finding("error", several)]
    errors = [_shape(model_facts, data_facts), _indices(model_facts, data_facts)]
    errors.append(_not_finite(data_facts))
    try:
        task = propose_task(model_facts, data_facts)
    except InputError as error:
        errors.append(str(error))
        task = ""
    warnings = [
        _range(model_facts, data_facts),
        _unused_outputs(model_facts, data_facts) if task == "multiclass" else None,
        _missing_classes(data_facts),
        _few_samples(data_facts),
    ]
    return [Finding("error", text) for text in errors if text] + [
        Finding("warning", text) for text in warnings if text
    ]


def propose_task(model_facts: Facts, data_facts: Facts) -> str:
    """The task that outputs and labels suggest together.

    Returns:
        ``multiclass``, ``binary``, ``regression`` or ``reconstruction``.

    Raises:
        InputError: none fits; the message says what the labels are and what the model gives.
    """
    several = _several_ends(model_facts)
    if several:
        raise InputError(several)
    output = model_facts["outputs"][0]
    shape, kind = list(output["shape"][1:]), data_facts["y_kind"]
    if _is_autoencoder(model_facts, data_facts):
        return "reconstruction"
    if kind == "none":
        raise InputError(
            f"The dataset has no labels, and the model's output of shape {_text(shape)} is not a "
            f"reconstruction of its input. Add y_train and y_test."
        )
    if kind == "real":
        return _real_task(output, data_facts)
    if len(shape) != 1:
        raise InputError(
            f"The labels give one class per sample, but the model's output has shape "
            f"{_text(shape)} per sample. This version takes one vector of scores per sample."
        )
    return _class_task(output, data_facts)


def outputs_are_logits(model_facts: Facts) -> bool:
    """Whether a model for a binary task ends without a sigmoid: then 0 separates the classes."""
    return model_facts["outputs"][0].get("activation") not in (*_SIGMOIDS, "softmax")


def _class_task(output: Facts, data_facts: Facts) -> str:
    units, activation = output["shape"][-1], output.get("activation")
    classes, described = data_facts["classes"], _describe_classes(data_facts)
    if units == 1:
        if data_facts["y_kind"] == "binary":
            return "binary"
        if data_facts["y_kind"] == "one_hot" and classes == 2:
            return "binary"
        if data_facts["y_kind"] == "class_index" and activation not in _SIGMOIDS:
            return "regression"
        raise InputError(
            f"The labels are {described}, but the model has a single output"
            f"{f' with {activation}' if activation else ''}, which can tell two classes apart. "
            "Use a model with one output per class, or labels 0 and 1."
        )
    if classes > units:
        raise InputError(
            f"The labels are {described}, but the model has {units} outputs, for the classes 0 to "
            f"{units - 1}. {_renumber(data_facts, units)}"
        )
    return "multiclass"


def _real_task(output: Facts, data_facts: Facts) -> str:
    shape, targets = list(output["shape"][1:]), list(data_facts["y_shape"]) or [1]
    values = f"between {_number(data_facts['y_min'])} and {_number(data_facts['y_max'])}"
    if output.get("activation") == "softmax":
        raise InputError(
            f"The labels are real values {values}, but the model ends in a softmax over "
            f"{shape[-1]} classes. Give classes as whole numbers from 0 to {shape[-1] - 1}."
        )
    if math.prod(d or 1 for d in shape) != math.prod(targets):
        raise InputError(
            f"The labels are real values {values} of shape {_text(targets)} per sample, but the "
            f"model gives {_text(shape)}. They must be equal."
        )
    return "regression"


def _is_autoencoder(model_facts: Facts, data_facts: Facts) -> bool:
    source, output = model_facts["inputs"][0], model_facts["outputs"][0]
    same = source["shape"][1:] == output["shape"][1:]
    labels_fit = (
        data_facts["y_kind"] in CLASS_KINDS and data_facts["classes"] == (output["shape"][-1])
    )
    wide = math.prod(d or 1 for d in output["shape"][1:]) > 1
    targets_fit = (
        data_facts["y_kind"] == "real" and list(data_facts["y_shape"]) == output["shape"][1:]
    )
    return (
        same
        and (wide or data_facts["y_kind"] == "none")
        and output.get("activation") != "softmax"
        and not labels_fit
        and not targets_fit
    )


def _several_ends(model_facts: Facts) -> str | None:
    inputs, outputs = len(model_facts["inputs"]), len(model_facts["outputs"])
    if inputs == 1 and outputs == 1:
        return None
    return (
        f"The model has {inputs} input{'s' * (inputs != 1)} and {outputs} "
        f"output{'s' * (outputs != 1)}; this version takes one input and one output."
    )


def _shape(model_facts: Facts, data_facts: Facts) -> str | None:
    wanted = list(model_facts["inputs"][0]["shape"][1:])
    given = list(data_facts["x_shape"])
    if _fits(given, wanted):
        return None
    advice = _reshape_advice(given, wanted)
    return (
        f"The model takes samples of shape {_text(wanted)}; the dataset has {_text(given)}. "
        f"{advice}"
    )


def _fits(given: list[int], wanted: list[int | None]) -> bool:
    return len(given) == len(wanted) and all(
        w is None or w == g for g, w in zip(given, wanted, strict=True)
    )


def _reshape_advice(given: list[int], wanted: list[int | None]) -> str:
    fixed = [d if d is not None else -1 for d in wanted]
    if _fits([*given, 1], wanted):
        return "The channel axis is missing: save x[..., np.newaxis]."
    if given and given[-1] == 1 and _fits(given[:-1], wanted):
        return "The last axis is one too many: save x[..., 0]."
    if len(given) == 3 and _fits([*given[1:], given[0]], wanted):
        return "The channels come first: save np.moveaxis(x, 1, -1)."
    if len(given) == 3 and given[-1] == 1 and _fits([*given[:-1], 3], wanted):
        return "The images are grey, the model wants colour: save np.repeat(x, 3, axis=-1)."
    if None not in wanted and math.prod(given) == math.prod(fixed):
        target = ", ".join(map(str, fixed))
        return f"The number of values is the same: save x.reshape(len(x), {target})."
    if len(given) == len(wanted) == 3 and given[-1] == fixed[-1]:
        return f"Resize the images to {fixed[0]} × {fixed[1]}."
    return "Bring the samples into the model's shape."


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
        f"{entries - 1}; the dataset has values from {_number(low)} to {_number(high)}."
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
    if low is None or not image:
        return None
    early = [layer for layer in model_facts["layers"] if layer["type"] != "InputLayer"][:3]
    scaling = [layer for layer in early if layer["type"] in _SCALING_LAYERS]
    values = f"from {_number(low)} to {_number(high)}"
    if low >= 0 and 32 < high <= 255 and not scaling:
        return (
            f"The samples have values {values}, and the model has no Rescaling or Normalization "
            "layer at its input. If it was trained on scaled values, save x / 255."
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
        f"{_describe_classes(data_facts)}. {_renumber(data_facts, units)}"
    )


def _renumber(data_facts: Facts, units: int) -> str:
    """Advice when labels and outputs disagree; counted from 1 is the usual reason."""
    if data_facts["y_kind"] == "class_index" and data_facts["y_min"] == 1:
        if data_facts["classes"] == units + 1:
            return "Classes are counted from 0: save y - 1."
        return "Classes are counted from 0, and class 0 never occurs: is y one too high?"
    return "Check that dataset and model belong together."


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


def _few_samples(data_facts: Facts) -> str | None:
    n = data_facts["test"]
    if n >= FEW_TEST_SAMPLES:
        return None
    points = 98 / math.sqrt(n)  # half of the 95 % interval of a share near one half, in points
    return (
        f"There are only {n} test samples, so accuracy is known to about ±{points:.0f} points; "
        f"use {FEW_TEST_SAMPLES} or more to tell variants apart."
    )


def _describe_classes(data_facts: Facts) -> str:
    classes = data_facts["classes"]
    if data_facts["y_kind"] == "one_hot":
        return f"one-hot with {classes} columns"
    low = int(data_facts["y_min"])
    return f"classes {low} to {classes - 1}"


def _text(shape: list[Any]) -> str:
    inner = ", ".join("any" if d is None else str(d) for d in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def _number(value: float) -> str:
    return f"{value:.4g}"
