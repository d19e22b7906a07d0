"""Zipped folders of images: classes, resizing, and whatever else is in such zips."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from optimizer.data.arrays import load_arrays
from optimizer.data.formats import inspect_upload
from optimizer.data.images import choose_layout
from optimizer.errors import InputError
from tests.data.conftest import prepare, zipped


def image(value, size=(12, 10), form="PNG", mode="RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, value if mode == "L" else (value, 0, 0)).save(buffer, form)
    return buffer.getvalue()


def folders(prefix="", count=6, names=("cat", "dog")):
    return {
        f"{prefix}{name}/{i}.png": image(40 * index + i)
        for index, name in enumerate(names)
        for i in range(count)
    }


def facts_of(files):
    return json.loads(files["facts.json"])


def test_folders_are_classes_and_images_take_the_models_size():
    files = prepare(zipped(folders()), "pets.zip", sample_shape=[8, 8, 3])
    facts, arrays = facts_of(files), load_arrays(files)

    assert facts["class_names"] == ["cat", "dog"]
    assert (facts["x_shape"], facts["x_dtype"], facts["classes"]) == ([8, 8, 3], "uint8", 2)
    x, y = (
        np.concatenate([arrays.x_train[0], arrays.x_test[0]]),
        np.concatenate([arrays.y_train[0], arrays.y_test[0]]),
    )
    assert np.array_equal(x[:, 0, 0, 0] >= 40, y == 1)  # red says which class was painted
    assert not x[..., 1:].any()
    assert "resized to 8 × 8 (bilinear), in colour" in " ".join(facts["notes"])


def test_grey_models_get_grey_images():
    files = prepare(zipped(folders()), "pets.zip", sample_shape=[8, 8, 1])

    assert facts_of(files)["x_shape"] == [8, 8, 1]


def test_a_train_and_a_test_folder_are_the_split():
    members = folders("data/train/", 4) | folders("data/test/", 2)
    summary = inspect_upload(zipped(members), "pets.zip")
    facts = facts_of(prepare(zipped(members), "pets.zip", sample_shape=[8, 8, 3]))

    assert summary.has_test
    assert summary.classes == {"cat": 6, "dog": 6}
    assert (facts["train"], facts["test"], facts["split"]) == (8, 4, None)


def test_images_of_free_size_use_the_chosen_one():
    options = {"sample_shape": [None, None, 3], "image_size": [6, 5]}

    assert facts_of(prepare(zipped(folders()), "p.zip", **options))["x_shape"] == [6, 5, 3]


def test_images_without_folders_have_no_labels():
    members = {f"{i}.jpg": image(i, form="JPEG") for i in range(5)}
    facts = facts_of(prepare(zipped(members), "p.zip", sample_shape=[8, 8, 3]))

    assert (facts["y_kind"], facts["train"] + facts["test"]) == ("none", 5)


def test_what_systems_leave_behind_is_ignored_and_broken_images_are_named():
    members = folders() | {
        "__MACOSX/cat/._0.png": b"junk",
        "cat/.DS_Store": b"junk",
        "readme.txt": b"hello",
        "cat/broken.png": b"not an image",
        "dog/half.png": image(3)[:45],
    }
    facts = facts_of(prepare(zipped(members), "p.zip", sample_shape=[8, 8, 3]))
    notes = " ".join(facts["notes"])

    assert facts["train"] + facts["test"] == 12
    assert "left out: cat/broken.png, dog/half.png" in notes
    assert "Not used from the zip: readme.txt" in notes


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a.txt"], "no images"),
        (["cat/a.png", "dog/more/b.png"], "is not in a class's folder"),
        (["cat/a.png", "b.png"], "is not in a class's folder"),
        (["cat/a.png", "cat/b.png"], "All images are in one folder, 'cat'"),
    ],
)
def test_other_layouts_are_explained(names, words):
    with pytest.raises(InputError, match=words):
        choose_layout(names)


def test_mostly_broken_images_are_refused():
    members = folders(count=1) | {f"cat/x{i}.png": b"junk" for i in range(5)}
    with pytest.raises(InputError, match=r"5 of 7 images cannot be read"):
        prepare(zipped(members), "p.zip", sample_shape=[8, 8, 3])


def test_huge_images_are_not_decoded():
    bomb = bytearray(image(1))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2  # what the header declares
    members = folders(count=2) | {"dog/b.png": bytes(bomb)}
    facts = facts_of(prepare(zipped(members), "p.zip", sample_shape=[8, 8, 3]))

    assert "dog/b.png" in " ".join(facts["notes"])


@pytest.mark.parametrize(
    ("shape", "words"), [([30], "which are not images"), ([8, 8, 7], "7 channels")]
)
def test_models_that_take_no_images_are_explained(shape, words):
    with pytest.raises(InputError, match=words):
        prepare(zipped(folders()), "p.zip", sample_shape=shape)


def test_names_that_lead_outside_are_refused():
    with pytest.raises(InputError, match="a path that leads out"):
        prepare(zipped(folders("../../")), "p.zip", sample_shape=[8, 8, 3])
