"""What a lesson is, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.recipe import Recipe


@dataclass(frozen=True)
class Reference:
    """Where a statement of a lesson comes from."""

    title: str
    url: str


@dataclass(frozen=True)
class Exercise:
    """A recipe that the student runs on the sample model.

    Attributes:
        label: what it is called in the table of results.
    """

    label: str
    recipe: Recipe

    @classmethod
    def of(cls, label: str, **recipe: Any) -> Exercise:
        """From the parts of a recipe in their plain form."""
        return cls(label, Recipe.parse(recipe))


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Attributes:
        id: names it in addresses, ``learn?lesson=…``, and its modules, with ``_`` for ``-``.
        title: a few words.
        question: what it answers, in one plain sentence.
        minutes: how long it takes, about.
        terms: term → its definition in one sentence, without the term at its beginning.
        remember: two or three sentences to take away.
        references: where the formulas and statements come from.
        exercises: what *try it* runs, the baseline excepted, which always runs.
        exercise_columns: which figures of them are shown, keys of
            :data:`optimizer.lessons.practice.COLUMNS`.
    """

    id: str
    title: str
    question: str
    minutes: int
    terms: Mapping[str, str]
    remember: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    exercises: tuple[Exercise, ...] = ()
    exercise_columns: tuple[str, ...] = ("metric", "size", "gzip")

    @property
    def module(self) -> str:
        """Name of its modules."""
        return self.id.replace("-", "_")
