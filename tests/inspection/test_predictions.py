"""What flipped: counts, examples, and predictions that do not fit their data."""

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.data.arrays import Arrays
from optimizer.errors import StageError
from optimizer.inspection.flips import EXAMPLES, compare_output
from optimizer.inspection.predictions import stage
from optimizer.measure.accuracy import measure
from optimizer.stage import ignore_progress

CLASSES = 3
TRIPLES = st.lists(st.tuples(*[st.integers(0, CLASSES - 1)] * 3), min_size=1, max_size=80)


def scores(classes):
    return (np.eye(CLASSES, dtype=np.float32) * 0.8 + 0.2 / CLASSES)[np.asarray(classes)]


@given(TRIPLES)
def test_every_flip_is_counted_once_and_shown_as_what_it_is(triples):
    truth, before, after = (np.array(each) for each in zip(*triples, strict=True))
    found = compare_output("multiclass", scores(before), scores(after), truth)
    assert sum(found["counts"].values()) == (before != after).sum()
    for name, predicted in (("before", before), ("after", after)):
        matrix = np.array(found["confusion"][name])
        assert matrix.sum() == len(truth)
        assert np.trace(matrix) == (predicted == truth).sum()
    for kind, examples in found["examples"].items():
        assert len(examples) == min(EXAMPLES, found["counts"][kind])
        for example in examples:
            sample = example["sample"]
            assert (example["truth"], example["before"], example["after"]) == triples[sample]
            was, now = before[sample] == truth[sample], after[sample] == truth[sample]
            expected = f"{'right' if was else 'wrong'}_to_{'right' if now else 'wrong'}"
            assert kind == expected
            assert before[sample] != after[sample]


def test_without_labels_a_flip_is_only_a_change():
    found = compare_output("unlabelled", scores([0, 1, 2]), scores([0, 2, 2]), None)
    assert found["kind"] == "classes"
    assert found["confusion"] is None
    assert found["counts"] == {"changed": 1}
    assert found["examples"]["changed"][0]["truth"] is None


def test_what_the_variant_is_surest_of_comes_first():
    after = np.array([[0.4, 0.6], [0.1, 0.9], [0.3, 0.7]], np.float32)
    found = compare_output("multiclass", 1 - after, after, np.zeros(3, np.int64))
    assert [item["sample"] for item in found["examples"]["right_to_wrong"]] == [1, 2, 0]


def test_a_binary_output_flips_at_its_threshold():
    logits = np.array([[-1.0], [2.0]], np.float32)
    found = compare_output("binary", logits, -logits, np.array([0, 1]), threshold=0.0)
    assert found["counts"]["right_to_wrong"] == 2
    assert found["examples"]["right_to_wrong"][0]["before_score"] is None


def test_several_labels_are_right_only_all_together():
    truth = np.array([[1, 0], [1, 1]], np.float32)
    after = np.array([[0.9, 0.8], [0.9, 0.9]], np.float32)
    found = compare_output("multilabel", truth, after, truth)
    assert found["counts"] == {"right_to_wrong": 1, "wrong_to_right": 0, "wrong_to_wrong": 0}
    assert found["tables"]["after"] == [[2, 0, 0, 0], [1, 1, 0, 0]]
    assert found["examples"]["right_to_wrong"][0]["after"] == [0, 1]


def test_errors_of_real_values_are_binned_together():
    truth = np.array([0.0, 1.0, 2.0], np.float32)
    before, after = truth[:, None] + 0.1, truth[:, None] + np.array([[0.5], [0.0], [0.1]])
    found = compare_output("regression", before, after.astype(np.float32), truth)
    assert sum(found["before"]) == sum(found["after"]) == 3
    assert found["examples"]["worse"][0]["sample"] == 0
    assert found["examples"]["better"][0]["sample"] == 1
    assert found["mean_errors"] == pytest.approx([0.1, 0.2], abs=1e-6)


def test_without_labels_values_only_differ():
    before = np.zeros((3, 1), np.float32)
    after = np.array([[0.0], [2.0], [-3.0]], np.float32)
    found = compare_output("unlabelled", before, after, None)
    assert found["counts"] == {"changed": 2}
    assert [item["sample"] for item in found["examples"]["changed"]] == [2, 1]
    assert not found["labelled"]


def inputs(outputs, baseline, arrays):
    def files(values):
        buffer = io.BytesIO()
        np.savez(buffer, outputs=values)
        metrics = measure(["multiclass"], [values], arrays)
        return {
            "predictions.npz": buffer.getvalue(),
            "metrics.json": json.dumps(metrics).encode(),
        }

    return {
        "variant": files(outputs),
        "baseline": files(baseline),
        "data": {"arrays.npz": arrays.save()},
    }


def test_the_samples_of_the_gallery_are_those_of_the_examples():
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    arrays = Arrays.single(x[:1], np.array([0]), x, np.array([0, 1, 2, 0]))
    given_ = inputs(scores([0, 2, 2, 1]), scores([0, 1, 2, 0]), arrays)
    files = stage({"task": "multiclass"}, given_, ignore_progress)
    (output,) = json.loads(files["inspection.json"])["outputs"]
    with np.load(io.BytesIO(files["samples.npz"])) as kept:
        assert sorted(kept["index"]) == [1, 3]
        np.testing.assert_array_equal(kept["x_0"], x[kept["index"]])
    assert output["counts"]["right_to_wrong"] == 2


def test_predictions_of_other_samples_are_refused():
    x = np.zeros((4, 3), np.float32)
    arrays = Arrays.single(x[:1], np.array([0]), x, np.array([0, 1, 2, 0]))
    others = Arrays.single(x[:1], np.array([0]), x, np.array([1, 1, 1, 1]))
    given_ = inputs(scores([0, 2, 2, 1]), scores([0, 1, 2, 0]), arrays)
    with pytest.raises(StageError, match=r"recorded.*Run the variant"):
        stage(
            {"task": "multiclass"},
            given_ | {"data": {"arrays.npz": others.save()}},
            ignore_progress,
        )
    fewer = Arrays.single(x[:1], np.array([0]), x[:3], np.array([0, 1, 2]))
    with pytest.raises(StageError, match="4 samples; the dataset has 3"):
        stage(
            {"task": "multiclass"},
            given_ | {"data": {"arrays.npz": fewer.save()}},
            ignore_progress,
        )
