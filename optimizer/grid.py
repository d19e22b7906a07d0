"""A sweep as a value: a recipe in which any part or value may be a list of alternatives.

``{"prune": [null, {}], "cluster": {"number_of_clusters": [8, 16]}}`` stands for four recipes,
the product of its lists. Alternatives may hold alternatives of their own, which multiply within
theirs only. A field that is itself a list (``schedule.steps``, ``structure.size``) is wrapped
once more for alternatives: ``"size": [4, 1]`` is one block, ``[[4, 1], [1, 4]]`` are two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from optimizer.errors import InputError
from optimizer.grid_tree import Parts, Pick, parts_of
from optimizer.plain_json import MAX_BYTES, load_plain
from optimizer.recipe import BASELINE, Recipe
from optimizer.recipe_text import describe_error

MAX_COMBINATIONS = 2_000
_MAX_ALTERNATIVES = 1_000


@dataclass(frozen=True)
class LeftOut:
    """Combinations that contradict themselves.

    Attributes:
        reason: what contradicts what, as sentences.
        count: how many combinations.
        example: one of them, as ``field=value`` pairs.
    """

    reason: str
    count: int
    example: str


@dataclass(frozen=True)
class Expansion:
    """The recipes of a grid, without duplicates, and what was left out of them."""

    recipes: tuple[Recipe, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class Grid:
    """Alternatives for the parts and values of a recipe; see the module's description."""

    root: Parts

    @classmethod
    def parse(cls, value: str | bytes | dict[str, Any], source: str = "grid") -> Grid:
        """Read a grid from JSON text or a plain dict.

        Every alternative is checked once, as a recipe's values are; what only some
        combinations do wrong is found by :meth:`expand`.

        Raises:
            InputError: naming the field, the value received and what is accepted.
        """
        try:
            data = value if isinstance(value, dict) else load_plain(value)
            grid = cls(parts_of("", data, ()))
            if (alternatives := sum(1 for _ in grid._alternatives())) > _MAX_ALTERNATIVES:
                raise InputError(
                    f"It lists {alternatives:,} alternatives; at most {_MAX_ALTERNATIVES:,} can "
                    "be used."
                )
            for forced in grid._alternatives():
                _recipe(grid.choose(_following(forced)))
            _recipe(grid.choose(_following({})))
        except InputError as error:
            raise InputError(f"The {source} cannot be used. {error}") from None
        return grid

    @classmethod
    def read(cls, path: Path) -> Grid:
        """Read a grid file; see :meth:`parse`."""
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise InputError(f"Cannot read the grid {path}: {error.strerror}.") from None
        return cls.parse(content, source=f"grid {path.name}")

    @cached_property
    def combinations(self) -> int:
        """How many combinations there are, those that contradict themselves included."""
        return self.root.count

    def choose(self, pick: Pick) -> dict[str, Any]:
        """One combination as plain data, of which :meth:`Recipe.parse` makes a recipe.

        Args:
            pick: asked with the path of a list of alternatives, such as ``prune`` or
                ``prune[1].schedule.final_sparsity``, and how many there are; answers with an
                index. Only lists inside the chosen alternatives are asked about, and only
                those with more than one.
        """
        chosen: dict[str, Any] = self.root.choose(pick)
        return chosen

    def expand(self) -> Expansion:
        """Every combination that can be a recipe, without duplicates, and why the others cannot.

        What does nothing to the model is the baseline, however long it would have trained.

        Raises:
            InputError: there are too many combinations, a value is wrong, or nothing is left.
        """
        asked = self.combinations
        if asked > MAX_COMBINATIONS:
            many = f"{asked:,}" if asked < 1e12 else f"{float(asked):.0e}"
            raise InputError(
                f"The grid asks for {many} combinations; a sweep takes at most "
                f"{MAX_COMBINATIONS:,}. Give fewer alternatives, or let a search choose."
            )
        recipes: dict[str, Recipe] = {}
        left_out: dict[str, LeftOut] = {}
        for chosen, said in self.root.each():
            try:
                recipe = _recipe(chosen)
            except InputError as error:
                raise InputError(f"The grid cannot be used. {error}") from None
            if isinstance(recipe, Recipe):
                recipe = BASELINE if recipe.is_baseline else recipe
                recipes.setdefault(recipe.hash, recipe)
                continue
            earlier = left_out.get(recipe)
            example = earlier.example if earlier else _example(said)
            left_out[recipe] = LeftOut(recipe, (earlier.count if earlier else 0) + 1, example)
        if not recipes:
            reason = next(iter(left_out))
            raise InputError(f"Every combination of the grid contradicts itself. {reason}")
        return Expansion(tuple(recipes.values()), tuple(left_out.values()))

    def canonical_json(self, indent: int | None = None) -> str:
        """The grid as it was given, keys sorted; equal grids give equal text."""
        return json.dumps(self.root.plain(), sort_keys=True, indent=indent)

    def _alternatives(self) -> Iterator[dict[str, int]]:
        """For each alternative the picks that lead to it: path → index."""
        yield from self.root.alternatives({})


def _following(picks: dict[str, int]) -> Pick:
    """Picks what is given, and the first of the other alternatives."""
    return lambda path, count: picks.get(path, 0)


def _recipe(chosen: dict[str, Any]) -> Recipe | str:
    """A recipe, or why its values contradict each other.

    Raises:
        InputError: a value is wrong whatever the others are.
    """
    try:
        return Recipe.model_validate(chosen)
    except ValidationError as error:
        if _contradicts(error):
            return describe_error(error)
        raise InputError(describe_error(error)) from None


def _contradicts(error: ValidationError) -> bool:
    """Whether all that is wrong was found by the recipe's own rules, which compare values."""
    return all(item["type"] == "value_error" for item in error.errors(include_url=False))


def _example(said: dict[str, str]) -> str:
    return ", ".join(f"{path}={text}" for path, text in said.items())[:200]
