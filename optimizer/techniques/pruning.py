"""Magnitude pruning with tfmot. Runs in stage processes only.

Source: Zhu & Gupta 2017, "To prune, or not to prune" (arXiv:1710.01878), and
https://www.tensorflow.org/model_optimization/guide/pruning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras as keras

from optimizer.data.arrays import load_arrays
from optimizer.errors import InputError, StageError
from optimizer.models.flat import load_flat, save_flat
from optimizer.stage import Files, Progress
from optimizer.techniques.eligible import KERNELS, prunable
from optimizer.techniques.graph import clone
from optimizer.techniques.training import Objective, fit, make_deterministic, steps_in

MASK_UPDATES = 20
"""How often, at least, the masks are updated between ``begin`` and ``end`` if steps allow."""


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Prune a model while fine-tuning it.

    Args:
        params: ``prune``, ``fine_tune``, ``layers`` and ``seed`` as in a recipe, and ``task``.
        inputs: ``model`` with ``model.keras``, ``data`` with ``arrays.npz``.
        progress: told after each batch.

    Returns:
        ``model.keras`` (stripped of tfmot's wrappers) and ``training.json``.

    Raises:
        InputError: no layer of the model can be pruned, or a layer override names none.
        StageError: the sparsity asked for was not reached, or training diverged.
    """
    make_deterministic(params["seed"])
    model = load_flat(inputs["model"]["model.keras"])
    arrays = load_arrays(inputs["data"])
    steps = steps_in(len(arrays.x_train), params["fine_tune"])
    targets = _final_sparsities(model, params)
    schedules = {
        name: schedule_for(_with_final(params["prune"]["schedule"], final), steps)
        for name, final in targets.items()
    }
    wrapped = _wrap(clone(model), schedules)
    losses = fit(
        wrapped,
        Objective.of(model, arrays, params["task"]),
        params["fine_tune"],
        progress,
        callbacks=[tfmot.sparsity.keras.UpdatePruningStep()],
    )
    pruned = tfmot.sparsity.keras.strip_pruning(wrapped)
    reached = _sparsities(pruned, list(targets))
    _check(targets, reached, pruned)
    training = {"loss": losses, "steps": steps, "sparsity": reached}
    return {"model.keras": save_flat(pruned), "training.json": json.dumps(training).encode()}


def schedule_for(schedule: Mapping[str, Any], steps: int) -> Any:
    """The tfmot schedule of a recipe's schedule, for a training of ``steps`` optimizer steps.

    tfmot updates masks every ``frequency`` steps from ``begin_step`` and never after
    ``end_step``; its default of 100 prunes nothing in a short fine-tuning. Here the last
    update always falls on ``end_step``, within training.
    """
    last = max(1, steps - 1)
    begin = min(round(schedule["begin"] * steps), last - 1)
    if schedule["kind"] == "constant":
        frequency = schedule["frequency"] or max(1, (last - begin) // MASK_UPDATES)
        return tfmot.sparsity.keras.ConstantSparsity(
            schedule["target_sparsity"], begin_step=begin, frequency=min(frequency, last - begin)
        )
    end = min(max(round(schedule["end"] * steps), begin + 1), last)
    frequency = min(schedule["frequency"] or max(1, (end - begin) // MASK_UPDATES), end - begin)
    return tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=schedule["initial_sparsity"],
        final_sparsity=schedule["final_sparsity"],
        begin_step=begin,
        end_step=begin + (end - begin) // frequency * frequency,
        power=schedule["power"],
        frequency=frequency,
    )


def _final_sparsities(model: Any, params: Mapping[str, Any]) -> dict[str, float]:
    schedule = params["prune"]["schedule"]
    final = schedule.get("final_sparsity", schedule.get("target_sparsity"))
    eligible = {layer.name for layer in model.layers if prunable(layer) is None}
    if not eligible:
        raise InputError("No layer of this model can be pruned; the model page says why for each.")
    overrides = {
        name: override["final_sparsity"]
        for name, override in params["layers"].items()
        if override["final_sparsity"] is not None
    }
    for name in overrides:
        if name not in eligible:
            raise InputError(
                f"The recipe overrides the sparsity of {name!r}, which is not a prunable layer. "
                f"Prunable layers: {', '.join(sorted(eligible))}."
            )
    return {
        layer.name: overrides.get(layer.name, final)
        for layer in model.layers
        if layer.name in eligible
    }


def _with_final(schedule: Mapping[str, Any], final: float) -> dict[str, Any]:
    if schedule["kind"] == "constant":
        return {**schedule, "target_sparsity": final}
    initial = min(schedule["initial_sparsity"], final)
    return {**schedule, "final_sparsity": final, "initial_sparsity": initial}


def _wrap(model: Any, schedules: Mapping[str, Any]) -> Any:
    def wrap(layer: Any) -> Any:
        if layer.name not in schedules:
            return layer
        return tfmot.sparsity.keras.prune_low_magnitude(
            layer, pruning_schedule=schedules[layer.name]
        )

    return keras.models.clone_model(model, clone_function=wrap)


def _sparsities(model: Any, names: list[str]) -> dict[str, float]:
    sparsities = {}
    for name in names:
        layer = model.get_layer(name)
        kernels = [getattr(layer, attribute).numpy() for attribute in KERNELS[type(layer)]]
        zeros = sum(int(np.count_nonzero(kernel == 0)) for kernel in kernels)
        sparsities[name] = zeros / sum(kernel.size for kernel in kernels)
    return sparsities


def _check(targets: Mapping[str, float], reached: Mapping[str, float], model: Any) -> None:
    for name, target in targets.items():
        size = model.get_layer(name).count_params()
        if reached[name] < target - max(1e-3, 1.0 / size):
            raise StageError(
                f"Pruning did not reach its target: layer {name!r} has a sparsity of "
                f"{reached[name]:.1%} where {target:.1%} was asked. Train for more epochs, or "
                "with a smaller batch size, so that the masks are updated more often."
            )
