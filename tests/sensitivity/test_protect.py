"""Recipes that spare sensitive layers: only what was scanned, each with its reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.errors import InputError
from optimizer.recipe import Recipe
from optimizer.sensitivity.protect import (
    effective,
    planned_zeros,
    protect,
    protectable,
    set_layer,
)
from optimizer.sensitivity.scan import INT8, Setting
from tests.sensitivity.scans import layer, scan

PRUNE = {"prune": {"schedule": {"kind": "polynomial", "final_sparsity": 0.8}}}
FULL = {
    **PRUNE,
    "cluster": {"number_of_clusters": 16},
    "quantize": {"mode": "int8", "aware": True},
}
SORE = layer("sore", {0.5: 0.002, 0.7: 0.02, 0.8: 0.3}, {8: 0.2, 16: 0.05, 32: 0.004}, 0.06)
CALM = layer("calm", {0.5: 0.0, 0.7: 0.001, 0.8: 0.004}, {8: 0.009, 16: 0.0, 32: 0.0}, 0.0)


def test_a_sensitive_layer_gets_the_strongest_setting_it_bears_and_the_reason():
    found = protect(Recipe.parse(FULL), scan(SORE, CALM), 1.0)
    assert set(found.recipe.layers) == {"sore"}
    own = found.recipe.layers["sore"]
    assert (own.final_sparsity, own.number_of_clusters, own.quantize) == (0.5, 32, False)
    assert [change.reason for change in found.changes] == [
        "Pruned to 80 % alone, it loses 30 points; at 50 % it loses 0.2 points.",
        "Clustered to 16 values alone, it loses 5 points; with 32 it loses 0.4 points.",
        "Rounded to int8 alone it loses 6 points.",
    ]
    assert found.remarks == ()


def test_a_larger_limit_spares_less():
    whole = scan(SORE, CALM)
    assert protect(Recipe.parse(PRUNE), whole, 2.0).recipe.layers["sore"].final_sparsity == 0.7
    assert protect(Recipe.parse(PRUNE), whole, 40.0).recipe == Recipe.parse(PRUNE)


def test_a_layer_that_bears_nothing_is_not_pruned():
    found = protect(Recipe.parse(PRUNE), scan(layer("a", {0.5: 0.1, 0.8: 0.2}), CALM), 1.0)
    assert found.recipe.layers["a"].final_sparsity == 0
    assert "even 50 % costs 10 points: it is not pruned" in found.changes[0].reason


def test_a_weaker_level_that_costs_more_by_chance_is_not_passed_over():
    uneven = layer("a", {0.5: 0.05, 0.7: 0.001, 0.8: 0.3})
    found = protect(Recipe.parse(PRUNE), scan(uneven), 1.0)
    assert found.recipe.layers["a"].final_sparsity == 0


def test_a_level_that_was_not_scanned_is_decided_by_the_next_stronger_one():
    recipe = Recipe.parse({"prune": {"schedule": {"final_sparsity": 0.75, "kind": "polynomial"}}})
    assert not protect(recipe, scan(CALM), 1.0).changes
    (change,) = protect(recipe, scan(SORE), 1.0).changes
    assert (change.before, change.after) == (0.75, 0.5)
    far = Recipe.parse({"prune": {"schedule": {"final_sparsity": 0.9, "kind": "polynomial"}}})
    (change,) = protect(far, scan(CALM), 1.0).changes
    assert change.after == 0.8
    assert "scanned up to 80 % only" in change.reason


def test_halved_ends_and_overrides_that_are_there_count_as_what_the_layer_has():
    recipe = Recipe.parse({"prune": {**PRUNE["prune"], "gentle_ends": True}})
    three = scan(CALM, SORE, layer("end", {0.5: 0.002, 0.8: 0.5}))
    assert effective(recipe, three, three.layers[2])["final_sparsity"] == 0.4
    assert [change.layer for change in protect(recipe, three, 1.0).changes] == ["sore"]
    kept = Recipe.parse({**PRUNE, "layers": {"sore": {"final_sparsity": 0.5}}})
    assert protect(kept, scan(SORE, CALM), 40.0).recipe == kept


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"prune": {"structure": {"kind": "channels"}}}, "removes whole channels"),
        ({"prune": {"structure": {"kind": "n_m", "n": 2, "m": 4}}}, "same in every layer"),
        ({"prune": {**PRUNE["prune"], "scope": "global"}}, "compete over all layers"),
        ({"quantize": {"mode": "int8"}}, "switch on quantization-aware training"),
        ({"prune": {"structure": {"kind": "block", "size": [4, 1]}}}, "whole blocks"),
    ],
)
def test_what_the_scan_does_not_cover_is_said(recipe, words):
    found = protect(Recipe.parse(recipe), scan(SORE, CALM), 1.0)
    assert words in " ".join(found.remarks)


def test_what_can_treat_layers_differently_is_known():
    assert protectable(Recipe.parse(PRUNE))
    assert protectable(Recipe.parse({"cluster": {}}))
    assert not protectable(Recipe.parse({"quantize": {"mode": "int8"}}))
    assert not protectable(Recipe.parse({"prune": {"structure": {"kind": "channels"}}}))


def test_a_click_sets_a_layer_and_a_second_takes_it_back():
    recipe = Recipe.parse(FULL)
    pruned = set_layer(recipe, "calm", Setting("prune", 0.7))
    both = set_layer(pruned, "calm", Setting("int8", INT8))
    assert both.layers["calm"].final_sparsity == 0.7
    assert both.layers["calm"].quantize is False
    assert set_layer(
        set_layer(both, "calm", Setting("prune", 0.7)), "calm", Setting("int8", 8)
    ) == (recipe)


def test_a_click_that_has_nothing_to_override_is_refused_in_words():
    bare = Recipe.parse({"quantize": {"mode": "int8"}})
    for technique, words in (
        ("prune", "does not prune"),
        ("cluster", "does not cluster"),
        ("int8", "quantization-aware"),
    ):
        with pytest.raises(InputError, match=words):
            set_layer(bare, "calm", Setting(technique, 8))


def test_planned_zeros_weigh_layers_by_their_weights():
    whole = scan(layer("a", {0.5: 0}, weights=300), layer("b", {0.5: 0}, weights=100))
    recipe = Recipe.parse({**PRUNE, "layers": {"b": {"final_sparsity": 0.0}}})
    assert planned_zeros(recipe, whole) == pytest.approx(0.6)
    assert planned_zeros(Recipe.parse({"cluster": {}}), whole) is None


falls = st.floats(-0.02, 0.5)
rows = st.builds(
    layer,
    st.sampled_from(["a", "b", "c", "d"]),
    st.none() | st.dictionaries(st.sampled_from([0.3, 0.5, 0.8, 0.9]), falls, min_size=1),
    st.none() | st.dictionaries(st.sampled_from([4, 8, 16, 64]), falls, min_size=1),
    st.none() | falls,
)


@given(
    st.lists(rows, min_size=1, max_size=4, unique_by=lambda row: row["name"]),
    st.floats(0.01, 30),
    st.sampled_from([FULL, PRUNE, {"cluster": {}}]),
)
def test_a_protected_layer_is_never_treated_harder_and_bears_what_it_gets(layers, limit, parts):
    recipe, whole = Recipe.parse(parts), scan(*layers)
    found = protect(recipe, whole, limit)
    for row in whole.layers:
        before, after = (effective(each, whole, row) for each in (recipe, found.recipe))
        assert set(before) == set(after)
        if "final_sparsity" in after:
            assert after["final_sparsity"] <= before["final_sparsity"]
            changed = after["final_sparsity"] != before["final_sparsity"]
            if changed and after["final_sparsity"]:
                cell = row.cells[Setting("prune", after["final_sparsity"])]
                assert cell.lost <= limit + 1e-6
        if "number_of_clusters" in after:
            assert after["number_of_clusters"] >= before["number_of_clusters"]
    assert all(change.reason.endswith(".") for change in found.changes)
    assert protect(found.recipe, whole, limit).recipe == found.recipe
