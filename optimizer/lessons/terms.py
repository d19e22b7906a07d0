"""The glossary: each term of the screen, what it means, and the lesson that explains it."""

from __future__ import annotations

from dataclasses import dataclass

from optimizer.errors import InputError
from optimizer.lessons.registry import LESSONS


@dataclass(frozen=True)
class Term:
    """A word of the field.

    Attributes:
        name: as it is written in a sentence.
        definition: one sentence that goes on after the name.
        lesson_id: the lesson that explains it.
    """

    name: str
    definition: str
    lesson_id: str


def _terms() -> dict[str, Term]:
    found: dict[str, Term] = {}
    for lesson in LESSONS:
        for name, definition in lesson.terms.items():
            if name in found:
                raise ValueError(f"{name!r} is explained by two lessons: {lesson.id} and another")
            found[name] = Term(name, definition, lesson.id)
    return found


TERMS = _terms()
"""Name → term, in the order of the lessons."""


def term(name: str) -> Term:
    """A term by its name.

    Raises:
        InputError: no lesson explains it.
    """
    if name not in TERMS:
        raise InputError(f"No lesson explains {name!r}. There are: {', '.join(sorted(TERMS))}.")
    return TERMS[name]
