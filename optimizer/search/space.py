"""The candidates of a search: a grid's recipes, each with the choices that lead to it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optimizer.errors import InputError
from optimizer.grid import Grid
from optimizer.plan import StudyPlan
from optimizer.recipe import Recipe

Choices = Mapping[str, int]
"""Choice point → index of the alternative taken."""
Training = Callable[[Recipe], tuple[tuple[str, str], ...]]
TRAINING = ("prune", "cluster", "quantize_aware")
"""Names of the stages that train."""

PER_LAYER = "per_layer"
"""The choice point of :mod:`optimizer.search.per_layer`: 0 uniform, 1 by sensitivity."""
MOST_LISTED = 2000
"""Spaces with more combinations are known by that many of them, drawn by the seed."""
_DRAWS = 4 * MOST_LISTED
_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True)
class Candidate:
    """One recipe of the space.

    Attributes:
        choices: what leads to it.
        recipe: it.
        training: (name, content key) of each of its training stages, in their order.
    """

    choices: Choices
    recipe: Recipe
    training: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """The recipe's hash."""
        return self.recipe.hash


@dataclass(frozen=True)
class Space:
    """What a search chooses from.

    Attributes:
        candidates: distinct recipes that this model allows; the baseline is none of them.
        scales: choice point → the numbers between which it chooses, where all are numbers.
        refused: why others are not among them → how many.
    """

    candidates: tuple[Candidate, ...]
    scales: Mapping[str, tuple[float, ...]]
    refused: Mapping[str, int]

    @cached_property
    def by_key(self) -> dict[str, Candidate]:
        """Recipe's hash → candidate."""
        return {candidate.key: candidate for candidate in self.candidates}

    @cached_property
    def counts(self) -> dict[str, int]:
        """Choice point → number of its alternatives that any candidate takes."""
        highest: dict[str, int] = {}
        for candidate in self.candidates:
            for path, index in candidate.choices.items():
                highest[path] = max(highest.get(path, 0), index)
        return {path: index + 1 for path, index in highest.items()}

    def next_point(self, made: Choices) -> str | None:
        """The choice point that some choices lead to next; ``None`` when they are complete.

        Choice points are asked in the grid's order, and which come depends on those before.
        """
        return self._followers.get(tuple(made.items()))

    @cached_property
    def _followers(self) -> dict[tuple[tuple[str, int], ...], str | None]:
        found: dict[tuple[tuple[str, int], ...], str | None] = {}
        for candidate in self.candidates:
            items = tuple(candidate.choices.items())
            found |= {items[:length]: items[length][0] for length in range(len(items))}
        return found


def build_space(
    grid: Grid,
    objections: Callable[[Recipe], list[str]],
    training: Training,
    per_layer: Callable[[Recipe], Recipe | None] | None = None,
    seed: int = 0,
) -> Space:
    """The space of a grid on one model.

    Args:
        grid: whose recipes are candidates.
        objections: why a recipe cannot run on the model, as sentences; see
            :func:`optimizer.feasible.objections`.
        training: the training stages of a recipe; see :func:`training_stages`.
        per_layer: gives a recipe's alternative with sparsities by sensitivity, or ``None``
            where it has none; see :mod:`optimizer.search.per_layer`.
        seed: of drawing from a space that is too large to list.

    Raises:
        InputError: a value of the grid is wrong, or nothing in it can run on this model.
    """
    found: dict[str, Candidate] = {}
    refused: dict[str, int] = {}
    scales: dict[str, list[float | None]] = {}
    for choices, data in _combinations(grid, seed):
        for path, index in choices.items():
            _note(scales.setdefault(path, []), index, _value_at(data, path))
        try:
            recipe = Recipe.parse(data)
            problems = [] if recipe.is_baseline else objections(recipe)
        except InputError as error:  # alternatives that contradict each other
            problems = [str(error)]
        else:
            if recipe.is_baseline:
                continue
        if problems:
            refused[problems[0]] = refused.get(problems[0], 0) + 1
            continue
        for made, each in _with_layers(choices, recipe, per_layer):
            if each.hash not in found:
                found[each.hash] = Candidate(made, each, training(each))
    if not found:
        reason = next(iter(refused), "It holds the float32 baseline only.")
        raise InputError(f"Nothing in the search space can run on this model. {reason}")
    numbers = {path: values for path, values in scales.items() if None not in values}
    return Space(
        tuple(found.values()),
        {path: tuple(v for v in values if v is not None) for path, values in numbers.items()},
        refused,
    )


def training_stages(plan: StudyPlan) -> Training:
    """What gives the training stages of a study's recipes, from its plan."""

    def stages(recipe: Recipe) -> tuple[tuple[str, str], ...]:
        upstream = plan.variant(recipe).convert.upstream()
        return tuple((stage.name, stage.key) for stage in upstream if stage.name in TRAINING)

    return stages


def _with_layers(
    choices: dict[str, int], recipe: Recipe, per_layer: Callable[[Recipe], Recipe | None] | None
) -> Iterator[tuple[dict[str, int], Recipe]]:
    other = per_layer(recipe) if per_layer else None
    if other is None:
        yield choices, recipe
        return
    yield {**choices, PER_LAYER: 0}, recipe
    yield {**choices, PER_LAYER: 1}, other


def _combinations(grid: Grid, seed: int) -> Iterator[tuple[dict[str, int], dict[str, Any]]]:
    """Every combination in order, or as many different ones as are listed, at random."""
    if grid.combinations <= MOST_LISTED:
        yield from _all(grid)
        return
    rng = random.Random(seed)  # noqa: S311 - nothing secret is drawn
    seen: set[str] = set()
    for _ in range(_DRAWS):
        choices: dict[str, int] = {}

        def pick(path: str, count: int, made: dict[str, int] = choices) -> int:
            made[path] = rng.randrange(count)
            return made[path]

        data = grid.choose(pick)
        name = json.dumps(choices, sort_keys=True)
        if name not in seen:
            seen.add(name)
            yield choices, data
        if len(seen) >= MOST_LISTED:
            return


def _all(grid: Grid) -> Iterator[tuple[dict[str, int], dict[str, Any]]]:
    """Depth first: the last choice point that has alternatives left is moved on."""
    prefix: list[int] = []
    while True:
        taken, data = _following(grid, prefix)
        yield {path: index for path, index, _ in taken}, data
        while taken and taken[-1][1] + 1 == taken[-1][2]:
            taken.pop()
        if not taken:
            return
        prefix = [index for _, index, _ in taken]
        prefix[-1] += 1


def _following(grid: Grid, prefix: list[int]) -> tuple[list[tuple[str, int, int]], dict[str, Any]]:
    """The combination that begins with some indices and goes on with first alternatives.

    Returns:
        (choice point, index, number of alternatives) of every choice made, and the recipe.
    """
    taken: list[tuple[str, int, int]] = []

    def pick(path: str, count: int) -> int:
        index = prefix[len(taken)] if len(taken) < len(prefix) else 0
        taken.append((path, index, count))
        return index

    data = grid.choose(pick)
    return taken, data


def _value_at(data: Any, path: str) -> float | None:
    """The number that a recipe has at a choice point, or ``None`` where it is no number."""
    for key in _INDEX.sub("", path).split("."):
        if not isinstance(data, dict):
            return None
        data = data.get(key)
    return float(data) if isinstance(data, int | float) and not isinstance(data, bool) else None


def _note(values: list[float | None], index: int, value: float | None) -> None:
    """Remember what an alternative's number is; ``None`` for good where it has none."""
    values.extend([None] * (index + 1 - len(values)))
    values[index] = value
