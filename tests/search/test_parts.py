"""Early ending, sparsities by layer, bounds and default spaces."""

from dataclasses import replace

import pytest

from optimizer.grid import Grid
from optimizer.recipe import Recipe
from optimizer.search.bounds import cannot_win
from optimizer.search.defaults import default_space
from optimizer.search.goal import Figures, SearchOptions
from optimizer.search.hopeless import EarlyEnding, Moment, moment
from optimizer.search.per_layer import alternatives, divide, worth_scanning
from optimizer.search.words import goal_text, miss_texts, space_texts, trial_text
from tests.search.synthetic import GRID, goal, space, trial
from tests.test_feasible import facts

BOTH = Recipe.parse({"prune": {}, "cluster": {}})
NOW = Moment("prune", 1, 2, ("cluster",))


def finished(*pairs):
    """Trials that stood somewhere after an epoch, and where they ended: (lost then, lost)."""
    candidate = next(c for c in space().candidates if c.recipe.prune and c.recipe.cluster)
    found = []
    for number, (then, lost) in enumerate(pairs):
        ended = trial(number, candidate, Figures(1, 1, 0.97 - lost), goal())
        found.append(replace(ended, recipe=BOTH, intermediate=[["prune", 1, 2, 0.96 - then]]))
    return found


def rule(trials, samples=10_000, **constraints):
    return EarlyEnding(goal(**constraints), trials, 0.96, samples)


def test_nothing_is_ended_before_some_trials_have_finished():
    trials = finished((0.05, 0.0), (0.06, 0.01), (0.05, 0.01))
    assert rule(trials).reason(NOW, 0.1) is None
    assert "Ended early" in rule([*trials, *finished((0.05, 0.0))]).reason(NOW, 0.1)


def test_what_could_still_recover_goes_on():
    trials = finished((0.30, 0.02), (0.05, 0.0), (0.06, 0.01), (0.1, 0.0))
    ending = rule(trials)
    assert max(ending.recoveries(NOW)) == pytest.approx(0.28)
    assert ending.reason(NOW, 0.96 - 0.29) is None
    reason = ending.reason(NOW, 0.96 - 0.60)
    assert "60.0 points behind" in reason
    assert "28.0 points" in reason


def test_few_samples_give_a_wider_margin():
    trials = finished((0.05, 0.0), (0.06, 0.01), (0.05, 0.01), (0.05, 0.0))
    assert rule(trials).reason(NOW, 0.96 - 0.09) is not None
    assert rule(trials, samples=50).reason(NOW, 0.96 - 0.09) is None


def test_only_the_same_moment_counts():
    trials = finished((0.05, 0.0), (0.06, 0.01), (0.05, 0.01), (0.05, 0.0))
    assert rule(trials).reason(Moment("prune", 1, 2, ()), 0.1) is None
    assert rule(trials).reason(Moment("prune", 1, 3, ("cluster",)), 0.1) is None
    assert moment(BOTH, "prune", 1, 2) == NOW
    assert moment(BOTH, "cluster", 1, 2) == Moment("cluster", 1, 2, ())


def test_without_a_limit_of_the_accuracy_nothing_is_hopeless():
    trials = finished(*[(0.05, 0.0)] * 5)
    assert rule(trials, max_size_bytes=10_000).reason(NOW, 0.1) is None


SENSITIVITY = {
    "layers": [
        {
            "name": "tough",
            "weights": 3000,
            "prune": {"0.5": {"rise": 0.0}, "0.8": {"rise": 0.01}, "0.95": {"rise": 0.1}},
        },
        {
            "name": "delicate",
            "weights": 1000,
            "prune": {"0.5": {"rise": 0.5}, "0.8": {"rise": 2.0}, "0.95": {"rise": 4.0}},
        },
        {"name": "other", "weights": 500, "prune": None},
    ]
}
WEIGHTS = {"tough": 3000, "delicate": 1000}


@pytest.mark.parametrize("sparsity", [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.94])
def test_the_same_number_of_weights_is_removed_in_all(sparsity):
    found = divide(SENSITIVITY, sparsity)
    assert set(found) == set(WEIGHTS)
    assert all(0 <= value < 1 for value in found.values())
    removed = sum(WEIGHTS[name] * value for name, value in found.items())
    assert removed == pytest.approx(4000 * sparsity, abs=2)
    assert found["tough"] >= found["delicate"]


def test_layers_that_bear_the_same_keep_one_sparsity():
    same = {"layers": [{**SENSITIVITY["layers"][0], "name": name} for name in "ab"]}
    assert abs(divide(same, 0.95).get("a", 0.95) - 0.95) < 0.01
    assert divide({"layers": SENSITIVITY["layers"][:1]}, 0.5) == {}
    assert divide(SENSITIVITY, 0.97) == {}  # more than was scanned: spread evenly


def test_only_recipes_with_one_sparsity_have_an_alternative():
    alternative = alternatives(SENSITIVITY)
    found = alternative(Recipe.parse({"prune": {}, "cluster": {}}))
    assert found.prune == Recipe.parse({"prune": {}}).prune
    assert set(found.layers) == set(WEIGHTS)
    for recipe in (
        {},
        {"prune": {"scope": "global"}},
        {"prune": {"structure": {"kind": "channels"}}},
        {"prune": {"gentle_ends": True}},
        {"prune": {}, "layers": {"tough": {"final_sparsity": 0.1}}},
    ):
        assert alternative(Recipe.parse(recipe)) is None


def test_only_spaces_that_prune_single_weights_are_worth_a_scan():
    assert worth_scanning(Grid.parse(GRID))
    assert not worth_scanning(Grid.parse({"quantize": {"mode": ["int8", "float16"]}}))
    assert not worth_scanning(Grid.parse({"prune": {"structure": {"kind": "channels"}}}))


def candidate(**parts):
    recipe = Recipe.parse(parts)
    return next(c for c in space().candidates if c.recipe == recipe)


def test_a_file_that_cannot_be_smaller_is_skipped_with_the_reason():
    int8, pruned = (
        candidate(quantize={"mode": "int8"}),
        [c for c in space().candidates if c.recipe.prune and c.recipe.quantize.mode == "int8"],
    )
    aim = goal("size")
    trials = [trial(0, int8, Figures(1, 60_000, 0.97), aim)]
    plain = next(c for c in pruned if not c.recipe.quantize.aware)
    assert "60.0 kB" in cannot_win(plain, trials, aim)
    assert cannot_win(candidate(quantize={"mode": "float16"}), trials, aim) is None
    assert cannot_win(plain, trials, goal("download")) is None
    lost = [trial(0, int8, Figures(1, 60_000, 0.5), aim)]
    assert cannot_win(plain, lost, aim) is None


def test_a_file_beyond_the_limit_is_skipped():
    aim = goal("download", max_size_bytes=50_000)
    trials = [trial(0, candidate(quantize={"mode": "int8"}), Figures(1, 60_000, 0.97), aim)]
    other = next(
        c for c in space().candidates if c.recipe.cluster and c.recipe.name.endswith("int8")
    )
    assert "more than the limit of 50.0 kB" in cannot_win(other, trials, aim)


def test_removed_channels_have_sizes_of_their_own():
    channels = {"structure": {"kind": "channels"}, "schedule": {"kind": "polynomial"}}
    grid = {"prune": channels, "quantize": {"mode": ["none", "int8"]}}
    (first, second) = space(grid).candidates
    aim = goal("size")
    assert cannot_win(second, [trial(0, first, Figures(1, 10, 0.97), aim)], aim) is None


@pytest.mark.parametrize("objective", ["download", "size", "latency", "accuracy"])
def test_a_default_space_holds_what_the_model_allows(objective):
    found = default_space(facts(), "multiclass", objective)
    assert Grid.parse(found).expand().recipes
    assert ("cluster" in found) == (objective in ("download", "accuracy"))
    untrained = default_space(facts(), "unlabelled", objective)
    assert set(untrained) == {"quantize", "fine_tune"}
    assert {"mode": "int8", "aware": True} not in untrained["quantize"]
    none = default_space(facts(prune="no", cluster="no", quantize_aware="no"), "binary", "download")
    assert set(none) == {"quantize", "fine_tune"}


def test_channels_are_for_latency():
    able = facts()
    able["layers"][0]["techniques"]["channels"] = None
    space_for = default_space(able, "multiclass", "latency")
    assert space_for["prune"][1]["structure"] == {"kind": "channels"}
    assert default_space(able, "multiclass", "download")["prune"][1].keys() == {"schedule"}


def test_goals_and_misses_in_words():
    options = SearchOptions.parse(
        {
            "objective": "latency",
            "constraints": {"max_accuracy_drop": 0.015, "max_size_bytes": 50_000},
            "trials": 1,
            "minutes": 10,
        }
    )
    assert goal_text(options, "accuracy") == (
        "Find the lowest latency that loses at most 1.5 points of accuracy and has a file of at "
        "most 50.0 kB, within 1 trial or 10 minutes"
    )
    assert "lets the mean absolute error grow by at most 3 %" in goal_text(options, "mae")
    violations = {"accuracy_drop": 0.4, "size_bytes": -0.2}
    assert miss_texts(violations, options.constraints, "accuracy") == ["0.6 points of accuracy"]


def test_a_space_in_words():
    assert space_texts(GRID) == [
        "pruning: none, single weights (sparsity: 30 %, 50 %, 60 %, 70 %, 80 %, 90 %)",
        "clustering: none, shared values (clusters: 8, 16, 32, 64)",
        "quantization: float32, float16, dynamic range, int8, int8 with quantization-aware "
        "training",
    ]
    grid = {"quantize": {"mode": ["int8", "none"]}, "seed": [1, 2], "fine_tune": {"epochs": 3}}
    assert space_texts(grid) == ["mode: int8, none", "seed: 1, 2"]


def test_a_trial_in_words():
    found = trial(3, candidate(quantize={"mode": "int8"}), Figures(1500, 2000, 0.97), goal())
    assert trial_text(found) == (
        "Trial 3, int8: done, 1.50 kB gzip-compressed, metric 0.97, keeps the limits"
    )
    ended = replace(found, state="pruned", message="Ended early.")
    assert trial_text(ended).endswith("ended early. Ended early.")
