"""Grids: products of alternatives, what contradicts itself, what is refused."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.errors import InputError
from optimizer.grid import Grid
from optimizer.recipe import BASELINE, Recipe

THIRTY = {
    "prune": [None, {"schedule": {"kind": "polynomial", "final_sparsity": [0.5, 0.8]}}],
    "cluster": [None, {"number_of_clusters": 16}],
    "quantize": [
        {"mode": ["none", "float16", "dynamic", "int8"]},
        {"mode": "int8", "aware": True},
    ],
}


def names(grid):
    return [recipe.name for recipe in Grid.parse(grid).expand().recipes]


def test_the_product_of_alternatives_and_of_theirs():
    grid = Grid.parse(THIRTY)
    expansion = grid.expand()
    assert grid.combinations == len(expansion.recipes) == 30
    assert expansion.left_out == ()
    found = [recipe.name for recipe in expansion.recipes]
    assert found[0] == "float32 baseline"
    assert found[-1] == "prune 80% · cluster 16 · int8 QAT"
    assert Grid.parse(grid.canonical_json()).combinations == 30


def test_a_recipe_is_a_grid_of_one():
    recipe = Recipe.parse({"prune": {"schedule": {"kind": "steps"}}, "cluster": {}})
    grid = Grid.parse(recipe.canonical_json())
    assert grid.expand().recipes == (recipe,)
    assert Recipe.parse(grid.choose(lambda path, count: pytest.fail(path))) == recipe


def test_fields_that_are_lists_are_wrapped_once_more():
    block = {"prune": {"structure": {"kind": "block", "size": [4, 1]}}}
    assert names(block) == ["prune 80% blocks 4×1"]
    block["prune"]["structure"]["size"] = [[4, 1], [1, 4]]
    assert names(block) == ["prune 80% blocks 4×1", "prune 80% blocks 1×4"]
    steps = {"prune": {"schedule": {"kind": "steps", "steps": [[0, 0.4], [0.5, 0.8]]}}}
    assert names(steps) == ["prune 80% steps"]
    steps["prune"]["schedule"]["steps"] = [[[0, 0.4]], [[0, 0.5], [0.5, 0.7]]]
    assert names(steps) == ["prune 40% steps", "prune 70% steps"]


def test_layers_have_alternatives_too():
    grid = Grid.parse({"cluster": {}, "layers": [{}, {"size": {"number_of_clusters": [8, 32]}}]})
    layers = [recipe.layers for recipe in grid.expand().recipes]
    assert [list(layer) for layer in layers] == [[], ["size"], ["size"]]
    assert [layer["size"].number_of_clusters for layer in layers[1:]] == [8, 32]


def test_what_changes_nothing_is_the_baseline_and_listed_once():
    grid = Grid.parse({"fine_tune": {"epochs": [1, 2, 3]}, "cluster": [None, {}]})
    recipes = grid.expand().recipes
    assert len(recipes) == 4
    assert recipes[0] == BASELINE


def test_contradictions_are_left_out_with_their_reason():
    grid = Grid.parse(
        {"prune": [None, {}], "cluster": {"number_of_clusters": [2, 4]}, "seed": [0, 1]}
    )
    expansion = grid.expand()
    assert grid.combinations == 8
    assert len(expansion.recipes) == 6
    (left_out,) = expansion.left_out
    assert left_out.count == 2
    assert "at least 3 clusters" in left_out.reason
    assert "cluster.number_of_clusters=2" in left_out.example


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"prun": [None, {}]}, "Unknown key 'prun'"),
        ({"seed": []}, "seed is an empty list"),
        ({"prune": [None, {"criterion": []}]}, "prune[1].criterion is an empty list"),
        ({"seed": [0, "one"]}, "received 'one'"),
        ({"cluster": [None, {"number_of_clusters": [8, 1]}]}, "received 1"),
        ({"prune": {"schedule": {"kind": ["constant", "steps"], "power": 2}}}, "Unknown key"),
        ({"prune": {"structure": [{"kind": "n_m", "m": 99}, {"kind": "block"}]}}, "received 99"),
        ({"prune": {"structure": {"kind": "block", "size": [[4, 1], 1]}}}, "valid tuple"),
        ({"quantize": None}, "quantize"),
        ({"seed": [{1}]}, "set is nothing a recipe holds"),
        ({"seed": list(range(1001))}, "1,001 alternatives"),
        ("[1]", "must be a JSON object"),
        ("{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        ("[" * 100_000, "nested deeper"),
        ('{"seed": ' + "[" * 500 + "0" + "]" * 500 + "}", "nested deeper"),
        ('{"prune": ' * 500 + "0" + "}" * 500, "nested deeper"),
        ('{"seed": ' + " " * 300_000 + "1}", "larger than 256 KiB"),
    ],
)
def test_mistakes_refuse_the_whole_grid(grid, words):
    with pytest.raises(InputError, match="The grid cannot be used") as caught:
        Grid.parse(grid)
    assert words in str(caught.value)


def test_too_many_and_nothing_are_refused():
    epochs = {"epochs": list(range(1, 51))}
    many = Grid.parse({"seed": list(range(100)), "fine_tune": epochs})
    assert many.combinations == 5000
    with pytest.raises(InputError, match=r"5,000 combinations; .* 2,000"):
        many.expand()
    nothing = Grid.parse({"quantize": {"mode": ["float16", "dynamic"], "aware": True}})
    with pytest.raises(InputError, match="Every combination of the grid contradicts itself"):
        nothing.expand()


def test_a_mistake_that_a_contradiction_hides_is_found_when_expanding():
    grid = Grid.parse(
        {
            "prune": {
                "structure": {"kind": "n_m", "n": [4, 2]},
                "criterion": ["magnitude", "largest"],
            }
        }
    )
    with pytest.raises(InputError, match="received 'largest'"):
        grid.expand()


def test_a_grid_is_read_from_a_file(tmp_path):
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(THIRTY))
    assert Grid.read(path) == Grid.parse(THIRTY)
    with pytest.raises(InputError, match="Cannot read the grid"):
        Grid.read(tmp_path / "none.json")


def test_only_lists_inside_the_chosen_alternatives_are_asked_about():
    grid = Grid.parse(THIRTY)
    asked = []

    def last(path, count):
        asked.append((path, count))
        return count - 1

    chosen = Recipe.parse(grid.choose(last))
    assert chosen.name == "prune 80% · cluster 16 · int8 QAT"
    assert asked == [
        ("prune", 2),
        ("prune[1].schedule.final_sparsity", 2),
        ("cluster", 2),
        ("quantize", 2),
    ]
    with pytest.raises(IndexError, match="prune has 2 alternatives; received 2"):
        grid.choose(lambda path, count: count)


def some(values):
    """One of the values, or a list of some of them, with lists in it now and then."""
    one = st.sampled_from(values)
    return one | st.lists(one | st.lists(one, min_size=1, max_size=2), min_size=1, max_size=3)


def maybe_several(part):
    return part | st.lists(part, min_size=1, max_size=2)


SCHEDULES = st.fixed_dictionaries(
    {"kind": st.just("polynomial")},
    optional={"final_sparsity": some([0.3, 0.5, 0.9]), "begin": some([0.0, 0.5, 0.9])},
)
PRUNES = st.none() | st.fixed_dictionaries({}, optional={"schedule": maybe_several(SCHEDULES)})
CLUSTERS = st.none() | st.fixed_dictionaries({"number_of_clusters": some([2, 8, 16])})
QUANTIZES = st.fixed_dictionaries(
    {"mode": some(["none", "float16", "int8"])}, optional={"aware": some([False, True])}
)
GRIDS = st.fixed_dictionaries(
    {},
    optional={
        "prune": maybe_several(PRUNES),
        "cluster": maybe_several(CLUSTERS),
        "quantize": maybe_several(QUANTIZES),
        "seed": some([0, 1]),
    },
)


def brute_force(value):
    """Every plain value that a grid without list fields stands for."""
    if isinstance(value, list):
        return [one for item in value for one in brute_force(item)]
    if isinstance(value, dict):
        choices = [brute_force(item) for item in value.values()]
        return [dict(zip(value, one, strict=True)) for one in itertools.product(*choices)]
    return [value]


def usable(combinations):
    """The recipes among plain combinations, by hash; what does nothing is the baseline."""
    recipes = {}
    for combination in combinations:
        try:
            recipe = Recipe.parse(combination)
        except InputError:
            continue
        recipe = BASELINE if recipe.is_baseline else recipe
        recipes[recipe.hash] = recipe
    return recipes


def every_choice(grid):
    """Every combination that choose can give, by counting its picks up like an odometer."""
    indices = []
    while True:
        counts = []

        def pick(path, count, counts=counts, indices=indices):
            counts.append(count)
            return indices[len(counts) - 1] if len(counts) <= len(indices) else 0

        yield grid.choose(pick)
        indices = (indices + [0] * len(counts))[: len(counts)]
        while indices and indices[-1] + 1 == counts[len(indices) - 1]:
            indices.pop()
        if not indices:
            return
        indices[-1] += 1


@given(GRIDS)
def test_expanding_is_the_brute_force_product(value):
    grid = Grid.parse(value)
    product = brute_force(value)
    expected = usable(product)
    assert grid.combinations == len(product)
    choices = list(every_choice(grid))
    assert len(choices) == len(product)
    assert usable(choices) == expected
    if not expected:
        with pytest.raises(InputError, match="Every combination"):
            grid.expand()
        return
    expansion = grid.expand()
    assert {recipe.hash: recipe for recipe in expansion.recipes} == expected
    assert len(expansion.recipes) == len(expected)
    contradictory = sum(not usable([one]) for one in product)
    assert sum(item.count for item in expansion.left_out) == contradictory
    assert Grid.parse(grid.canonical_json()).canonical_json() == grid.canonical_json()
