"""Metrics against values computed by hand, and the stage from file to file."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from optimizer.data.arrays import Arrays
from optimizer.data.objective import split_task
from optimizer.errors import InputError
from optimizer.measure.accuracy import compare, compare_all, measure, stage
from optimizer.measure.metrics import auc, predicted_classes
from optimizer.measure.statistics import wilson_interval
from optimizer.stage import ignore_progress


def arrays(y, x=None):
    x = np.zeros((len(y), 2), np.float32) if x is None else x
    return Arrays.single(x[:1], None if y is None else y[:1], x, y)


def test_multiclass_accuracy_and_its_interval():
    outputs = np.eye(3, dtype=np.float32)[[0, 1, 2, 2]]

    result = measure(["multiclass"], [outputs], arrays(np.array([0, 1, 2, 0])))

    assert result["value"] == 0.75
    assert result["n"] == 4
    assert result["interval"] == list(wilson_interval(3, 4))
    assert result["higher_is_better"] is True


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, [0, 0, 1, 1]), (0.0, [0, 1, 1, 1])])
def test_binary_separates_at_the_threshold(threshold, expected):
    outputs = np.array([[-2.0], [0.3], [0.7], [5.0]], np.float32)

    assert predicted_classes("binary", outputs, threshold).tolist() == expected
    assert predicted_classes("binary", outputs[:, 0], threshold).tolist() == expected


def test_binary_with_two_outputs_takes_the_larger():
    outputs = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)

    assert predicted_classes("binary", outputs).tolist() == [0, 1]


def test_regression_error_is_not_broadcast_between_columns_and_rows():
    outputs = np.array([[1.0], [2.0], [4.0]], np.float32)

    result = measure(["regression"], [outputs], arrays(np.array([1.0, 1.0, 1.0], np.float32)))

    assert result["metric"] == "mae"
    assert result["value"] == pytest.approx(4 / 3)
    low, high = result["interval"]
    assert low <= result["value"] <= high
    assert result["higher_is_better"] is False


def test_reconstruction_compares_with_the_samples_themselves():
    x = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)

    shifted = x + np.array([[0.0, 2.0], [0.0, 0.0]])
    result = measure(["reconstruction"], [shifted], Arrays.single(x, None, x, None))

    assert result["metric"] == "mse"
    assert result["value"] == pytest.approx(1.0)


def test_reconstruction_error_finds_the_anomalies():
    x = np.zeros((4, 2), np.float32)
    anomalies = np.array([0, 0, 1, 1])
    outputs = x + np.array([[0.1], [0.3], [0.2], [0.9]], np.float32)

    result = measure(["reconstruction"], [outputs], Arrays.single(x, anomalies, x, anomalies))

    assert result["metrics"]["auc"] == pytest.approx(3 / 4)


def test_auc_shares_ties():
    assert auc(np.array([1.0, 1.0]), np.array([0, 1])) == 0.5
    assert auc(np.array([0.1, 0.9]), np.array([0, 1])) == 1.0


def test_several_labels_per_sample():
    targets = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 0]], np.float32)
    outputs = np.array([[0.9, 0.1, 0.2], [0.1, 0.2, 0.3], [0.8, 0.9, 0.1]], np.float32)

    result = measure(["multilabel"], [outputs], arrays(targets))

    assert result["metric"] == "f1_micro"
    assert result["value"] == pytest.approx(2 * 3 / (3 + 4))
    assert result["metrics"]["subset_accuracy"] == pytest.approx(2 / 3)
    assert result["metrics"]["label_accuracy"] == pytest.approx(8 / 9)


def test_regression_explains_the_share_of_the_spread():
    targets = np.array([1.0, 2.0, 3.0], np.float32)
    outputs = np.array([[1.0], [2.0], [4.0]], np.float32)

    result = measure(["regression"], [outputs], arrays(targets), headline="r2")

    assert (result["metric"], result["higher_is_better"]) == ("r2", True)
    assert result["value"] == pytest.approx(0.5)
    assert result["metrics"]["mae"] == pytest.approx(1 / 3)


def test_several_outputs_each_have_their_metrics():
    x = np.zeros((2, 2), np.float32)
    y = (np.array([0, 1]), np.array([1.0, 2.0], np.float32))
    both = Arrays((x,), y, (x,), y, ("x",), ("kind", "price"))
    outputs = [np.array([[2.0], [4.0]], np.float32), np.eye(2, dtype=np.float32)]

    result = measure(["regression", "multiclass"], outputs, both, ["price", "kind"])

    assert result["metrics"]["mae"] == pytest.approx(1.5)
    assert result["metrics"]["kind.accuracy"] == 1.0


def test_without_labels_only_agreement_is_measured():
    outputs = np.array([[0.9, 0.1], [0.4, 0.6]], np.float32)

    result = measure(["unlabelled"], [outputs], arrays(None, np.zeros((2, 2), np.float32)))

    assert (result["value"], result["interval"]) == (None, None)
    assert compare("unlabelled", outputs, outputs)["agreement"] == 1.0


@pytest.mark.parametrize(
    ("outputs", "logits", "found"),
    [
        ([[0.9], [0.4], [0.6]], False, {"agreement": 2 / 3}),
        ([[0.9, 0.2], [0.4, 0.9], [0.6, 0.1]], False, {"agreement": 1 / 3}),
        ([[0.9], [0.4], [0.6]], True, {"mean_abs_difference": 0.3}),
    ],
)
def test_without_labels_sigmoids_agree_on_classes_and_real_outputs_on_values(
    outputs, logits, found
):
    outputs = np.array(outputs, np.float32)
    baseline = np.array([[0.6, 0.1], [0.7, 0.6], [0.9, 0.9]], np.float32)[:, : outputs.shape[1]]
    result = compare_all(["unlabelled"], [outputs], [baseline], ["y"], [0.0 if logits else 0.5])
    assert {name: result[name] for name in found} == pytest.approx(found)


def test_agreement_counts_equal_predictions_not_equal_outputs():
    outputs = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]], np.float32)
    baseline = np.array([[0.6, 0.4], [0.3, 0.7], [0.1, 0.9]], np.float32)

    result = compare("multiclass", outputs, baseline)

    assert result["agreement"] == pytest.approx(2 / 3)
    assert result["agreement_interval"] == list(wilson_interval(2, 3))


def test_regression_reports_the_mean_difference_instead_of_agreement():
    assert compare("regression", np.array([[1.0], [2.0]]), np.array([[1.5], [1.0]])) == {
        "mean_abs_difference": 0.75
    }


@pytest.mark.parametrize(
    ("task", "outputs", "y", "message"),
    [
        ("multiclass", np.zeros((2, 1)), np.zeros(2, int), "does not fit"),
        ("multiclass", np.zeros((2, 4, 3)), np.zeros(2, int), "does not fit"),
        ("binary", np.zeros((2, 3)), np.zeros(2, int), "does not fit"),
        ("multiclass", np.zeros((2, 3)), np.zeros((2, 3)), "one class per sample"),
        ("multiclass", np.zeros((2, 3)), None, "needs labels"),
        ("regression", np.zeros((2, 3)), np.zeros(2), "3 values.*have 1"),
        ("regression", np.zeros((2, 1)), None, "needs labels"),
        ("ranking", np.zeros((2, 1)), np.zeros(2), "Unknown task 'ranking'"),
    ],
)
def test_tasks_that_do_not_fit_are_explained(task, outputs, y, message):
    x = np.zeros((2, 2), np.float32)
    with pytest.raises(InputError, match=message):
        measure(split_task(task), [outputs], Arrays.single(x, y, x, y))


def test_outputs_of_another_test_set_are_refused():
    with pytest.raises(InputError, match="same test samples"):
        compare("multiclass", np.zeros((3, 2)), np.zeros((4, 2)))


def test_the_stage_measures_and_compares_with_the_baseline(cnn):
    labels = cnn.outputs.argmax(axis=1)
    labels[:10] = (labels[:10] + 1) % 3  # so that the float model is right on 30 of 40
    data = {"arrays.npz": Arrays.single(cnn.x, labels, cnn.x, labels).save()}
    params = {"task": "multiclass"}

    def run(mode, **more):
        inputs = {"model": {"model.tflite": cnn.files[mode]}, "data": data, **more}
        return stage(params, inputs, ignore_progress)

    baseline = run("float32")
    variant = run("int8_io", baseline=baseline)

    first, second = (json.loads(files["metrics.json"]) for files in (baseline, variant))
    assert first["value"] == 0.75
    assert first["n"] == 40
    assert first["agreement"] is None
    outputs = np.load(io.BytesIO(variant["predictions.npz"]))["outputs"]
    assert outputs.shape == (40, 3)
    assert outputs.dtype == np.float32
    same = np.mean(outputs.argmax(axis=1) == cnn.outputs.argmax(axis=1))
    assert second["agreement"] == pytest.approx(same)
    assert run("float32", baseline=baseline)["metrics.json"] != baseline["metrics.json"]
    again = json.loads(run("float32", baseline=baseline)["metrics.json"])
    assert again["agreement"] == 1.0


def test_the_stage_reports_progress_to_the_end(cnn):
    fractions = []
    labels = np.zeros(40, np.int64)
    data = {"arrays.npz": Arrays.single(cnn.x, labels, cnn.x, labels).save()}

    stage(
        {"task": "multiclass"},
        {"model": {"model.tflite": cnn.files["float32"]}, "data": data},
        lambda fraction, message, **numbers: fractions.append(fraction),
    )

    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
