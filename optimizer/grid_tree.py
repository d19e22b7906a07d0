"""A grid taken apart: values, parts that multiply, and lists of alternatives that add up."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

from optimizer.errors import InputError

_MAX_DEPTH = 16
_LIST_DEPTHS = {"size": 1, "steps": 2}
"""Fields of a structure and a schedule that are lists, and how deep these are nested."""

Pick = Callable[[str, int], int]
"""Chooses among the alternatives at a path, given how many there are."""


@dataclass(frozen=True)
class Value:
    """A value as it is; its JSON text, so that it can be compared and hashed."""

    text: str

    count = 1

    def choose(self, pick: Pick) -> Any:
        """One combination, as plain data."""
        return json.loads(self.text)

    def each(self) -> Iterator[tuple[Any, dict[str, str]]]:
        """Every combination, each with the path → JSON text of what was taken."""
        yield json.loads(self.text), {}

    def alternatives(self, leading: dict[str, int]) -> Iterator[dict[str, int]]:
        """The picks that lead to each alternative below, after those that lead here."""
        yield from ()

    def plain(self) -> Any:
        """As it was given."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Parts:
    """A part of a recipe, or a mapping of layers: a node for each key."""

    fields: tuple[tuple[str, Node], ...]

    @cached_property
    def count(self) -> int:
        """How many combinations there are."""
        return prod(node.count for _, node in self.fields)

    def choose(self, pick: Pick) -> Any:
        """One combination, as plain data."""
        return {key: node.choose(pick) for key, node in self.fields}

    def each(self) -> Iterator[tuple[Any, dict[str, str]]]:
        """Every combination, each with the path → JSON text of what was taken."""
        choices = [list(node.each()) for _, node in self.fields]
        keys = [key for key, _ in self.fields]
        for combination in itertools.product(*choices):
            said = {path: text for _, words in combination for path, text in words.items()}
            yield dict(zip(keys, (value for value, _ in combination), strict=True)), said

    def alternatives(self, leading: dict[str, int]) -> Iterator[dict[str, int]]:
        """The picks that lead to each alternative below, after those that lead here."""
        for _, node in self.fields:
            yield from node.alternatives(leading)

    def plain(self) -> Any:
        """As it was given."""
        return {key: node.plain() for key, node in self.fields}


@dataclass(frozen=True)
class Choice:
    """A list of alternatives, of which a recipe takes one."""

    path: str
    nodes: tuple[Node, ...]

    @cached_property
    def count(self) -> int:
        """How many combinations there are."""
        return sum(node.count for node in self.nodes)

    def choose(self, pick: Pick) -> Any:
        """One combination, as plain data."""
        index = pick(self.path, len(self.nodes)) if len(self.nodes) > 1 else 0
        if not 0 <= index < len(self.nodes):
            raise IndexError(f"{self.path} has {len(self.nodes)} alternatives; received {index}")
        return self.nodes[index].choose(pick)

    def each(self) -> Iterator[tuple[Any, dict[str, str]]]:
        """Every combination, each with the path → JSON text of what was taken."""
        for node in self.nodes:
            own = {self.path: node.text} if isinstance(node, Value) else {}
            for value, said in node.each():
                yield value, {**own, **said}

    def alternatives(self, leading: dict[str, int]) -> Iterator[dict[str, int]]:
        """The picks that lead to each alternative below, after those that lead here."""
        for index, node in enumerate(self.nodes):
            here = {**leading, self.path: index}
            yield here
            yield from node.alternatives(here)

    def plain(self) -> Any:
        """As it was given."""
        return [node.plain() for node in self.nodes]


Node = Value | Parts | Choice


def parts_of(path: str, value: Any, keys: tuple[str, ...]) -> Parts:
    """The tree of a grid, or of a part of one.

    Args:
        path: where the part stands, such as ``prune[1].schedule``; empty for the whole.
        value: plain data.
        keys: the recipe's keys that lead there.

    Raises:
        InputError: it is no mapping, nested too deeply, or has an empty list.
    """
    if not isinstance(value, dict):
        raise InputError("It must be a JSON object like a recipe, with lists of alternatives.")
    return Parts(
        tuple(
            (key, _node(f"{path}.{key}" if path else key, item, (*keys, key)))
            for key, item in value.items()
        )
    )


def _node(path: str, value: Any, keys: tuple[str, ...], depth: int = 0) -> Node:
    """What stands at a path; ``keys`` are the recipe's keys that lead there."""
    if len(keys) + depth > _MAX_DEPTH:
        raise InputError(f"{path[:100]} is nested deeper than any recipe.")
    if isinstance(value, dict):
        return parts_of(path, value, keys)
    if isinstance(value, list) and _depth(value) > _own_depth(keys):
        if not value:
            raise InputError(f"{path} is an empty list; give at least one alternative.")
        return Choice(
            path,
            tuple(
                _node(f"{path}[{index}]", item, keys, depth + 1) for index, item in enumerate(value)
            ),
        )
    try:
        return Value(json.dumps(value))
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
