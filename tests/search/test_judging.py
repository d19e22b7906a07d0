"""The two halves of the test set, and what predictions are worth on them."""

import io

import numpy as np
import pytest

from optimizer.data.arrays import Arrays
from optimizer.data.split import search_halves, stratifying, watched
from optimizer.measure.accuracy import measure
from optimizer.search.judging import first_output, read_judge


@pytest.mark.parametrize("n", [2, 3, 10, 57, 450])
def test_every_sample_is_in_exactly_one_half(n):
    search, confirmation = search_halves(n)
    assert sorted([*search, *confirmation]) == list(range(n))
    assert abs(len(search) - len(confirmation)) <= 1
    again = search_halves(n)
    assert np.array_equal(search, again[0])


def test_every_class_is_in_both_halves():
    classes = np.repeat([0, 1, 2], [80, 15, 4])
    for half in search_halves(len(classes), classes):
        counts = np.bincount(classes[half], minlength=3)
        assert counts.min() >= 2
        assert abs(counts[0] - 40) <= 1


def test_training_is_watched_by_part_of_the_search_half():
    search, _ = search_halves(5000)
    seen = watched(search)
    assert len(seen) == 256 == len(set(seen))
    assert set(seen) <= set(search)
    assert np.array_equal(watched(search[:100]), search[:100])


def test_only_classes_stratify():
    assert stratifying("regression", np.zeros(5)) is None
    assert stratifying("multiclass", None) is None
    assert stratifying("binary", np.array([[0.0], [1.0]])).tolist() == [0, 1]


def saved(tmp_path, arrays):
    path = tmp_path / "arrays.npz"
    path.write_bytes(arrays.save())
    return path


def classifier(n=200, seed=0):
    """Labels, outputs that are right mostly, and outputs that are right more often."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    found = []
    for wrong in (0.2, 0.05):
        given = np.where(rng.random(n) < wrong, (labels + 1) % 4, labels)
        found.append(np.eye(4, dtype="float32")[given])
    return labels, *found


def test_the_whole_is_what_the_evaluation_measures(tmp_path):
    labels, outputs, better = classifier()
    x = np.zeros((200, 3), "float32")
    arrays = Arrays.single(x[:10], labels[:10], x, labels)
    judge = read_judge(saved(tmp_path, arrays), {"task": "multiclass"})
    measured = measure(["multiclass"], [outputs], arrays)
    assert judge.value(outputs, "whole") == measured["metrics"]["accuracy"]
    parts = [judge.value(outputs, part) for part in ("search", "confirmation")]
    sizes = [judge.size(part) for part in ("search", "confirmation")]
    assert np.average(parts, weights=sizes) == pytest.approx(judge.value(outputs, "whole"))
    assert judge.lost(outputs, better, "whole") > 0.1
    low, high = judge.interval(outputs, better, "whole")
    assert low < judge.lost(outputs, better, "whole") < high
    assert judge.watches


def test_a_chosen_metric_is_judged_by_and_not_watched(tmp_path):
    labels, outputs, _ = classifier()
    x = np.zeros((200, 3), "float32")
    arrays = Arrays.single(x[:10], labels[:10], x, labels)
    judge = read_judge(saved(tmp_path, arrays), {"task": "multiclass", "metric": "f1_macro"})
    measured = measure(["multiclass"], [outputs], arrays)
    assert judge.value(outputs, "whole") == measured["metrics"]["f1_macro"]
    assert not judge.watches


def test_the_first_of_several_outputs_is_judged(tmp_path):
    labels, outputs, _ = classifier()
    other = np.zeros(200, "float32")
    x = (np.zeros((200, 3), "float32"),)
    arrays = Arrays(x, (other[:200], labels), x, (other, labels), target_names=("price", "kind"))
    objective = {"task": "multiclass+regression", "outputs": ["kind", "price"]}
    judge = read_judge(saved(tmp_path, arrays), objective)
    assert judge.value(outputs, "whole") == pytest.approx((outputs.argmax(1) == labels).mean())


def test_a_reconstruction_is_judged_by_its_samples(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")
    arrays = Arrays.single(x[:5], None, x, None)
    judge = read_judge(saved(tmp_path, arrays), {"task": "reconstruction"})
    assert judge.metric == "mse"
    assert judge.value(x + 0.1, "search") == pytest.approx(0.01, rel=1e-4)
    assert judge.lost(x + 0.2, x + 0.1, "search") == pytest.approx(1.5, rel=1e-3)


def test_without_labels_there_is_no_metric(tmp_path):
    x = np.zeros((30, 6), "float32")
    judge = read_judge(saved(tmp_path, Arrays.single(x, None, x, None)), {"task": "unlabelled"})
    assert judge.metric is None
    assert judge.value(x, "search") is None
    assert judge.size("whole") == 30


def test_predictions_are_read_as_they_were_written():
    buffer = io.BytesIO()
    np.savez_compressed(buffer, outputs=np.ones((3, 2), "float32"), outputs_1=np.zeros(3))
    assert first_output(buffer.getvalue()).shape == (3, 2)
