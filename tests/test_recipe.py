import json

import pytest

from optimizer.errors import InputError
from optimizer.recipe import BASELINE, Recipe
from optimizer.schedules import (
    ConstantSchedule,
    PolynomialSchedule,
    StepsSchedule,
    steps_from_text,
    steps_text,
)


def test_canonical_json_spells_out_every_field_and_reads_back_equal():
    recipe = Recipe.parse({"prune": {}, "cluster": {"number_of_clusters": 8}})
    text = recipe.canonical_json()
    assert json.loads(text)["prune"]["schedule"]["final_sparsity"] == 0.8
    assert Recipe.parse(text) == recipe
    assert Recipe.parse(text).hash == recipe.hash


def test_design_document_example_is_accepted():
    recipe = Recipe.parse(
        {
            "prune": {
                "schedule": {
                    "kind": "polynomial",
                    "initial_sparsity": 0.0,
                    "final_sparsity": 0.8,
                    "power": 3,
                    "begin": 0.0,
                    "end": 0.75,
                    "frequency": None,
                },
                "structure": {"kind": "unstructured"},
                "criterion": "magnitude",
                "scope": "layer",
            },
            "cluster": {
                "number_of_clusters": 16,
                "cluster_centroids_init": "kmeans++",
                "per_channel": False,
            },
            "quantize": {
                "mode": "int8",
                "aware": True,
                "io": "float32",
                "granularity": "per_channel",
                "calibration_samples": 200,
            },
            "fine_tune": {"epochs": 3, "batch_size": 128, "learning_rate": 0.001},
            "layers": {"dense_1": {"final_sparsity": 0.3, "number_of_clusters": 32}},
            "seed": 0,
        }
    )
    assert recipe.name == "prune 80% · cluster 16 · int8 QAT · batch 128 · 1 layer override"


def test_equal_recipes_have_equal_hashes_and_different_ones_do_not():
    assert Recipe.parse({"prune": {}}).hash == Recipe.parse({"prune": {}, "seed": 0}).hash
    assert Recipe.parse({"prune": {}}).hash != Recipe.parse({"prune": {}, "seed": 1}).hash


def test_empty_recipe_is_the_baseline():
    assert Recipe.parse("{}") == BASELINE
    assert BASELINE.is_baseline
    assert BASELINE.name == "float32 baseline"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ('{"prun": {}}', "Unknown key 'prun'"),
        ('{"quantize": {"mode": "float16", "aware": true}}', "Choose int8"),
        ('{"quantize": {"mode": "dynamic", "io": "int8"}}', "need mode 'int8'"),
        ('{"prune": {"schedule": {"kind": "polynomial", "final_sparsity": 2}}}', "received 2"),
        ('{"prune": {"schedule": {"kind": "polynomial", "begin": 0.9}}}', "below end"),
        ('{"prune": {"structure": {"kind": "diagonal"}}}', "'unstructured'"),
        ('{"prune": {"structure": {"kind": "n_m", "n": 4}}}', "n must be below m"),
        (
            '{"prune": {"structure": {"kind": "n_m"}, "schedule": {"kind": "constant", '
            '"target_sparsity": 0.8}}}',
            "2:4 pattern makes 0.5 of the weights zero",
        ),
        ('{"prune": {"structure": {"kind": "n_m"}, "scope": "global"}}', "same in every layer"),
        ('{"prune": {"schedule": {"kind": "steps", "steps": [[0, 0.5], [0.5, 0.2]]}}}', "rise"),
        ('{"prune": {"schedule": {"kind": "steps", "steps": [[1, 0.5]]}}}', "below 1"),
        (
            '{"prune": {"schedule": {"kind": "steps", "steps": []}}}',
            "prune.schedule.steps needs at least 1 entry",
        ),
        ('{"sparse_encoding": true}', "makes none"),
        ('{"prune": {"structure": {"kind": "channels"}}, "sparse_encoding": true}', "makes none"),
        ('{"quantize": {"mode": "float16", "granularity": "per_tensor"}}', "needs mode 'int8'"),
        (
            '{"prune": {}, "sparse_encoding": true, "quantize": {"mode": "int8"}}',
            "needs weights in float32 or float16",
        ),
        ('{"layers": {"d": {"quantize": false}}, "quantize": {"mode": "int8"}}', "has none"),
        ('{"cluster": {"number_of_clusters": 1}}', "received 1"),
        ('{"prune": {}, "cluster": {"number_of_clusters": 2}}', "at least 3 clusters"),
        ('{"layers": {"d": {"final_sparsity": 0.3}}}', "nothing to override"),
        ('{"fine_tune": {"learning_rate": 0}}', "greater than 0"),
        ("[]", "object"),
    ],
)
def test_unusable_recipes_are_refused_in_words(text, words):
    with pytest.raises(InputError, match="cannot be used") as caught:
        Recipe.parse(text)
    assert words in str(caught.value)


def test_polynomial_schedule_begins_ends_and_never_falls():
    schedule = PolynomialSchedule(initial_sparsity=0.2, final_sparsity=0.9, begin=0.1, end=0.6)
    curve = [schedule.sparsity_at(step / 100) for step in range(101)]
    assert curve[5] == 0.0
    assert curve[10] == pytest.approx(0.2)
    assert curve[60] == curve[100] == pytest.approx(0.9)
    assert curve == sorted(curve)


def test_constant_schedule_jumps_at_begin():
    schedule = ConstantSchedule(target_sparsity=0.5, begin=0.25)
    assert schedule.sparsity_at(0.24) == 0.0
    assert schedule.sparsity_at(0.25) == 0.5


def test_an_n_m_pattern_sets_the_sparsity_of_its_schedule():
    recipe = Recipe.parse({"prune": {"structure": {"kind": "n_m", "n": 1, "m": 4}}})
    assert recipe.prune.schedule.final == 0.75
    assert Recipe.parse(recipe.canonical_json()) == recipe
    assert recipe.name == "prune 1:4"


def test_a_schedule_of_steps_jumps_and_stays():
    schedule = StepsSchedule(steps=((0.1, 0.3), (0.5, 0.6)))
    moments = (0.0, 0.1, 0.49, 0.5, 1.0)
    assert [schedule.sparsity_at(moment) for moment in moments] == [0.0, 0.3, 0.3, 0.6, 0.6]
    assert schedule.final == 0.6


def test_hashes_depend_on_what_differs_from_the_defaults_only():
    plain = Recipe.parse({"prune": {}})
    spelled = Recipe.parse(plain.canonical_json())
    steps = Recipe.parse({"prune": {"schedule": {"kind": "steps"}}})
    constant = Recipe.parse({"prune": {"schedule": {"kind": "constant"}}})
    assert plain.hash == spelled.hash
    assert len({recipe.hash for recipe in (Recipe(), plain, steps, constant)}) == 4


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (
            {"prune": {"structure": {"kind": "channels"}, "criterion": "gradient"}},
            "channels −80% MACs by gradient",
        ),
        (
            {"prune": {"structure": {"kind": "block"}, "scope": "global", "gentle_ends": True}},
            "prune 80% blocks 4×1 global gentle ends",
        ),
        (
            {"prune": {}, "cluster": {"per_channel": True}, "sparse_encoding": True},
            "prune 80% · cluster 16 per channel · sparse encoding",
        ),
        (
            {"quantize": {"mode": "int8", "granularity": "per_tensor", "io": "uint8"}},
            "int8 per tensor uint8 in/out",
        ),
    ],
)
def test_names_say_what_is_not_usual(parts, name):
    assert Recipe.parse(parts).name == name


def test_steps_are_written_in_percent_and_read_back():
    schedule = StepsSchedule(steps=((0.0, 0.4), (0.29, 0.575)))
    assert steps_text(schedule) == "0 → 40, 29 → 57.5"
    assert steps_from_text(steps_text(schedule)) == [[0.0, 0.4], [0.29, 0.575]]
    assert steps_from_text("0 40; 50% -> 80 %\n") == [[0.0, 0.4], [0.5, 0.8]]


@pytest.mark.parametrize("text", ["0 → 40, 50", "now", "0 → 400", "1 2 3"])
def test_steps_that_are_no_pairs_of_percentages_are_refused(text):
    with pytest.raises(InputError, match="two percentages"):
        steps_from_text(text)
