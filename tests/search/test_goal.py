"""What a limit means, and what is refused."""

import math

import pytest

from optimizer.errors import InputError
from optimizer.quality import lost
from optimizer.search.goal import Constraints, Figures, Goal, SearchOptions, excess, feasible
from optimizer.search.words import drop_text
from tests.search.synthetic import BASELINE, goal


def test_a_point_of_accuracy_and_two_per_cent_of_an_error_are_the_same():
    assert lost(0.96, 0.97, higher_is_better=True) == pytest.approx(0.01)
    assert lost(0.51, 0.5, higher_is_better=False) == pytest.approx(0.01)
    assert lost(0.98, 0.97, higher_is_better=True) < 0
    assert lost(None, 0.97, higher_is_better=True) == math.inf


def test_a_limit_is_kept_up_to_itself():
    aim = goal(max_accuracy_drop=0.01, max_size_bytes=60_000, max_latency_ratio=0.8)
    assert aim.keeps(Figures(1, 60_000, 0.96, 0.8))
    for broken in (
        Figures(1, 60_001, 0.96, 0.8),
        Figures(1, 60_000, 0.9599, 0.8),
        Figures(1, 60_000, 0.96, 0.81),
    ):
        assert not aim.keeps(broken)
        assert sum(value > 1e-9 for value in aim.violations(broken).values()) == 1


def test_what_was_not_measured_keeps_no_limit():
    aim = goal(max_accuracy_drop=0.01, max_size_bytes=60_000, max_latency_ratio=0.8)
    assert aim.violations(Figures()) == dict.fromkeys(
        ("accuracy_drop", "size_bytes", "latency_ratio"), 1.0
    )
    assert not goal("latency").keeps(Figures(1, 1, 0.97, None))


def test_an_error_may_grow_by_twice_the_drop():
    aim = Goal("download", Constraints(max_accuracy_drop=0.01), "mae", False, Figures(metric=0.5))
    assert feasible(aim.violations(Figures(metric=0.51)))
    assert not feasible(aim.violations(Figures(metric=0.511)))


def test_a_limit_of_nothing_can_be_compared():
    aim = goal(max_accuracy_drop=0.0)
    violations = aim.violations(Figures(metric=BASELINE.metric - 0.005))
    assert excess(violations) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"trials": None}, "needs an end"),
        ({"trials": 0}, "trials"),
        ({"objective": "fastest"}, "objective"),
        ({"constraints": {"max_accuracy_drop": -0.1}}, "max_accuracy_drop"),
        ({"constraint": {}}, "Unknown key 'constraint'"),
    ],
)
def test_options_that_make_no_search_are_refused_in_words(values, words):
    with pytest.raises(InputError, match=words):
        SearchOptions.parse(values)


def test_latency_is_measured_only_where_it_matters():
    assert not SearchOptions().needs_latency
    assert SearchOptions(objective="latency").needs_latency
    assert SearchOptions(constraints=Constraints(max_latency_ratio=0.9)).needs_latency


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        ("accuracy", "1 point of accuracy"),
        ("mae", "2 % of the mean absolute error"),
        ("r2", "0.01 of the R²"),
        ("auc", "0.01 of the AUC"),
    ],
)
def test_a_drop_is_said_in_the_metric_s_own_terms(metric, text):
    assert drop_text(0.01, metric) == text
