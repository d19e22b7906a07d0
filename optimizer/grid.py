"""A sweep as a value: a recipe in which any part or value may be a list of alternatives.

``{"prune": [null, {}], "cluster": {"number_of_clusters": [8, 16]}}`` stands for four recipes,
the product of its lists. Alternatives may hold alternatives of their own, which multiply within
theirs only. A field that is itself a list (``schedule.steps``, ``structure.size``) is wrapped
once more for alternatives: ``"size": [4, 1]`` is one block, ``[[4, 1], [1, 4]]`` are two.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from optimizer.errors import InputError
from optimizer.recipe import BASELINE, Recipe
from optimizer.recipe_text import describe_error

MAX_COMBINATIONS = 2_000
_MAX_ALTERNATIVES = 1_000
_MAX_BYTES = 256 * 1024
_MAX_DEPTH = 16
_LIST_DEPTHS = {"size": 1, "steps": 2}
"""Fields of a structure and a schedule that are lists, and how deep these are nested."""

Pick = Callable[[str, int], int]


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

    root: _Part

    @classmethod
    def parse(cls, value: str | bytes | dict[str, Any], source: str = "grid") -> Grid:
        """Read a grid from JSON text or a plain dict.

        Every alternative is checked once, as a recipe's values are; what only some
        combinations do wrong is found by :meth:`expand`.

        Raises:
            InputError: naming the field, the value received and what is accepted.
        """
        try:
            data = value if isinstance(value, dict) else _load(value)
            grid = cls(_part("", data, ()))
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
                content = file.read(_MAX_BYTES + 1)
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


@dataclass(frozen=True)
class _Value:
    """A value as it is; its JSON text, so that it can be compared and hashed."""

    text: str

    count = 1

    def choose(self, pick: Pick) -> Any:
        return json.loads(self.text)

    def each(self) -> Iterator[tuple[Any, dict[str, str]]]:
        yield json.loads(self.text), {}

    def alternatives(self, leading: dict[str, int]) -> Iterator[dict[str, int]]:
        yield from ()

    def plain(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class _Part:
    """A part of a recipe, or a mapping of layers: a node for each key."""

    fields: tuple[tuple[str, _Node], ...]

    @cached_property
    def count(self) -> int:
        return prod(node.count for _, node in self.fields)

    def choose(self, pick: Pick) -> Any:
        return {key: node.choose(pick) for key, node in self.fields}

    def each(self) -> Iterator[tuple[Any, dict[str, str]]]:
        choices = [list(node.each()) for _, node in self.fields]
        keys = [key for key, _ in self.fields]
        for combination in itertools.product(*choices):
            said = {path: text for _, words in combination for path, text in words.items()}
            yield dict(zip(keys, (value for value, _ in combination), strict=True)), said

    def alternatives(self, leading: dict[str, int]) -> Iterator[dict[str, int]]:
        for _, node in self.fields:
            yield from node.alternatives(leading)

    def plain(self) -> Any:
        return {key: node.plain() for key, node in self.fields}


@dataclass(frozen=True)
class _Choice:
    """A list of alternatives, of which a recipe takes one."""

    path: str
    nodes: tuple[_Node, ...]

    @cached_property
    def count(self) -> int:
        return sum(node.count for node in self.nodes)

    def choose(self, pick: Pick) -> Any:
        index = pick(self.path, len(self.nodes)) if len(self.nodes) > 1 else 0
        if not 0 <= index < len(self.nodes):
            raise IndexError(f"{self.path} has {len(self.nodes)} alternatives; received {index}")
        return self.nodes[index].choose(pick)

    def each(self) -> Iterator[tuple[Any, dict[str, str]]]:
        for node in self.nodes:
            own = {self.path: node.text} if isinstance(node, _Value) else {}
            for value, said in node.each():
                yield value, {**own, **said}

    def alternatives(self, leading: dict[str, int]) -> Iterator[dict[str, int]]:
        for index, node in enumerate(self.nodes):
            here = {**leading, self.path: index}
            yield here
            yield from node.alternatives(here)

    def plain(self) -> Any:
        return [node.plain() for node in self.nodes]


_Node = _Value | _Part | _Choice


def _following(picks: dict[str, int]) -> Pick:
    """Picks what is given, and the first of the other alternatives."""
    return lambda path, count: picks.get(path, 0)


def _part(path: str, value: Any, keys: tuple[str, ...]) -> _Part:
    if not isinstance(value, dict):
        raise InputError("It must be a JSON object like a recipe, with lists of alternatives.")
    return _Part(
        tuple(
            (key, _node(f"{path}.{key}" if path else key, item, (*keys, key)))
            for key, item in value.items()
        )
    )


def _node(path: str, value: Any, keys: tuple[str, ...], depth: int = 0) -> _Node:
    """What stands at a path; ``keys`` are the recipe's keys that lead there."""
    if len(keys) + depth > _MAX_DEPTH:
        raise InputError(f"{path[:100]} is nested deeper than any recipe.")
    if isinstance(value, dict):
        return _part(path, value, keys)
    if isinstance(value, list) and _depth(value) > _own_depth(keys):
        if not value:
            raise InputError(f"{path} is an empty list; give at least one alternative.")
        return _Choice(
            path,
            tuple(
                _node(f"{path}[{index}]", item, keys, depth + 1) for index, item in enumerate(value)
            ),
        )
    try:
        return _Value(json.dumps(value))
    except TypeError:
        raise InputError(f"{path}: {type(value).__name__} is nothing a recipe holds.") from None


def _own_depth(keys: tuple[str, ...]) -> int:
    """How deep the lists are nested that are one value of a field."""
    return 0 if keys[0] == "layers" else _LIST_DEPTHS.get(keys[-1], 0)


def _depth(value: Any) -> int:
    """How deep lists are nested in each other, looked at as far as it matters."""
    depth, level = 0, [value]
    while depth <= max(_LIST_DEPTHS.values()) and any(isinstance(item, list) for item in level):
        depth += 1
        level = [inner for item in level if isinstance(item, list) for inner in item]
    return depth


def _load(text: str | bytes) -> dict[str, Any]:
    if len(text) > _MAX_BYTES:
        raise InputError(f"It is larger than {_MAX_BYTES // 1024} KiB.")
    try:
        loaded: dict[str, Any] = json.loads(text)
    except RecursionError:
        raise InputError("It is nested deeper than any recipe.") from None
    except ValueError as error:
        raise InputError(f"It is not valid JSON: {error}.") from None
    return loaded


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
