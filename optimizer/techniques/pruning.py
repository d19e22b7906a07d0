"""Pruning: weights set to zero while the model is fine-tuned. Runs in stage processes only.

Single weights by magnitude within a layer are pruned by tfmot's wrapper, wherever it fits;
everything else by masks of our own (:mod:`optimizer.techniques.masks`). Whole channels are
removed by :mod:`optimizer.techniques.channels`.

Source: Zhu & Gupta 2017, "To prune, or not to prune" (arXiv:1710.01878), and
https://www.tensorflow.org/model_optimization/guide/pruning.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import tensorflow_model_optimization as tfmot
import tf_keras as keras

from optimizer.data.arrays import load_arrays
from optimizer.errors import InputError
from optimizer.models.flat import load_flat, save_flat
from optimizer.stage import Files, Progress
from optimizer.techniques.eligible import prunable, wrappable
from optimizer.techniques.graph import clone
from optimizer.techniques.held import held
from optimizer.techniques.kernels import Kernel, kernels_in, kernels_of, sparsity
from optimizer.techniques.masks import Masks, MaskUpdates, Score, at_random, magnitude
from optimizer.techniques.promises import Promises, read_promises, write_promises
from optimizer.techniques.schedule import (
    TimetableSchedule,
    final_sparsity,
    timetable,
    with_final,
)
from optimizer.techniques.training import Objective, fit, make_deterministic, steps_in, taylor


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Prune a model while fine-tuning it.

    Args:
        params: ``prune``, ``fine_tune``, ``layers`` and ``seed`` as in a recipe, and ``task``.
        inputs: ``model`` with ``model.keras``, ``data`` with ``arrays.npz``.
        progress: told after each batch.

    Returns:
        ``model.keras`` (stripped of tfmot's wrappers), ``promises.json`` and ``training.json``.

    Raises:
        InputError: no layer of the model can be pruned, or a layer override names none.
        StageError: training diverged.
    """
    make_deterministic(params["seed"])
    model = load_flat(inputs["model"]["model.keras"])
    prune = params["prune"]
    objective = Objective.of(model, load_arrays(inputs["data"]), params["task"], params.get("loss"))
    finals = final_sparsities(model, prune, params["layers"])
    steps = steps_in(objective.samples, params["fine_tune"])
    tables = {
        name: timetable(with_final(prune["schedule"], final), steps)
        for name, final in finals.items()
    }
    copy = clone(model)
    by_tfmot = _tfmot_layers(copy, finals, prune)
    student = _wrap(copy, {name: tables[name] for name in by_tfmot})
    own = [k for k in kernels_in(copy, finals) if k.layer not in by_tfmot and _fits(k, prune)]
    masks = Masks(
        own,
        [tables[kernel.layer] for kernel in own],
        prune["structure"],
        _criterion(prune["criterion"], copy, objective, params["seed"]),
        _together(own, finals, prune),
    )
    updates = [tfmot.sparsity.keras.UpdatePruningStep()] if by_tfmot else []
    losses = fit(
        held(student, masks.projections()),
        objective,
        params["fine_tune"],
        progress,
        callbacks=[*updates, MaskUpdates(masks)],
    )
    pruned = tfmot.sparsity.keras.strip_pruning(student) if by_tfmot else student
    reached = {name: sparsity(kernels_of(pruned.get_layer(name))) for name in finals}
    training = {"loss": losses, "steps": steps, "sparsity": reached}
    earlier = read_promises(inputs["model"])
    return {
        "model.keras": save_flat(pruned),
        "promises.json": write_promises(earlier, _promises(pruned, finals, prune)),
        "training.json": json.dumps(training).encode(),
    }


def final_sparsities(
    model: Any, prune: Mapping[str, Any], overrides: Mapping[str, Mapping[str, Any]]
) -> dict[str, float]:
    """The final sparsity of each layer that is pruned, in the model's order.

    Raises:
        InputError: no layer of the model can be pruned, or a layer override names none.
    """
    final = final_sparsity(prune["schedule"])
    eligible = [layer.name for layer in model.layers if prunable(layer) is None]
    finals = dict.fromkeys(eligible, final)
    if not finals:
        raise InputError("No layer of this model can be pruned; the model page says why for each.")
    if prune["gentle_ends"]:
        finals |= dict.fromkeys((eligible[0], eligible[-1]), final / 2)
    for name, override in overrides.items():
        if override["final_sparsity"] is None:
            continue
        if name not in finals:
            raise InputError(
                f"The recipe overrides the sparsity of {name!r}, which is not a prunable layer. "
                f"Prunable layers: {', '.join(sorted(finals))}."
            )
        finals[name] = override["final_sparsity"]
    return finals


def _tfmot_layers(model: Any, names: Collection[str], prune: Mapping[str, Any]) -> set[str]:
    """The layers that tfmot's own wrapper prunes as the recipe asks."""
    usual = {"structure": {"kind": "unstructured"}, "criterion": "magnitude", "scope": "layer"}
    if any(prune[field] != value for field, value in usual.items()):
        return set()
    return {name for name in names if wrappable(model.get_layer(name))}


def _wrap(model: Any, tables: Mapping[str, Mapping[int, float]]) -> Any:
    def wrap(layer: Any) -> Any:
        if layer.name not in tables:
            return layer
        return tfmot.sparsity.keras.prune_low_magnitude(
            layer, pruning_schedule=TimetableSchedule(tables[layer.name])
        )

    return keras.models.clone_model(model, clone_function=wrap) if tables else model


def _criterion(kind: str, model: Any, objective: Objective, seed: int) -> Score:
    if kind == "gradient":
        return taylor(model, objective)
    return at_random(seed) if kind == "random" else magnitude


def _fits(kernel: Kernel, prune: Mapping[str, Any]) -> bool:
    """Whether a structure can be laid over a kernel: blocks and patterns need a matrix."""
    return prune["structure"]["kind"] == "unstructured" or kernel.axes is not None


def _together(
    kernels: list[Kernel], finals: Mapping[str, float], prune: Mapping[str, Any]
) -> list[int]:
    """The kernels that compete over all layers: those without a sparsity of their own."""
    if prune["scope"] != "global":
        return []
    final = final_sparsity(prune["schedule"])
    return [index for index, kernel in enumerate(kernels) if finals[kernel.layer] == final]


def _promises(model: Any, finals: Mapping[str, float], prune: Mapping[str, Any]) -> Promises:
    """What holds for each pruned layer, see :mod:`optimizer.techniques.promises`."""
    structure = prune["structure"]
    promises: Promises = {}
    together = []
    for name, final in finals.items():
        kernels = [kernel for kernel in kernels_of(model.get_layer(name)) if _fits(kernel, prune)]
        if not kernels:
            continue
        if structure["kind"] == "n_m":
            promises[name] = {"n_m": [structure["n"], structure["m"]]}
            continue
        size = structure["size"] if structure["kind"] == "block" else [1, 1]
        if prune["scope"] == "global" and final == final_sparsity(prune["schedule"]):
            together.append(name)
            promises[name] = {}
        else:
            weights = min(kernel.numpy().size for kernel in kernels)
            promises[name] = {"sparsity": final, "slack": size[0] * size[1] / weights}
        if structure["kind"] == "block":
            promises[name]["block"] = size
    if together:
        promises[""] = {"sparsity": final_sparsity(prune["schedule"]), "layers": together}
    return promises
