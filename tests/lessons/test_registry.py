"""The lessons and the glossary as a whole."""

import importlib
import re

import pytest

from optimizer.errors import InputError
from optimizer.lessons.practice import COLUMNS
from optimizer.lessons.registry import LESSONS, find_lesson
from optimizer.lessons.terms import TERMS, term

IDS = [lesson.id for lesson in LESSONS]


def test_ids_are_unique_and_found():
    assert len(set(IDS)) == len(IDS)
    assert all(find_lesson(lesson.id) is lesson for lesson in LESSONS)
    assert find_lesson("nothing") is None


@pytest.mark.parametrize("lesson", LESSONS, ids=IDS)
def test_a_lesson_is_whole(lesson):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", lesson.id)
    assert lesson.question.endswith("?")
    assert 2 <= len(lesson.remember) <= 3
    assert lesson.terms
    assert lesson.references
    assert all(reference.url.startswith("https://") for reference in lesson.references)
    assert set(lesson.exercise_columns) <= set(COLUMNS)
    body = importlib.import_module(f"pages.lessons.bodies.{lesson.module}")
    assert callable(body.draw)


def test_every_term_has_one_lesson_and_a_sentence():
    assert len(TERMS) == sum(len(lesson.terms) for lesson in LESSONS)
    for name, found in TERMS.items():
        assert term(name) is found
        assert find_lesson(found.lesson_id) is not None
        assert found.definition.endswith(".")
    with pytest.raises(InputError, match="No lesson explains 'blockchain'"):
        term("blockchain")
