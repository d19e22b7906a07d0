"""Settings to vary become a grid without contradictions that nobody meant."""

import pytest

from optimizer.errors import InputError
from optimizer.grid import Grid
from optimizer.recipe import Recipe
from optimizer.sweep_presets import SWEEP_PRESETS, preset_of
from optimizer.vary import NO_CLUSTERING, NO_PRUNING, SETTINGS
from optimizer.vary_grid import vary

EVERYTHING = Recipe.parse(
    {
        "prune": {"structure": {"kind": "channels"}},
        "cluster": {},
        "quantize": {"mode": "int8"},
    }
).model_dump(mode="json")


def expand(varied, **base):
    expansion = Grid.parse(vary(base, varied)).expand()
    assert expansion.left_out == ()
    return [recipe.name for recipe in expansion.recipes]


def test_nothing_varied_is_the_base_recipe():
    recipe = Recipe.parse({"prune": {}, "cluster": {}, "quantize": {"mode": "int8"}, "seed": 3})
    for base in (recipe.model_dump(mode="json"), {"prune": {}, "cluster": {}, "seed": 3}):
        (found,) = Grid.parse(vary(base, {})).expand().recipes
        assert found == Recipe.parse(base)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_gives_a_variant_per_value(name):
    base = EVERYTHING
    if name == "sparse_encoding":
        base = Recipe.parse({"prune": {}}).model_dump(mode="json")
    start = SETTINGS[name].start
    assert set(start) <= set(SETTINGS[name].options)
    expansion = Grid.parse(vary(base, {name: start})).expand()
    assert expansion.left_out == ()
    assert len(expansion.recipes) == len(start) >= 2
    for text in SETTINGS[name].options:
        assert len(Grid.parse(vary(base, {name: [text]})).expand().recipes) == 1


def test_sparsities_with_and_without_a_base_that_prunes():
    varied = {"sparsity": [NO_PRUNING, "50", "80 %"]}
    assert expand(varied) == ["float32 baseline", "prune 50%", "prune 80%"]
    constant = {"schedule": {"kind": "constant", "target_sparsity": 0.7}, "criterion": "random"}
    assert expand(varied, prune=constant) == [
        "float32 baseline",
        "prune 50% constant at random",
        "prune 80% constant at random",
    ]
    assert expand({"sparsity": [NO_PRUNING]}, prune={}) == ["float32 baseline"]


def test_patterns_keep_their_own_sparsity():
    prune = {"schedule": {"kind": "polynomial", "final_sparsity": 0.9}, "scope": "global"}
    varied = {"sparsity": ["60", "70"], "structure": ["Single weights", "2:4", "blocks 4x1", "1:4"]}
    assert expand(varied, prune=prune) == [
        "prune 60% global",
        "prune 60% blocks 4×1 global",
        "prune 70% global",
        "prune 70% blocks 4×1 global",
        "prune 2:4",
        "prune 1:4",
    ]
    pattern = {"structure": {"kind": "n_m"}}
    assert expand({"sparsity": [NO_PRUNING, "50"]}, prune=pattern) == [
        "float32 baseline",
        "prune 2:4",
    ]


def test_schedules_keep_the_sparsity_of_the_base():
    prune = {"schedule": {"kind": "polynomial", "final_sparsity": 0.6, "power": 1, "begin": 0.2}}
    varied = {"schedule": ["Polynomial", "Constant", "0 → 30, 50 → 60"], "begin": ["10"]}
    grid = vary({"prune": prune}, varied)
    first, second, third = Grid.parse(grid).expand().recipes
    assert first.prune.schedule.power == 1
    assert first.prune.schedule.begin == second.prune.schedule.begin == 0.1
    assert first.prune.schedule.final == second.prune.schedule.final == 0.6
    assert third.prune.schedule.steps == ((0.0, 0.3), (0.5, 0.6))


def test_what_only_int8_has_is_varied_there_only():
    varied = {
        "quantization": ["None (float32)", "int8", "float16", "int8, quantization-aware training"],
        "io": ["float32", "int8"],
        "calibration_samples": ["100", "200"],
    }
    names = expand(varied, quantize={"mode": "dynamic"}, number_of_clusters=None)
    assert names[:2] == ["float32 baseline", "float16"]
    assert names.count("int8") == 2  # two numbers of representative samples
    assert names.count("int8 QAT") == 1
    assert len(names) == 8


def test_clusters_with_and_without_a_base_that_clusters():
    varied = {"number_of_clusters": [NO_CLUSTERING, "8", "16"]}
    assert expand(varied) == ["float32 baseline", "cluster 8", "cluster 16"]
    base = {"number_of_clusters": 4, "per_channel": True}
    assert expand(varied, cluster=base)[1] == "cluster 8 per channel"


@pytest.mark.parametrize(
    ("varied", "base", "words"),
    [
        ({"epochs": []}, {}, "Choose values for Epochs"),
        ({"epochs": ["many"]}, {}, "whole number from 1 to 1000; received 'many'"),
        ({"epochs": ["1.5"]}, {}, "received '1.5'"),
        ({"sparsity": ["120"]}, {}, "from 1 to 99; received '120'"),
        ({"structure": ["big"]}, {"prune": {}}, "received 'big'"),
        ({"schedule": ["often"]}, {"prune": {}}, "two percentages"),
        ({"criterion": ["Largest"]}, {"prune": {}}, "is none of Magnitude"),
        ({"criterion": ["Random"]}, {}, "Criterion has no effect here. It needs pruning"),
        ({"per_channel": ["Yes"]}, {}, "It needs clustering"),
        ({"io": ["int8"]}, {}, "It needs int8"),
        ({"multiple_of": ["4"]}, {"prune": {}}, "the structure Channels"),
        ({"power": ["2"]}, {"prune": {"schedule": {"kind": "constant"}}}, "polynomial"),
        ({"sparsity": ["50"]}, {"prune": {"schedule": {"kind": "steps"}}}, "of its own"),
        ({"sparsity": ["50"]}, {"prune": {"structure": {"kind": "n_m"}}}, "of its own"),
    ],
)
def test_what_cannot_vary_is_refused_in_words(varied, base, words):
    with pytest.raises(InputError) as caught:
        vary(base, varied)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "count"),
    list(zip(SWEEP_PRESETS, (30, 6, 8, 6, 8), strict=True)),
)
def test_presets_are_sweeps_of_as_many_variants_as_they_say(name, count):
    preset = SWEEP_PRESETS[name]
    base = preset.base.model_dump(mode="json")
    assert len(expand(preset.varied, **base)) == count
    for setting, values in preset.varied.items():
        assert set(values) <= set(SETTINGS[setting].options)
    assert preset_of(base, preset.varied) == name
    assert preset_of({**base, "seed": 7}, preset.varied) is None
    assert preset_of(base, {**preset.varied, "seed": ["1"]}) is None
