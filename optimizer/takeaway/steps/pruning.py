"""Pruning."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import tensorflow_model_optimization as tfmot
import tf_keras as keras

from optimizer.takeaway.steps.data import Objective
from optimizer.takeaway.steps.training import train
from optimizer.takeaway.steps.values import (
    BATCH_SIZE,
    COMPETING,
    EPOCHS,
    SCHEDULE,
    SPARSITY,
    STRUCTURE,
)
from optimizer.techniques.eligible import wrappable
from optimizer.techniques.graph import clone
from optimizer.techniques.held import held
from optimizer.techniques.kernels import kernels_in
from optimizer.techniques.masks import Masks, MaskUpdates
from optimizer.techniques.schedule import TimetableSchedule, timetable, with_final


def timetables(objective: Objective) -> dict[str, dict[int, float]]:
    """For each layer to prune, the training steps that update its mask and the sparsity due."""
    steps = EPOCHS * math.ceil(objective.samples / BATCH_SIZE)
    return {name: timetable(with_final(SCHEDULE, final), steps) for name, final in SPARSITY.items()}


def in_pruning_wrappers(model: Any, tables: Mapping[str, Mapping[int, float]]) -> Any:
    """The model with tfmot's wrapper, which keeps a mask of zeros, around some layers."""

    def wrap(layer: Any) -> Any:
        if layer.name not in tables:
            return layer
        schedule = TimetableSchedule(tables[layer.name])
        return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule)

    return keras.models.clone_model(model, clone_function=wrap)


def prune(model: Any, objective: Objective) -> Any:
    """Set the smallest weights of each layer to zero while fine-tuning."""
    wrapped = in_pruning_wrappers(clone(model), timetables(objective))
    train(wrapped, objective, [tfmot.sparsity.keras.UpdatePruningStep()])
    return clone(tfmot.sparsity.keras.strip_pruning(wrapped))  # stripped layers keep old calls


def prune_by_masks(
    model: Any, objective: Objective, criterion: Callable[..., Any], wrapped: Collection[str] = ()
) -> Any:
    """Set the weights that matter least to zero while fine-tuning, with masks of our own.

    Layers named in ``wrapped`` have tfmot's wrapper instead.
    """
    tables = timetables(objective)
    copy = clone(model)
    student = copy
    if wrapped:
        student = in_pruning_wrappers(copy, {name: tables[name] for name in wrapped})
    kernels = [
        kernel
        for kernel in kernels_in(copy, SPARSITY)
        if kernel.layer not in wrapped
        and (STRUCTURE["kind"] == "unstructured" or kernel.axes is not None)
    ]
    masks = Masks(
        kernels,
        [tables[kernel.layer] for kernel in kernels],
        STRUCTURE,
        criterion(copy, objective),
        [index for index, kernel in enumerate(kernels) if kernel.layer in COMPETING],
    )
    updates = [tfmot.sparsity.keras.UpdatePruningStep()] if wrapped else []
    train(held(student, masks.projections()), objective, [*updates, MaskUpdates(masks)])
    return clone(tfmot.sparsity.keras.strip_pruning(student) if wrapped else student)


def prune_by_both(model: Any, objective: Objective, criterion: Callable[..., Any]) -> Any:
    """Prune with tfmot's wrapper where it fits, and with masks of our own elsewhere."""
    fitting = [name for name in SPARSITY if wrappable(model.get_layer(name))]
    return prune_by_masks(model, objective, criterion, fitting)
