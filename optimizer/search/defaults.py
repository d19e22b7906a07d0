"""The space that a search uses when none is given: from what the model allows and the goal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optimizer.data.objective import UNLABELLED
from optimizer.feasible import objections
from optimizer.grid import MAX_COMBINATIONS, Grid
from optimizer.recipe import Recipe
from optimizer.search.goal import Objective

_SPARSITIES = [0.3, 0.5, 0.6, 0.7, 0.8, 0.9]
_CLUSTERS = [8, 16, 32, 64]
_REMOVED = [0.2, 0.35, 0.5, 0.65]
_MODES: tuple[dict[str, Any], ...] = (
    {"mode": "none"},
    {"mode": "float16"},
    {"mode": "dynamic"},
    {"mode": "int8"},
    {"mode": "int8", "aware": True},
)


def default_space(
    model_facts: Mapping[str, Any], task: str, objective: Objective, epochs: int = 3
) -> dict[str, Any]:
    """A grid for a model, as plain data.

    Zeros and shared values make a compressed download small and leave the file and its latency
    as they are; removed channels make all three smaller. So they are what a search for latency
    or a small file is offered, and pruning and clustering what the others are.

    Args:
        model_facts: of the model.
        task: of the study.
        objective: of the search.
        epochs: of each training stage.
    """

    def possible(**parts: Any) -> bool:
        return not objections(Recipe.parse(parts), model_facts, task)

    trains = UNLABELLED not in task.split("+")
    modes = [mode for mode in _MODES if mode == {"mode": "none"} or possible(quantize=mode)]
    space: dict[str, Any] = {"quantize": modes, "fine_tune": {"epochs": epochs}}
    if not trains:
        return space
    channels = {"structure": {"kind": "channels"}, "criterion": "gradient", "scope": "global"}
    if objective in ("latency", "size"):
        if possible(prune=channels):
            removed = {"kind": "polynomial", "final_sparsity": _REMOVED}
            space["prune"] = [None, {**channels, "schedule": removed}]
        return space
    if possible(prune={}):
        zeros = {"kind": "polynomial", "final_sparsity": _SPARSITIES}
        space["prune"] = [None, {"schedule": zeros}]
    if possible(cluster={}):
        space["cluster"] = [None, {"number_of_clusters": _CLUSTERS}]
    return space


def nothing_possible(grid: Grid, model_facts: Mapping[str, Any], task: str) -> str | None:
    """Why no recipe of a space can run on a model; ``None`` when one can.

    Spaces with more combinations than are listed are looked at by the search itself.
    """
    if grid.combinations > MAX_COMBINATIONS:
        return None
    reason = "It holds the float32 baseline only."
    for recipe in grid.expand().recipes:
        if recipe.is_baseline:
            continue
        found = objections(recipe, model_facts, task)
        if not found:
            return None
        reason = found[0]
    return f"Nothing in the search space can run on this model. {reason}"
