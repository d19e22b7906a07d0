"""What labels are taken for."""

from __future__ import annotations

import re

import numpy as np
import pytest

from optimizer.data.labels import read_labels
from optimizer.errors import InputError


def read(train, test=None):
    parts = {"y_train": np.asarray(train)}
    if test is not None:
        parts["y_test"] = np.asarray(test)
    return read_labels(parts)


@pytest.mark.parametrize(
    ("labels", "kind", "classes"),
    [
        ([0, 1, 2, 1], "class_index", 3),
        ([[0], [1], [2]], "class_index", 3),
        ([0.0, 1.0, 2.0], "class_index", 3),
        (np.array([3, 0], np.uint8), "class_index", 4),
        ([0, 1, 1], "binary", 2),
        ([True, False], "binary", 2),
        ([0.0, 0.0], "binary", 2),
        ([[1, 0, 0], [0, 0, 1]], "one_hot", 3),
        ([[1.0, 0.0], [0.0, 1.0]], "one_hot", 2),
        ([0.5, 1.0, 2.0], "real", None),
        ([-1, 1, 1], "real", None),
        ([12_000, 3, 4], "real", None),
        ([1990.0, 2021.0, 2005.0], "real", None),
        ([[0.2, 0.8], [0.5, 0.5]], "real", None),
        (np.zeros((3, 4, 4)), "real", None),
    ],
)
def test_kinds(labels, kind, classes):
    found = read(labels)

    assert (found.kind, found.classes) == (kind, classes)
    assert found.parts[0].dtype == (np.float32 if kind == "real" else np.int64)


def test_one_hot_becomes_class_indices_and_says_so():
    found = read(np.eye(4)[[2, 0, 3]], np.eye(4)[[1]])

    assert [part.tolist() for part in found.parts] == [[2, 0, 3], [1]]
    assert found.counts() == [[1, 0, 1, 1], [0, 1, 0, 0]]
    assert "4 columns" in found.notes[0]


def test_classes_count_over_both_parts():
    found = read([0, 1, 0], [2, 2])

    assert found.classes == 3
    assert found.counts() == [[2, 1, 0], [0, 0, 2]]


@pytest.mark.parametrize(
    ("labels", "part_of_note"),
    [
        ([0.0, 1.0, 2.0], "float64 were whole numbers"),
        ([1, 2, 3, 1], r"run from 1 to 3.*y - 1"),
        ([0, 2, 5], "3 never occur: 1, 3, 4"),
        ([-1, 1], r"\(-1, 1\) but not classes"),
        (np.arange(-30, 30), "from -30 to 29"),
    ],
)
def test_odd_numbering_is_explained(labels, part_of_note):
    (note,) = read(labels).notes

    assert re.search(part_of_note, note)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([0.5, np.nan, np.inf], None, "y_train contains 2 values that are NaN or infinite, of 3"),
        ([0.5, 1e300], None, "1 values that are NaN or infinite"),
        (np.eye(3), np.array([0, 1]), r"y_train \(3,\) and y_test \(\)"),
    ],
)
def test_unusable_labels_are_explained(train, test, message):
    with pytest.raises(InputError, match=message):
        read(train, test)
