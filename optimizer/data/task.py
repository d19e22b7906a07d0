"""Which task a model and a dataset suggest together, from their facts."""

from __future__ import annotations

import math
from typing import Any

from optimizer.data.arrays import bind
from optimizer.data.facts import Facts, single, target_names
from optimizer.data.objective import UNLABELLED
from optimizer.errors import InputError

CLASS_KINDS = ("class_index", "one_hot", "binary")
_SIGMOIDS = ("sigmoid", "hard_sigmoid")


def propose_task(model_facts: Facts, data_facts: Facts) -> str:
    """The task that outputs and labels suggest together.

    Returns:
        One of :data:`optimizer.data.objective.TASKS` for each output, joined by ``+``;
        ``unlabelled`` without labels.

    Raises:
        InputError: none fits; the message says what the labels are and what the model gives.
    """
    outputs, names = model_facts["outputs"], target_names(data_facts)
    if len(outputs) == 1 and _is_autoencoder(model_facts, data_facts):
        return "reconstruction"
    if not names:
        return UNLABELLED
    order = bind([output["name"] for output in outputs], names, "output")
    return "+".join(
        _task_of(output, single(data_facts, 0, index))
        for output, index in zip(outputs, order, strict=True)
    )


def _task_of(output: Facts, data_facts: Facts) -> str:
    shape, kind = list(output["shape"][1:]), data_facts["y_kind"]
    if kind == "real":
        return _real_task(output, data_facts)
    if kind == "multilabel":
        return _multilabel_task(output, data_facts)
    if len(shape) != 1:
        raise InputError(
            f"The labels give one class per sample, but the model's output has shape "
            f"{shape_text(shape)} per sample. Use a model with one vector of scores per sample."
        )
    return _class_task(output, data_facts)


def task_choices(model_facts: Facts, data_facts: Facts) -> list[list[str]]:
    """For each output the tasks that are possible, the proposed one first.

    Raises:
        InputError: see :func:`propose_task`.
    """
    proposed = propose_task(model_facts, data_facts).split("+")
    choices = [[task] for task in proposed]
    for tasks in choices:
        if tasks[0] in ("binary", "multilabel"):
            tasks.append("regression")
        if len(proposed) == 1 and _is_autoencoder(model_facts, data_facts):
            tasks += [task for task in ("reconstruction",) if task not in tasks]
        if len(proposed) == 1 and tasks[0] != UNLABELLED:
            tasks.append(UNLABELLED)
    return choices


def outputs_are_logits(model_facts: Facts) -> list[bool]:
    """For each output whether it ends without a sigmoid: then 0 separates two classes."""
    return [
        output.get("activation") not in (*_SIGMOIDS, "softmax") for output in model_facts["outputs"]
    ]


def _multilabel_task(output: Facts, data_facts: Facts) -> str:
    shape, labels = list(output["shape"][1:]), list(data_facts["y_shape"])
    if shape != labels:
        raise InputError(
            f"The labels are 0 or 1 in {labels[0]} columns, but the model gives "
            f"{shape_text(shape)} per sample. There must be one output for each label."
        )
    if output.get("activation") == "softmax":
        raise InputError(
            "Samples have none or several labels, but the model ends in a softmax, which "
            "gives each sample one class. Use a model that ends in a sigmoid."
        )
    return "multilabel"


def _class_task(output: Facts, data_facts: Facts) -> str:
    units, activation = output["shape"][-1], output.get("activation")
    classes, described = data_facts["classes"], describe_classes(data_facts)
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
            f"{units - 1}. {renumbering_advice(data_facts, units)}"
        )
    return "multiclass"


def _real_task(output: Facts, data_facts: Facts) -> str:
    shape, targets = list(output["shape"][1:]), list(data_facts["y_shape"]) or [1]
    values = f"between {number_text(data_facts['y_min'])} and {number_text(data_facts['y_max'])}"
    if output.get("activation") == "softmax":
        raise InputError(
            f"The labels are real values {values}, but the model ends in a softmax over "
            f"{shape[-1]} classes. Give classes as whole numbers from 0 to {shape[-1] - 1}."
        )
    if math.prod(d or 1 for d in shape) != math.prod(targets):
        raise InputError(
            f"The labels are real values {values} of shape {shape_text(targets)} per sample, but "
            f"the model gives {shape_text(shape)}. They must be equal."
        )
    return "regression"


def _is_autoencoder(model_facts: Facts, data_facts: Facts) -> bool:
    source, output = model_facts["inputs"][0], model_facts["outputs"][0]
    same = source["shape"][1:] == output["shape"][1:] and len(model_facts["inputs"]) == 1
    labels_fit = (
        data_facts["y_kind"] in CLASS_KINDS and data_facts["classes"] == (output["shape"][-1])
    )
    wide = math.prod(d or 1 for d in output["shape"][1:]) > 1
    targets_fit = (
        data_facts["y_kind"] in ("real", "multilabel")
        and list(data_facts["y_shape"]) == output["shape"][1:]
    )
    return (
        same
        and (wide or data_facts["y_kind"] == "none")
        and output.get("activation") != "softmax"
        and not labels_fit
        and not targets_fit
    )


def renumbering_advice(data_facts: Facts, units: int) -> str:
    """Advice when labels and outputs disagree; counted from 1 is the usual reason."""
    if data_facts["y_kind"] == "class_index" and data_facts["y_min"] == 1:
        if data_facts["classes"] == units + 1:
            return "Classes are counted from 0: save y - 1."
        return "Classes are counted from 0, and class 0 never occurs: is y one too high?"
    return "Check that dataset and model belong together."


def describe_classes(data_facts: Facts) -> str:
    """The labels' classes in words, such as ``classes 0 to 9``."""
    classes = data_facts["classes"]
    if data_facts["y_kind"] == "one_hot":
        return f"one-hot with {classes} columns"
    low = int(data_facts["y_min"])
    return f"classes {low} to {classes - 1}"


def shape_text(shape: list[Any]) -> str:
    """A shape as Python writes it, with ``any`` for a free dimension."""
    inner = ", ".join("any" if d is None else str(d) for d in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def number_text(value: float) -> str:
    """A number with four significant digits."""
    return f"{value:.4g}"
