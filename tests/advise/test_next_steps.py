"""What follows from a measured variant: with its evidence, runnable, and only where it is true."""

import re
from dataclasses import replace

import pytest

from optimizer.advise.next_steps import NEXT, next_steps
from optimizer.feasible import objections
from tests.advise.known import (
    AWARE,
    CHANNELS,
    CLUSTER,
    INT8,
    INT16,
    PRUNE,
    SPARSE,
    done,
    facts,
    layer,
    operators,
    situation,
)
from tests.variants import variant

SLOW = {"ratio": 1.02, "significant": False}
FAST = {"ratio": 0.5, "significant": True}
SLOWER = {"ratio": 9.0, "significant": True}
SAME_SIZE = {"size_bytes": 200_000, "gzip_bytes": 90_000}
BROKEN = {"promises": [{"promise": "80 % zeros", "kept": False, "found": "12 %"}]}
INT16_SLOW = done("int16", INT16, latency=SLOWER)


def said(chosen, *others, lose=0.01, **more):
    return next_steps(situation(chosen, *others, **more), chosen, lose)


def titles(*args, **more):
    return [suggestion.title for suggestion in said(*args, **more).suggestions]


CLUSTERED = done("cluster", CLUSTER, 0.90)
PRUNED = done("prune", PRUNE, 0.90, **SAME_SIZE)
NARROW = done("narrow", CHANNELS, 0.90)
EIGHT = done("int8", INT8, 0.90, latency=FAST)

# Rule → (variant, others) that it concerns, and those that it does not.
CASES = {
    "promise_was_broken": (
        [done("prune", PRUNE, **BROKEN)],
        [done("prune", PRUNE)],
        [done("int8", INT8, **BROKEN)],
    ),
    "fell_at_clustering": (
        [CLUSTERED],
        [done("cluster", CLUSTER, 0.955)],
        [done("cluster", CLUSTER, 0.90, metric_interval=None)],
        [done("both", {**CLUSTER, **INT8}, 0.90)],  # without the one before nothing is known
        [done("both", {**CLUSTER, **INT8}, 0.90), done("int8", INT8, 0.90)],
    ),
    "fell_at_pruning": ([PRUNED], [done("prune", PRUNE, 0.955)], [CLUSTERED]),
    "training_can_win_int8_back": (
        [EIGHT],
        [done("int8", INT8, 0.955)],
        [done("aware", AWARE, 0.90)],
        [done("int8", INT8, None)],
    ),
    "training_may_win_back": ([CLUSTERED], [EIGHT], [done("cluster", CLUSTER, 0.955)]),
    "int8_is_not_faster": (
        [done("int8", INT8, latency=SLOW)],
        [done("int8", INT8, latency=FAST)],
        [done("int8", INT8, latency={"ratio": None})],
        [done("float16", {"quantize": {"mode": "float16"}}, latency=SLOW)],
    ),
    "int16_is_slower": (
        [INT16_SLOW],
        [done("int16", INT16, latency=FAST)],
        [done("int8", INT8, latency=SLOWER)],
    ),
    "zeros_show_only_compressed": (
        [PRUNED],
        [done("sparse", SPARSE, **SAME_SIZE)],
        [done("prune", PRUNE, size_bytes=90_000)],
        [done("prune", PRUNE, size_bytes=None)],
        [done("narrow", CHANNELS, **SAME_SIZE)],
    ),
    "room_is_left": (
        [done("prune", PRUNE, 0.958)],
        [done("prune", PRUNE, 0.951)],
        [done("cluster", CLUSTER, 0.958)],
        [done("prune", PRUNE, None)],
    ),
    "difference_is_noise": (
        [done("cluster", CLUSTER, 0.955)],
        [CLUSTERED],
        [done("cluster", CLUSTER, 0.96)],
        [done("cluster", CLUSTER, 0.955, metric_interval=None)],
    ),
}


@pytest.mark.parametrize("rule", NEXT, ids=lambda rule: rule.__name__)
def test_a_rule_fires_where_it_should_and_only_there(rule):
    fires, *silent = CASES[rule.__name__]
    (suggestion,) = [s for s in map(rule, [_after(*fires)]) if s]
    assert suggestion.title
    assert suggestion.evidence.endswith(".")
    assert [rule(_after(*other)) for other in silent] == [None] * len(silent)


def _after(chosen, *others):
    from optimizer.advise.after import After
    from optimizer.measured import measured

    known = situation(chosen, *others)
    return After(known, chosen, measured(chosen), measured(known.baseline), 0.01)


def test_every_suggested_recipe_is_possible_and_new():
    for chosen, *others in (case for cases in CASES.values() for case in cases):
        known = situation(chosen, *others)
        for suggestion in next_steps(known, chosen, 0.01).suggestions:
            if suggestion.recipe:
                assert not objections(suggestion.recipe, known.model_facts, known.task)
                assert all(suggestion.recipe != other.recipe for other in known.variants)


def test_figures_are_those_of_the_variants():
    (first, *_) = said(CLUSTERED).suggestions
    assert first.evidence.startswith(
        "With 16 clusters it loses 6 points more than “base” (96.00 % → 90.00 %), beyond the 95 %"
    )
    assert first.recipe.cluster.number_of_clusters == 32


def test_more_clusters_go_to_the_layers_that_the_scan_found():
    scan = {
        "layers": [
            {"name": "big", "weights": 10, "prune": None, "cluster": {"16": {"rise": 0.9}}},
            {"name": "small", "weights": 10, "prune": None, "cluster": {"16": {"rise": 0.01}}},
        ]
    }
    (first, *_) = said(CLUSTERED, sensitivity=scan).suggestions
    assert {n: o.number_of_clusters for n, o in first.recipe.layers.items()} == {"big": 32}
    assert first.recipe.cluster.number_of_clusters == 16
    assert "big" in first.evidence
    assert "small" not in first.evidence


def test_operators_left_in_float_are_named_or_not_known():
    slow = done("int8", INT8, latency=SLOW)
    unknown = said(slow).suggestions[0].evidence
    assert "not known" in unknown
    named = said(slow, operators={"int8": operators(SOFTMAX=2, ADD=1)}).suggestions[0].evidence
    assert "1 ADD, 2 SOFTMAX" in named
    none = said(slow, operators={"int8": operators()}).suggestions[0]
    assert "No operator is left in float" in none.evidence
    assert none.recipe.prune.structure.kind == "channels"
    assert none.recipe.quantize.mode == "int8"


def test_channels_are_not_offered_where_none_can_be_removed():
    model = facts(layer("a", techniques=("prune",)))
    found = said(done("int8", INT8, latency=SLOW), model=model)
    assert [suggestion.recipe for suggestion in found.suggestions] == [None]
    assert "channels" not in found.suggestions[0].evidence


def test_what_training_won_back_is_said_when_it_is_measured():
    texts = [s.evidence for s in said(EIGHT, done("aware", AWARE, 0.95)).suggestions]
    assert "“aware” wins back 5 points." in texts[0]


def test_a_repetition_is_said_and_not_offered():
    gentler = variant(
        "gentler", {"prune": {"schedule": {"kind": "polynomial", "final_sparsity": 0.7}}}, "running"
    )
    found = said(PRUNED, gentler)
    assert "“gentler” is running." in found.suggestions[0].evidence
    assert found.suggestions[0].recipe is None


def test_no_room_is_claimed_where_a_harsher_one_is_measured():
    harsher = done("90", {"prune": {"schedule": {"kind": "polynomial", "final_sparsity": 0.9}}})
    gentle = done("prune", PRUNE, 0.958)
    assert any("Prune more" in title for title in titles(gentle))
    assert not any("Prune more" in title for title in titles(gentle, harsher))


def test_nothing_to_try_is_said_with_its_reason():
    found = said(done("int8", INT8, latency=FAST))
    assert found.suggestions == ()
    assert found.why_none == (
        "Nothing that was measured of it asks for another try: it loses nothing, and 1 point may "
        "be lost."
    )


@pytest.mark.parametrize(
    ("chosen", "word"),
    [
        (variant("failed", INT8, "failed"), "not been measured"),
        (variant("empty", INT8, "done", found={"size_bytes": 5}), "asks for another try"),
    ],
)
def test_what_is_not_measured_gives_no_advice(chosen, word):
    found = said(chosen)
    assert found.suggestions == ()
    assert word in found.why_none


def test_an_unmeasured_baseline_is_said():
    known = situation(CLUSTERED)
    alone = replace(known, variants=(CLUSTERED,))
    assert "baseline" in next_steps(alone, CLUSTERED, 0.01).why_none


def test_errors_are_said_as_a_share_of_the_baselines():
    def error(name, recipe, value):
        return done(name, recipe, value, metric="mae", metric_interval=[value, value])

    from tests.variants import baseline

    base = baseline(metric="mae", value=2.0, metric_interval=[1.9, 2.1])
    worse = error("cluster", CLUSTER, 2.5)
    known = replace(situation(worse, task="regression", metric="mae"), variants=(base, worse))
    texts = " ".join(s.evidence for s in next_steps(known, worse, 0.01).suggestions)
    assert "has an error larger by 25 % of the baseline's than “base” (2 → 2.5)" in texts
    assert not re.search("points|accuracy", texts)
