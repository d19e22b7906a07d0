"""Fronts, and budgets for what variants may cost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.explore.budgets import budget, excess, within
from optimizer.explore.table import explore_table
from tests.explore.building import names, offered, table
from tests.variants import baseline, results, variant


@given(st.lists(st.tuples(*[st.integers(1, 6)] * 3), min_size=1, max_size=12), st.data())
def test_the_front_is_what_no_other_of_those_asked_for_dominates(rows, data):
    study = [
        variant(f"v{n}", found=results(gzip_bytes=1000 * size, value=quality / 10, macs=macs))
        for n, (size, quality, macs) in enumerate(rows)
    ]
    among = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    costs = [(size, -quality, macs) for size, quality, macs in rows]

    def dominated(own):
        return any(
            among[n] and costs[n] != costs[own] and all(np.array(costs[n]) <= np.array(costs[own]))
            for n in range(len(rows))
        )

    expected = [bool(among[n]) and not dominated(n) for n in range(len(rows))]
    assert table(study).front(("gzip", "metric", "macs"), among).tolist() == expected


def test_a_budget_of_accuracy_is_a_loss_against_the_baseline():
    found = table()
    slider = budget(found, "metric")
    assert slider.label == "Accuracy may fall by at most"
    assert (slider.default, slider.options[0]) == (1.0, 0.0)
    assert slider.options[-1] >= 6.0
    kept = within(found, {"metric": slider}, {"metric": 1.0})
    assert names(found, kept) == ["base", "small", "good", "liar (promise not kept)", "untimed"]


def test_an_error_may_rise_and_a_study_without_baseline_has_floors():
    errors = [
        baseline(metric="mse", value=0.5),
        variant("v", found=results(metric="mse", value=0.7)),
    ]
    slider = budget(table(errors), "metric")
    assert slider.label == "Mean squared error may rise by at most"
    assert excess(table(errors), slider, 0.1).tolist() == pytest.approx([-0.1, 0.1])
    alone = [variant("v", found=results(value=0.9)), variant("w", found=results(value=0.8))]
    floor = budget(table(alone), "metric")
    assert (floor.label, floor.default) == ("Accuracy at least", None)
    assert (floor.options[0], floor.options[-1]) == (80.0, 100.0)


@pytest.mark.parametrize("key", ["gzip", "metric", "ratio", "agreement", "sparsity", "time"])
def test_a_slider_has_options_when_all_values_are_equal(key):
    for study in ([baseline()], [baseline(), baseline()], [variant("v", found=results())]):
        found = table(study)
        if key in found.measures:
            slider = budget(found, key)
            assert len(slider.options) >= 1
            assert list(slider.options) == sorted(set(slider.options))
            assert slider.snapped(slider.options[0]) == slider.options[0]


@given(st.floats(0.001, 1e6), st.floats(0.001, 1e6))
def test_the_ends_of_a_slider_enclose_the_values(first, second):
    study = [variant(n, found=results(macs=v * 1000)) for n, v in (("a", first), ("b", second))]
    options = budget(table(study), "macs").options
    assert options[0] <= min(first, second) * 1000 * (1 + 1e-6)
    assert options[-1] >= max(first, second) * 1000 * (1 - 1e-6)


def test_a_limit_becomes_an_option_that_is_no_looser():
    slider = budget(table(), "gzip")
    assert slider.snapped(10.04) == 10.0
    assert slider.snapped(0.001) == slider.options[0]
    floor = budget(table(), "agreement")
    assert floor.snapped(98.003) > 98.003


def test_what_was_not_measured_is_within_no_limit():
    found = table()
    budgets = offered(found, "ratio")
    assert "untimed" not in names(found, within(found, budgets, {"ratio": 50.0}))
    assert "untimed" in names(found, within(found, budgets, {"ratio": None}))


def test_where_no_error_is_larger_than_the_baselines_none_can_be_allowed():
    """A slider that ended at a billionth would say nothing."""
    better = [
        variant("base", found=results(metric="mae", value=0.5)),
        variant("v", found=results(metric="mae", value=0.4)),
    ]
    slider = budget(explore_table(better), "metric")
    assert (slider.options, slider.default) == ((0.0,), None)
