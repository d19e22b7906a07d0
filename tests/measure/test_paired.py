"""What a changed model lost on the same samples: the task's own unit, direction and noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.measure.metrics import metrics_of
from optimizer.measure.paired import yardstick

LABELS = np.arange(40) % 4


def scores(classes):
    """Softmax-like scores that say these classes."""
    return np.eye(4, dtype="float32")[classes] * 0.9 + 0.025


def flipped(count):
    changed = LABELS.copy()
    changed[:count] = (changed[:count] + 1) % 4
    return changed


def test_an_unchanged_model_loses_nothing_and_that_is_noise():
    stick = yardstick("multiclass", scores(LABELS), LABELS)
    assert (stick.metric, stick.value, stick.higher_is_better) == ("accuracy", 1.0, True)
    found = stick.fall(scores(LABELS))
    assert found["fall"] == 0
    assert found["low"] < 0 < found["high"]
    assert found["high"] < 2.5 / len(LABELS)


@given(st.integers(1, 40))
def test_a_fall_of_accuracy_is_the_share_of_samples_that_turned_wrong(count):
    found = yardstick("multiclass", scores(LABELS), LABELS).fall(scores(flipped(count)))
    assert found["fall"] == pytest.approx(count / 40)
    assert found["low"] <= found["fall"] <= found["high"]
    assert (found["low"] > 0) == (count >= 5)  # four of four may be chance: 2 · 0.5⁴ = 12.5 %


@pytest.mark.parametrize(
    ("task", "metric"),
    [
        ("binary", "accuracy"),
        ("binary", "auc"),
        ("multiclass", "f1_macro"),
        ("multilabel", "f1_micro"),
        ("multilabel", "subset_accuracy"),
        ("multilabel", "label_accuracy"),
        ("regression", "mae"),
        ("regression", "r2"),
    ],
)
def test_every_metric_falls_by_what_the_study_measures_and_worse_is_more(task, metric):
    random = np.random.default_rng(0)
    if task == "multiclass":
        targets, reference = LABELS, scores(LABELS)
    elif task == "binary":
        targets = LABELS % 2
        reference = (0.2 + 0.6 * targets[:, None]).astype("float32")
    elif task == "multilabel":
        targets = random.integers(0, 2, (40, 5)).astype("float32")
        reference = 0.2 + 0.6 * targets
    else:
        targets = random.normal(size=(40, 2)).astype("float32")
        reference = targets + 0.05
    worse = reference + random.normal(0, 0.6, reference.shape).astype("float32")
    stick = yardstick(task, reference, targets, metric=metric)
    before = metrics_of(task, reference, targets)[metric].value
    after = metrics_of(task, worse, targets)[metric].value
    assert (stick.metric, stick.value) == (metric, pytest.approx(before))
    found = stick.fall(worse)
    sign = 1 if stick.higher_is_better else -1
    assert found["fall"] == pytest.approx(sign * (before - after))
    assert found["fall"] > 0
    assert found["low"] > 0


def test_a_reconstruction_is_judged_by_its_input():
    x = np.random.default_rng(0).normal(size=(30, 4)).astype("float32")
    stick = yardstick("reconstruction", x + 0.1, x)
    assert stick.metric == "mse"
    assert stick.fall(x + 0.3)["fall"] == pytest.approx(0.08, rel=1e-3)


def test_without_labels_it_is_the_agreement_with_the_model_as_it_is():
    stick = yardstick("unlabelled", scores(LABELS), None)
    assert (stick.metric, stick.value) == ("agreement", 1.0)
    assert stick.fall(scores(flipped(10)))["fall"] == pytest.approx(0.25)


def test_without_labels_and_classes_it_is_how_far_the_outputs_moved():
    reference = np.random.default_rng(0).normal(size=(30, 3)).astype("float32")
    stick = yardstick("unlabelled", reference, None, threshold=0.0)
    assert (stick.metric, stick.value) == ("mean_abs_difference", 0.0)
    assert stick.scale == pytest.approx(float(reference.std()), rel=1e-6)
    assert stick.fall(reference + 0.5)["fall"] == pytest.approx(0.5, rel=1e-5)


def test_outputs_that_are_no_numbers_are_said_to_be_none():
    targets = np.ones((10, 1), "float32")
    stick = yardstick("regression", targets, targets)
    assert stick.fall(np.full((10, 1), np.nan, "float32"))["fall"] is None
