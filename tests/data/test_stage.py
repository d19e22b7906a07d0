"""The stage prepare_data, from file to arrays, facts and preview."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from optimizer.data.arrays import Arrays, load_arrays
from optimizer.errors import InputError
from tests.data.conftest import npz, prepare


def facts_of(files):
    return json.loads(files["facts.json"])


def test_facts_describe_the_data(four):
    facts = facts_of(prepare(npz(**four)))
    everything = np.concatenate([four["x_train"], four["x_test"]])

    assert (facts["train"], facts["test"]) == (30, 12)
    assert facts["x_shape"] == [4, 4, 1]
    assert (facts["x_dtype"], facts["y_dtype"]) == ("float32", "int64")
    assert (facts["y_kind"], facts["classes"], facts["y_shape"]) == ("class_index", 3, [])
    assert facts["class_counts"] == {"train": [10, 10, 10], "test": [4, 4, 4]}
    assert facts["x_min"] == pytest.approx(everything.min())
    assert facts["x_max"] == pytest.approx(everything.max())
    assert facts["x_mean"] == pytest.approx(everything.mean())
    assert facts["x_std"] == pytest.approx(everything.std())
    assert (facts["y_min"], facts["y_max"]) == (0, 2)
    assert facts["non_finite"] == 0
    assert facts["split"] is None


def test_arrays_survive_and_load_as_float32(four):
    arrays = load_arrays(prepare(npz(**four)))

    assert arrays.x_train[0].dtype == np.float32
    assert np.array_equal(arrays.x_train[0], four["x_train"].astype(np.float32))
    assert np.array_equal(arrays.y_test[0], four["y_test"])


def test_small_integers_stay_small_in_the_file_and_load_as_float32(four):
    images = {
        key: (255 * value).astype(np.uint8) if key.startswith("x") else value
        for key, value in four.items()
    }
    files = prepare(npz(**images))

    assert facts_of(files)["x_dtype"] == "uint8"
    assert np.load(io.BytesIO(files["arrays.npz"]))["x_test"].dtype == np.uint8
    assert np.array_equal(load_arrays(files).x_test[0], images["x_test"].astype(np.float32))


def test_a_file_without_a_test_part_is_split_by_class_and_says_how():
    x, y = np.arange(60.0)[:, None], np.arange(60) // 20
    files = prepare(npz(x=x, y=y), test_share=0.2, split_seed=7)
    facts, arrays = facts_of(files), load_arrays(files)

    assert facts["split"] == {"seed": 7, "test_share": 0.2, "stratified": True}
    assert facts["class_counts"] == {"train": [16, 16, 16], "test": [4, 4, 4]}
    assert np.array_equal(
        arrays.y_test[0], arrays.x_test[0][:, 0] // 20
    )  # labels stay with samples
    assert files == prepare(npz(x=x, y=y), test_share=0.2, split_seed=7)
    other = load_arrays(prepare(npz(x=x, y=y), test_share=0.2, split_seed=8))
    assert not np.array_equal(other.x_test[0], arrays.x_test[0])


def test_real_targets_are_split_at_random():
    facts = facts_of(prepare(npz(x=np.ones((20, 3)), y=np.linspace(0, 1, 20))))

    assert facts["split"]["stratified"] is False
    assert (facts["y_kind"], facts["class_counts"], facts["test"]) == ("real", None, 5)
    assert (facts["y_min"], facts["y_max"]) == (0.0, 1.0)


def test_one_hot_labels_are_stored_as_class_indices(four):
    one_hot = four | {key: np.eye(3)[four[key]] for key in ("y_train", "y_test")}
    files = prepare(npz(**one_hot))

    assert facts_of(files)["y_kind"] == "one_hot"
    assert facts_of(files)["y_shape"] == []
    assert np.array_equal(load_arrays(files).y_train[0], four["y_train"])


def test_samples_without_labels():
    files = prepare(npz(x=np.random.default_rng(0).random((16, 5))))
    arrays, facts = load_arrays(files), facts_of(files)

    assert (facts["y_kind"], facts["y_dtype"], facts["classes"]) == ("none", None, None)
    assert arrays.y_train == arrays.y_test == ()
    with pytest.raises(InputError, match="Add y_train"):
        arrays.targets_for(["output"], "train")
    assert "y" not in np.load(io.BytesIO(files["preview.npz"]))


def test_not_finite_values_are_counted_and_left_out_of_the_range(four):
    four["x_train"][0, 0, 0, 0] = np.nan
    four["x_test"][1, :2, 0, 0] = [np.inf, 1e300]  # 1e300 does not fit float32
    facts = facts_of(prepare(npz(**four)))

    assert facts["non_finite"] == 3
    assert facts["x_max"] <= 1


def test_nothing_finite_gives_no_range():
    facts = facts_of(prepare(npz(x=np.full((4, 2), np.nan))))

    assert (facts["x_min"], facts["x_max"], facts["non_finite"]) == (None, None, 8)


def test_big_endian_and_fortran_order_are_read_right():
    x = np.asfortranarray(np.arange(24).reshape(4, 6)).astype(">i4")
    arrays = load_arrays(prepare(npz(x_train=x, x_test=x)))

    assert arrays.x_train[0].tolist() == np.arange(24).reshape(4, 6).tolist()


def test_the_preview_holds_samples_from_the_whole_test_part():
    x_test, y_test = np.arange(100.0)[:, None], np.arange(100) // 25
    files = prepare(npz(x_train=x_test, y_train=y_test, x_test=x_test, y_test=y_test))
    preview = np.load(io.BytesIO(files["preview.npz"]))

    assert preview["x"].shape == (32, 1)
    assert preview["x"].dtype == np.float32
    assert set(preview["y"]) == {0, 1, 2, 3}
    assert np.array_equal(preview["x"][:, 0] // 25, preview["y"])


def test_unused_arrays_are_mentioned(four):
    assert "weights" in " ".join(facts_of(prepare(npz(**four, weights=np.ones(3))))["notes"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_train": np.zeros(29, int)}, "x_train has 30 samples and y_train has 29"),
        ({"x_test": np.zeros((12, 4, 5, 1))}, r"\(4, 4, 1\), x_test of \(4, 5, 1\)"),
        ({"x_test": np.zeros((0, 4, 4, 1)), "y_test": np.zeros(0, int)}, "contains no samples"),
        ({"x_train": np.float64(3.0)}, r"x_train has shape \(\)"),
    ],
)
def test_arrays_that_do_not_belong_together_are_explained(four, change, message):
    with pytest.raises(InputError, match=message):
        prepare(npz(**four | change))


def test_arrays_save_and_load(four):
    saved = Arrays.single(**four).save()

    loaded = load_arrays({"arrays.npz": saved})
    assert np.array_equal(loaded.y_train[0], four["y_train"])
    assert saved == Arrays.single(**four).save()
