"""The candidates of a grid and the choices that lead to them."""

import pytest

from optimizer.errors import InputError
from optimizer.grid import Grid
from optimizer.recipe import Recipe
from optimizer.search.space import PER_LAYER
from tests.search.synthetic import GRID, space


def test_a_space_has_the_recipes_of_its_grid_but_the_baseline():
    recipes = {recipe.hash for recipe in Grid.parse(GRID).expand().recipes}
    found = space()
    assert {candidate.key for candidate in found.candidates} == recipes - {Recipe().hash}
    assert len(found.candidates) == 174


def test_choices_lead_to_their_recipe():
    for candidate in space().candidates:
        chosen = Grid.parse(GRID).choose(lambda path, _, c=candidate: c.choices[path])
        assert Recipe.parse(chosen) == candidate.recipe


def test_the_way_to_a_candidate_can_be_asked_for():
    found = space()
    for candidate in found.candidates[::7]:
        made = {}
        while (path := found.next_point(made)) is not None:
            made[path] = candidate.choices[path]
        assert made == candidate.choices


def test_numbers_have_a_scale_and_others_have_none():
    scales = space().scales
    assert scales["prune[1].schedule.final_sparsity"] == (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
    assert scales["cluster[1].number_of_clusters"] == (8.0, 16.0, 32.0, 64.0)
    assert "quantize" not in scales
    assert "prune" not in scales


def test_candidates_that_differ_in_quantization_share_their_training():
    by_training = {}
    for candidate in space().candidates:
        if not candidate.recipe.quantize.aware and candidate.training:
            by_training.setdefault(candidate.training, []).append(candidate.recipe.quantize.mode)
    assert all(modes == ["none", "float16", "dynamic", "int8"] for modes in by_training.values())


def test_what_the_model_refuses_is_counted_with_its_reason():
    found = space(objections=lambda recipe: ["No clusters here."] if recipe.cluster else [])
    assert dict(found.refused) == {"No clusters here.": 140}
    assert len(found.candidates) == 34


def test_alternatives_that_contradict_each_other_are_left_out():
    found = space({"quantize": {"mode": ["int8", "float16"], "aware": [False, True]}})
    assert {c.recipe.name for c in found.candidates} == {"int8", "int8 QAT", "float16"}
    assert sum(found.refused.values()) == 1


def test_a_space_with_nothing_in_it_says_why():
    with pytest.raises(InputError, match=r"Nothing in the search space .* No layer can be pruned"):
        space({"prune": {}}, objections=lambda recipe: ["No layer can be pruned."])
    with pytest.raises(InputError, match="float32 baseline only"):
        space({"quantize": {"mode": "none"}})


def test_sparsities_by_layer_are_an_alternative_of_recipes_that_prune():
    def per_layer(recipe):
        layers = {"dense": {"final_sparsity": 0.4}}
        return Recipe.parse({**recipe.model_dump(mode="json"), "layers": layers})

    found = space(per_layer=lambda recipe: per_layer(recipe) if recipe.prune else None)
    assert len(found.candidates) == 174 + 150
    assert found.counts[PER_LAYER] == 2
    for candidate in found.candidates:
        assert bool(candidate.recipe.layers) == (candidate.choices.get(PER_LAYER) == 1)


def test_a_space_too_large_to_list_is_drawn_by_the_seed():
    large = {**GRID, "fine_tune": {"epochs": list(range(1, 40))}}
    first, again, other = (space(large, seed=seed) for seed in (1, 1, 2))
    assert 1000 < len(first.candidates) <= 2000
    assert first.candidates == again.candidates
    assert first.candidates != other.candidates
