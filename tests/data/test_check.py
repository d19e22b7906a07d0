"""Does the data fit the model: each mismatch is explained with both sides' values."""

from __future__ import annotations

import re

import pytest

from optimizer.data.check import check_data
from optimizer.data.task import outputs_are_logits, propose_task, task_choices
from optimizer.errors import InputError


def model(inputs=(8, 8, 1), outputs=(10,), activation="softmax", layers=()):
    return {
        "inputs": [{"name": "input", "shape": [None, *inputs], "dtype": "float32"}],
        "outputs": [
            {
                "name": "output",
                "shape": [None, *outputs],
                "dtype": "float32",
                "activation": activation,
            }
        ],
        "layers": [{"type": "InputLayer", "name": "input", "weights": []}, *layers],
    }


def data(**changes):
    facts = {
        "train": 1000, "test": 500, "x_shape": [8, 8, 1], "x_dtype": "float32",
        "y_shape": [], "y_dtype": "int64", "y_kind": "class_index", "classes": 10,
        "class_counts": {"train": [100] * 10, "test": [50] * 10},
        "x_min": 0.0, "x_max": 1.0, "y_min": 0.0, "y_max": 9.0, "non_finite": 0,
    }  # fmt: skip
    return facts | changes


def real(shape=(), **changes):
    return data(y_kind="real", y_shape=list(shape), classes=None, class_counts=None, **changes)


UNLABELLED = data(y_kind="none", classes=None, class_counts=None, y_min=None, y_max=None)
MULTILABEL = data(y_kind="multilabel", y_shape=[3], classes=None, class_counts=None)
BINARY = data(y_kind="binary", classes=2, class_counts={"train": [9, 9], "test": [300, 200]})


def only(findings, severity):
    assert [finding.severity for finding in findings] == [severity], findings
    return findings[0].message


def test_what_fits_has_no_findings():
    assert check_data(model(), data()) == []


@pytest.mark.parametrize(
    ("wanted", "given", "advice"),
    [
        ((8, 8, 1), [8, 8], r"x\[\.\.\., np\.newaxis\]"),
        ((8, 8), [8, 8, 1], r"x\[\.\.\., 0\]"),
        ((32, 32, 3), [3, 32, 32], r"np\.moveaxis\(x, 1, -1\)"),
        ((8, 8, 1), [64], r"x\.reshape\(len\(x\), 8, 8, 1\)"),
        ((64,), [8, 8, 1], r"x\.reshape\(len\(x\), 64\)"),
        ((8, 8, 3), [8, 8, 1], r"np\.repeat\(x, 3, axis=-1\)"),
        ((32, 32, 3), [28, 28, 3], "Resize the images to 32 × 32"),
        ((30,), [29], "Bring the samples into that shape"),
        ((4,), [], "Bring the samples into that shape"),
    ],
)
def test_a_wrong_shape_is_explained_with_what_to_save(wanted, given, advice):
    message = only(check_data(model(wanted), data(x_shape=given)), "error")

    assert re.search(advice, message)
    for shape in (wanted, given):
        assert ", ".join(map(str, shape)) in message


@pytest.mark.parametrize(("wanted", "given"), [((None, 4), [26, 4]), ((None, None, 3), [9, 7, 3])])
def test_free_dimensions_take_any_size(wanted, given):
    assert check_data(model(wanted), data(x_shape=given)) == []


def test_more_classes_than_outputs_is_an_error_with_both_numbers():
    message = only(check_data(model(outputs=(4,)), data()), "error")

    assert "classes 0 to 9" in message
    assert "4 outputs" in message


def test_labels_counted_from_one_are_recognised():
    facts = data(y_min=1.0, y_max=10.0, classes=11, class_counts=None)

    assert "save y - 1" in only(check_data(model(), facts), "error")


def test_fewer_classes_than_outputs_is_a_warning():
    facts = data(classes=8, y_max=7.0, class_counts=None)

    message = only(check_data(model(), facts), "warning")
    assert "10 outputs" in message
    assert "classes 0 to 7" in message


def test_one_hot_columns_are_compared_with_outputs():
    facts = data(y_kind="one_hot", classes=12, class_counts=None)

    assert "one-hot with 12 columns" in only(check_data(model(), facts), "error")


def test_real_labels_for_a_softmax_are_an_error():
    message = only(check_data(model(outputs=(2,)), real(y_min=-1.0, y_max=1.0)), "error")

    assert "between -1 and 1" in message
    assert "from 0 to 1" in message


def test_not_finite_samples_are_an_error_with_their_number():
    assert "3 of the samples' 96,000 values" in only(
        check_data(model(), data(non_finite=3)), "error"
    )


def test_grey_values_to_255_without_a_rescaling_layer_are_a_warning():
    facts = data(x_max=255.0, x_dtype="uint8")
    rescaling = {"type": "Rescaling", "name": "scale", "weights": []}

    assert "from 0 to 255" in only(check_data(model(), facts), "warning")
    assert check_data(model(layers=[rescaling]), facts) == []
    assert "'scale' scales them again" in only(
        check_data(model(layers=[rescaling]), data()), "warning"
    )


def test_indices_beyond_an_embedding_are_an_error():
    embedding = {"type": "Embedding", "name": "e", "weights": [{"name": "w", "shape": [50, 8]}]}
    words = model((12,), layers=[embedding])

    assert check_data(words, data(x_shape=[12], x_max=49.0)) == []
    message = only(check_data(words, data(x_shape=[12], x_max=50.0)), "error")
    assert "indices 0 to 49" in message
    assert "from 0 to 50" in message


def test_fractions_for_a_model_of_whole_numbers_are_a_warning():
    facts = model()
    facts["inputs"][0]["dtype"] = "int32"

    assert "takes int32; the dataset has float32" in only(check_data(facts, data()), "warning")
    assert check_data(facts, data(x_dtype="uint8")) == []


def test_few_test_samples_are_a_warning_with_the_width():
    assert "only 50 test samples" in only(check_data(model(), data(test=50)), "warning")
    assert "±14 points" in only(check_data(model(), data(test=50)), "warning")


def test_classes_without_training_samples_are_a_warning():
    counts = {"train": [0, 50] + [100] * 8, "test": [50] * 10}

    message = only(check_data(model(), data(class_counts=counts)), "warning")
    assert "1 of 10 classes (0) have 50 test samples" in message


def two_ends():
    facts = model()
    facts["inputs"] = [
        {"name": "left", "shape": [None, 3], "dtype": "float32"},
        {"name": "right", "shape": [None, 8, 8, 1], "dtype": "float32"},
    ]
    facts["outputs"] = [
        *facts["outputs"],
        {"name": "price", "shape": [None, 1], "dtype": "float32", "activation": None},
    ]
    return facts


def two_arrays(inputs, targets):
    facts = data()
    keys = ("x_shape", "x_dtype", "x_min", "x_max", "non_finite")
    first = {key: facts[key] for key in keys}
    named = [{**first, "name": name, "x_shape": shape} for name, shape in inputs.items()]
    return {**facts, "inputs": named, "targets": targets}


def test_each_of_several_inputs_and_outputs_is_checked_by_its_name():
    classes = {key: data()[key] for key in ("y_shape", "y_kind", "classes", "class_counts")}
    price = {**classes, "y_kind": "real", "classes": None, "class_counts": None}
    ends = {"y_min": 0.0, "y_max": 9.0}
    targets = [{**price, **ends, "name": "price"}, {**classes, **ends, "name": "output"}]
    fitting = two_arrays({"right": [8, 8, 1], "left": [3]}, targets)

    assert check_data(two_ends(), fitting) == []
    assert propose_task(two_ends(), fitting) == "multiclass+regression"

    swapped = two_arrays({"left": [8, 8, 1], "right": [3]}, targets)
    messages = [finding.message for finding in check_data(two_ends(), swapped)]
    assert ["(3,)" in text for text in messages] == [True, True]


def test_another_number_of_inputs_is_one_error_that_names_both_sides():
    message = only(check_data(two_ends(), data(x_shape=[3], test=5)), "error")

    assert "2 inputs (left, right)" in message
    assert "the dataset has 1 (x)" in message
    with pytest.raises(InputError, match="2 outputs"):
        propose_task(two_ends(), data())


def test_scaled_samples_and_a_scaling_layer_are_a_warning():
    facts = model(layers=[{"type": "Rescaling", "name": "rescaling", "weights": []}])

    message = only(check_data(facts, data(scaling={"kind": "unit"})), "warning")
    assert "x / 255" in message
    assert "'rescaling'" in message


def test_scaled_indices_are_an_error():
    facts = model((5,), layers=[{"type": "Embedding", "name": "e", "weights": [{"shape": [9, 2]}]}])
    tokens = data(x_shape=[5], x_min=0.0, x_max=0.9, scaling={"kind": "unit"})

    assert "has an embedding" in only(check_data(facts, tokens), "error")


def test_data_without_labels_are_a_warning_that_says_what_is_left():
    message = only(check_data(model(), UNLABELLED), "warning")

    assert "agreement" in message
    assert task_choices(model(), UNLABELLED) == [["unlabelled"]]


def test_other_tasks_can_be_chosen():
    yes_or_no = model(outputs=(1,), activation="sigmoid")

    assert task_choices(yes_or_no, BINARY) == [["binary", "regression", "unlabelled"]]


def test_errors_come_before_warnings():
    findings = check_data(model(), data(x_shape=[9], test=20, non_finite=1))

    assert [finding.severity for finding in findings] == ["error", "error", "warning"]


@pytest.mark.parametrize(
    ("model_facts", "data_facts", "task"),
    [
        (model(), data(), "multiclass"),
        (model(activation=None), data(), "multiclass"),
        (model(outputs=(2,)), BINARY, "multiclass"),
        (model(outputs=(1,), activation="sigmoid"), BINARY, "binary"),
        (model(outputs=(1,), activation=None), BINARY, "binary"),
        (model(outputs=(1,), activation=None), data(classes=90), "regression"),
        (model(outputs=(1,), activation=None), real(), "regression"),
        (model(outputs=(3,), activation=None), real((3,)), "regression"),
        (model((30,), (30,), "sigmoid"), UNLABELLED, "reconstruction"),
        (model(outputs=(8, 8, 1), activation="sigmoid"), UNLABELLED, "reconstruction"),
        (model(outputs=(8, 8, 1), activation="sigmoid"), data(), "reconstruction"),
        (model((4,), (4,), "softmax"), data(classes=4), "multiclass"),
        (model((4,), (4,), None), data(classes=4), "multiclass"),
        (model((1,), (1,), None), real(), "regression"),
    ],
)
def test_tasks(model_facts, data_facts, task):
    assert propose_task(model_facts, data_facts) == task


@pytest.mark.parametrize(
    ("model_facts", "data_facts", "message"),
    [
        (model(), MULTILABEL, r"0 or 1 in 3 columns.*\(10,\)"),
        (model(outputs=(3,)), MULTILABEL, "ends in a softmax"),
        (model(outputs=(1,), activation="sigmoid"), data(), "single output with sigmoid"),
        (model(outputs=(26, 7)), data(), r"output has shape \(26, 7\) per sample"),
        (model(outputs=(3,), activation=None), real((2,)), r"\(2,\) per sample.*\(3,\)"),
    ],
)
def test_no_task_fits(model_facts, data_facts, message):
    with pytest.raises(InputError, match=message):
        propose_task(model_facts, data_facts)


def test_a_binary_model_without_sigmoid_gives_logits():
    assert outputs_are_logits(model(outputs=(1,), activation=None)) == [True]
    assert outputs_are_logits(model(outputs=(1,), activation="sigmoid")) == [False]


def test_a_table_with_other_columns_than_the_model_takes_is_advised_about_columns():
    (finding,) = check_data(model((30,)), data(x_shape=[31], format="csv"))
    assert "(30,)" in finding.message
    assert "Choose other columns" in finding.message
