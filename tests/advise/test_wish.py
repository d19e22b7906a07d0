"""What may be lost, asked and said in the unit of the study's own metric."""

import pytest

from optimizer.advise.cost import Cost, cost_text
from optimizer.advise.search_for import search_for
from optimizer.advise.wish import (
    PRIORITIES,
    TARGETS,
    Wish,
    limit_text,
    loss_scale,
    loss_text,
)
from optimizer.errors import InputError
from optimizer.grid import Grid
from optimizer.recipe import Recipe
from tests.advise.known import AWARE, INT8, PRUNE, facts, situation


@pytest.mark.parametrize(
    ("metric", "default", "limit", "text"),
    [
        ("accuracy", 0.01, "1 point may be lost", "loses 2 points"),
        ("mae", 0.01, "the error may grow by 2 %", "has an error 4 % larger"),
        ("r2", 0.01, "0.01 may be lost", "loses 0.02"),
    ],
)
def test_a_loss_is_said_in_the_metrics_own_unit(metric, default, limit, text):
    scale = loss_scale(metric)
    assert scale.default * scale.per_unit == pytest.approx(default)
    assert limit_text(default, metric) == limit
    assert loss_text(0.02, metric) == text
    assert loss_text(0.0, metric) == "loses nothing"
    assert loss_text(-0.02, metric) not in (text, "loses nothing")


@pytest.mark.parametrize(
    ("recipe", "found", "words"),
    [
        (INT8, Cost(3.0, 4, 2), "About 3.0 s"),
        (INT8, Cost(None, 4, 2), "not known"),
        (INT8, Cost(0.0, 4, 4), "computed before"),
        (INT8, None, "not known"),
        (INT8, None, "50 training samples for the ranges, without labels"),
        ({**PRUNE, **AWARE}, None, "Trains twice, 3 epochs each; needs data with labels"),
        ({"quantize": {"mode": "float16"}}, None, "needs no training data"),
    ],
)
def test_what_it_costs_is_said(recipe, found, words):
    assert words in cost_text(found, Recipe.parse(recipe), {"train": 50})


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("priority", PRIORITIES)
def test_a_search_tries_what_the_target_takes(target, priority):
    if priority == "memory" or (priority == "latency" and target != "cpu"):
        with pytest.raises(InputError, match=r"A search .*\.$"):
            search_for(situation(), Wish(target, priority))
        return
    objective, space = search_for(situation(), Wish(target, priority))
    assert objective in ("download", "size", "latency", "accuracy")
    recipes = Grid.parse(space).expand().recipes
    modes = {recipe.quantize.mode for recipe in recipes}
    if target in ("micro", "npu"):
        assert modes == {"int8"}
        assert {recipe.quantize.io for recipe in recipes} == {"int8"}
    if target == "gpu":
        assert modes == {"none", "float16"}


def test_what_cannot_be_searched_is_said():
    with pytest.raises(InputError, match="labels"):
        search_for(situation(task="unlabelled"), Wish("cpu", "download", None))
    with pytest.raises(InputError, match="TFLite file"):
        search_for(situation(model=facts(kind="tflite")), Wish())
