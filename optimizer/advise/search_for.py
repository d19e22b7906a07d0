"""A wish as a search: its objective and a space that the target allows."""

from __future__ import annotations

from typing import Any

from optimizer.advise.case import Case
from optimizer.advise.rules import against_target
from optimizer.advise.situation import Situation
from optimizer.advise.wish import Wish
from optimizer.errors import InputError
from optimizer.feasible import basic_objection, objections
from optimizer.grid import Grid
from optimizer.recipe import Recipe
from optimizer.search.defaults import default_space, nothing_possible
from optimizer.search.goal import Objective

_OBJECTIVES: dict[str, Objective] = {
    "download": "download",
    "flash": "size",
    "latency": "latency",
    "accuracy": "accuracy",
}
_SIMPLEST = Recipe.parse({"quantize": {"mode": "dynamic"}})
"""What refuses this refuses everything."""


def search_for(situation: Situation, wish: Wish) -> tuple[Objective, dict[str, Any]]:
    """The objective of a search for a wish, and the grid that it tries.

    Raises:
        InputError: a search cannot look for that, or nothing of it can run on the model.
    """
    objective = _OBJECTIVES.get(wish.priority)
    if objective is None:
        raise InputError("A search looks for size, latency or accuracy, not for memory.")
    if objective == "latency" and wish.target != "cpu":
        raise InputError(
            "A search measures latency on this machine's processor, which says nothing about that "
            "target."
        )
    if objective == "accuracy" and not situation.labelled:
        raise InputError("The study has no labels, so there is no accuracy to search for.")
    if wish.may_lose is None and objective != "accuracy":
        raise InputError("Without labels there is no limit to keep; try single recipes instead.")
    refused = basic_objection(_SIMPLEST, situation.model_facts, situation.task)
    if refused:
        raise InputError(refused)
    space = default_space(situation.model_facts, situation.task, objective)
    space["quantize"] = _modes(situation, wish, space["quantize"])
    problem = nothing_possible(Grid.parse(space), situation.model_facts, situation.task)
    if problem:
        raise InputError(problem)
    return objective, space


def _modes(situation: Situation, wish: Wish, modes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The quantization modes that a target takes, with the inputs and outputs it wants."""
    ends = {"io": "int8"} if wish.target in ("micro", "npu") else {}
    taken = []
    for mode in modes:
        changed = {**mode, **ends} if mode["mode"] == "int8" else mode
        recipe = Recipe.parse({"quantize": changed})
        fits = not against_target(Case(recipe, situation, wish))
        if fits and not objections(recipe, situation.model_facts, situation.task):
            taken.append(changed)
    if not taken:
        raise InputError("No quantization mode that this target takes can be made of this model.")
    return taken
