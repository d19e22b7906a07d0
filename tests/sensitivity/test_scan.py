"""Reading a scan: units by task, noise, columns; and what is asked for one."""

import pytest

from optimizer.errors import InputError
from optimizer.sensitivity.options import ScanOptions, count_changes, proposed_samples
from optimizer.sensitivity.scan import Cell, Setting, unit_of
from tests.sensitivity.scans import layer, scan


@pytest.mark.parametrize(
    ("metric", "value", "scale", "fall", "shown", "title"),
    [
        ("accuracy", 0.9, 1, 0.011, "1.1 points", "Accuracy lost"),
        ("accuracy", 0.9, 1, 0.01, "1 point", "Accuracy lost"),
        ("auc", 0.9, 1, 0.011, "0.011", "AUC lost"),
        ("r2", 0.9, 1, 0.5, "0.5", "R² lost"),
        ("mae", 2.0, 1, 0.1, "5 %", "Mean absolute error: growth"),
        ("mae", 0.0, 1, 0.1, "0.1", "Mean absolute error: growth"),
        ("agreement", 1.0, 1, 0.02, "2 points", "Agreement lost"),
        ("mean_abs_difference", 0.0, 4.0, 0.2, "5 %", "Outputs moved"),
    ],
)
def test_a_loss_is_said_in_the_unit_of_its_metric(metric, value, scale, fall, shown, title):
    unit = unit_of(metric, value, scale)
    assert unit.show(unit.factor * fall) == shown
    assert unit.title == title


def test_the_columns_are_in_order_and_holes_are_holes():
    whole = scan(
        layer("a", {0.9: 0.2, 0.5: 0.1}, {16: 0.0, 4: 0.1}), layer("b", None, None, int8=0.0)
    )
    assert [s.label for s in whole.settings] == ["50 %", "90 %", "4", "16", "int8"]
    assert set(whole.by_name["b"].cells) == {Setting("int8", 8)}
    assert whole.by_name["a"].cells[Setting("prune", 0.9)].lost == pytest.approx(20)
    assert whole.by_name["a"].worst() == pytest.approx(20)


def test_noise_is_an_interval_that_includes_no_loss():
    assert Cell(0.2, -0.1, 0.5).noise
    assert not Cell(0.2, 0.1, 0.3).noise
    assert not Cell(None, None, None).noise


def test_options_are_sorted_and_mistakes_named():
    options = ScanOptions.parse({"sparsities": [0.9, 0.5, 0.9], "clusters": []})
    assert options.sparsities == (0.5, 0.9)
    with pytest.raises(InputError, match="choose a sparsity"):
        ScanOptions.parse({"sparsities": [], "clusters": [], "int8": False})
    with pytest.raises(InputError, match="clusters"):
        ScanOptions.parse({"clusters": [1]})


def test_changes_are_counted_from_what_can_act_on_each_layer():
    able = {"prune": None, "cluster": None, "quantize_aware": "The layer is shared."}
    norm = {"prune": "No kernel.", "cluster": "No kernel.", "quantize_aware": None}
    rounded = {**norm, "quantize_aware": None}
    layers = [
        {"parameters": 10, "techniques": able, "weights": [{"name": "kernel"}]},
        {"parameters": 0, "techniques": {"prune": None}, "weights": []},
        {"parameters": 8, "techniques": norm, "weights": [{"name": "gamma"}]},
        {"parameters": 9, "techniques": rounded, "weights": [{"name": "depthwise_kernel"}]},
    ]
    assert count_changes(layers, ScanOptions()) == 11


def test_models_that_compute_much_are_proposed_fewer_samples():
    able = {"prune": None, "cluster": None, "quantize_aware": None}
    small = {"parameters": 1000, "techniques": able, "output_shape": [None, 8, 8, 4]}
    large = {"parameters": 10**6, "techniques": able, "output_shape": [None, 56, 56, 64]}
    nameless = {"parameters": 10, "techniques": able, "output_shape": None}
    assert proposed_samples([small, nameless]) == ScanOptions().samples
    assert 64 <= proposed_samples([large]) < proposed_samples([small])
    assert proposed_samples([large] * 50) == 64
