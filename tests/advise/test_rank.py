"""The advice: valid, possible, new, and sensible on the sample study."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.advise.gather import operators, situation
from optimizer.advise.ladder import next_step
from optimizer.advise.rank import FEWEST, MOST, report
from optimizer.advise.scans import as_sensitivity
from optimizer.advise.situation import Situation
from optimizer.advise.wish import PRIORITIES, TARGETS, Wish
from optimizer.bundled import ensure_sample_study
from optimizer.feasible import objections
from optimizer.recipe import Recipe
from optimizer.store import Store
from tests.advise.known import (
    ALL_THREE,
    CHANNELS,
    CLUSTER,
    ENDS,
    INT8,
    PRUNE,
    done,
    facts,
    layer,
)
from tests.advise.known import situation as made
from tests.variants import baseline, variant

WISHES = [
    *(Wish(target, priority) for target, priority in itertools.product(TARGETS, PRIORITIES)),
    *(Wish("cpu", priority, lose) for priority in PRIORITIES for lose in (0.0, 0.05)),
]
RNN = facts(layer("lstm", techniques=("prune",), kind="LSTM"), layer("out", techniques=()))
STUDIES = {
    "new": made(),
    "nothing measured": Situation(facts(), {}, "multiclass", "accuracy"),
    "some measured": made(
        done("int8", INT8), done("prune", PRUNE, 0.9), done("all", ALL_THREE, 0.955)
    ),
    "running": made(variant("int8", INT8, "running")),
    "no layer can be trained": made(model=facts(layer("a", techniques=()))),
    "recurrent": made(model=RNN),
    "no labels": made(task="unlabelled"),
    "SavedModel": made(model=facts(kind="saved_model")),
    "SavedModel with loops": made(model={**facts(kind="saved_model"), "has_loops": True}),
    "TFLite": made(model=facts(kind="tflite")),
    "two outputs": made(task="multiclass+regression"),
    "regression": made(task="regression", metric="mae"),
    "metrics are missing": made(done("int8", INT8, None), done("prune", PRUNE, None)),
}


@pytest.mark.parametrize("name", STUDIES)
def test_every_advised_recipe_is_valid_possible_and_new(name):
    study = STUDIES[name]
    for wish in WISHES:
        wanted = wish if study.metric else Wish(wish.target, wish.priority, None)
        found = report(study, wanted)
        assert len(found.advice) + len(found.standing) <= MOST
        recipes = [advice.recipe for advice in found.advice]
        assert len({recipe.hash for recipe in recipes}) == len(recipes)
        for advice in found.advice:
            assert Recipe.parse(advice.recipe.canonical_json()) == advice.recipe
            assert not objections(advice.recipe, study.model_facts, study.task)
            assert study.tried(advice.recipe) is None
            assert advice.points == sum(reason.points for reason in advice.reasons) > 0
        points = [advice.points for advice in found.advice]
        if all(not advice.recipe.trains for advice in found.advice[-1:]):
            points = points[:-1]  # the last may be there because it needs no training
        assert points == sorted(points, reverse=True)


@pytest.mark.parametrize("name", ["new", "recurrent", "regression", "two outputs"])
def test_a_new_study_gets_a_short_list(name):
    """On phones and for sizes there is something for every model that can be trained."""
    assert len(report(STUDIES[name], Wish()).advice) >= FEWEST
    assert any(not advice.recipe.trains for advice in report(STUDIES[name], Wish()).advice)


def test_a_tflite_file_is_told_why_there_is_nothing():
    found = report(STUDIES["TFLite"], Wish())
    assert not found.advice
    assert "TFLite file" in found.impossible


def test_without_labels_nothing_that_trains_is_advised():
    found = report(STUDIES["no labels"], Wish(may_lose=None))
    assert found.advice
    assert not any(advice.recipe.trains for advice in found.advice)


@pytest.mark.parametrize("target", ["micro", "npu"])
def test_integer_hardware_gets_int8_to_the_ends(target):
    for priority in PRIORITIES:
        for advice in report(STUDIES["new"], Wish(target, priority)).advice:
            quantize = advice.recipe.quantize
            assert quantize.mode in (("int8", "int16x8") if target == "micro" else ("int8",))
            assert quantize.mode != "int8" or quantize.io == "int8"
            assert not advice.recipe.sparse_encoding


def test_what_only_compresses_is_not_advised_for_flash_or_latency():
    for target, priority in itertools.product(TARGETS, ("flash", "latency", "memory")):
        for advice in report(STUDIES["new"], Wish(target, priority)).advice:
            recipe = advice.recipe
            assert recipe.cluster is None
            assert not recipe.leaves_zeros or recipe.sparse_encoding


def test_the_measured_best_keeps_the_limit_and_its_promises():
    broken = {"promises": [{"promise": "zeros", "kept": False, "found": "none"}]}
    study = made(
        done("small and bad", ALL_THREE, 0.9, gzip_bytes=10),
        done("small and broken", {**ALL_THREE, "seed": 1}, 0.96, gzip_bytes=11, **broken),
        done("good", CLUSTER, 0.955, gzip_bytes=12),
    )
    assert [s.variant.name for s in report(study, Wish()).standing][:1] == ["good"]


def test_a_variant_with_float_ends_is_no_answer_for_a_microcontroller():
    study = made(done("float ends", INT8), done("int8 ends", ENDS))
    found = report(study, Wish("micro", "flash"))
    assert [standing.variant.name for standing in found.standing] == ["int8 ends"]


@pytest.mark.parametrize("latency", [{"ratio": 2.8, "significant": True}, {"significant": False}])
def test_what_is_no_faster_is_no_answer_to_latency(latency):
    study = made(done("int8", INT8, latency=latency))
    found = report(study, Wish("cpu", "latency"))
    assert found.standing == ()
    assert all(advice.recipe.quantize.mode != "int8" for advice in found.advice)
    assert any(advice.recipe.prune for advice in found.advice)  # channels help all the same


def test_what_the_model_does_not_allow_is_left_out_with_the_objection():
    found = report(STUDIES["SavedModel with loops"], Wish())
    texts = {item.reason.text for item in found.left_out}
    assert any("has a loop" in text for text in texts)
    assert any("without its Keras layers" in text for text in texts)
    assert [advice.recipe.quantize.mode for advice in found.advice] == ["dynamic", "float16"]


def test_a_scan_of_single_layers_gives_sparsities_by_layer():
    def scanned(name, rise):
        prune = {"0.5": {"rise": rise, "fall": 0.0}, "0.9": {"rise": 4 * rise, "fall": 0.0}}
        return {"name": name, "weights": 4000, "prune": prune, "cluster": None, "int8": None}

    study = made(sensitivity={"layers": [scanned("big", 0.01), scanned("small", 1.0)]})
    found = report(study, Wish())
    own = [advice for advice in found.advice if advice.recipe.layers]
    assert own
    layers = own[0].recipe.layers
    assert layers["big"].final_sparsity > layers["small"].final_sparsity
    assert any("sensitivity scan of this model" in r.text for r in own[0].reasons)


def test_a_scan_that_a_person_made_is_understood():
    """Judged by the metric of each output, of which the first counts."""
    content = {
        "layers": [
            {
                "name": name,
                "type": "Dense",
                "weights": 4000,
                "prune": {level: [{"fall": fall}, {"fall": 9.0}] for level, fall in falls},
                "cluster": None,
                "int8": None,
            }
            for name, falls in (
                ("big", (("0.5", 0.0), ("0.9", 0.01))),
                ("small", (("0.5", 0.2), ("0.9", None))),
            )
        ]
    }
    known = as_sensitivity(content)
    assert known["layers"][1]["prune"] == {"0.5": {"fall": 0.2, "rise": 0.2}}
    layers = next(
        advice.recipe.layers
        for advice in report(made(sensitivity=known), Wish()).advice
        if advice.recipe.layers
    )
    assert layers["big"].final_sparsity > layers["small"].final_sparsity


def test_time_on_other_hardware_is_not_made_up():
    known = made(done("narrow", CHANNELS, macs=1000))
    study = replace(known, variants=(baseline(macs=2000), *known.variants[1:]))
    (standing,) = report(study, Wish("gpu", "latency")).standing
    assert "not measured here" in standing.figure
    assert "ms" not in standing.figure


def test_a_harsher_recipe_is_advised_after_one_that_kept_the_limit():
    study = made(done("all", ALL_THREE, 0.96))
    first = report(study, Wish()).advice[0].recipe
    assert first.prune.schedule.final >= 0.8
    assert first.cluster.number_of_clusters < 16


def test_what_is_under_way_is_waited_for():
    study = made(variant("all", ALL_THREE, "running"))
    advised = [advice.recipe for advice in report(study, Wish()).advice]
    assert advised
    both = [recipe for recipe in advised if recipe.leaves_zeros and recipe.cluster]
    assert not any(recipe.quantize.aware for recipe in both)


@given(
    st.lists(st.tuples(st.sampled_from([True, False, None]), st.booleans()), max_size=7),
    st.integers(0, 6),
)
def test_the_next_rung_is_new_and_between_what_is_known(rungs, start):
    kept, free = [outcome for outcome, _ in rungs], [is_free for _, is_free in rungs]
    found = next_step(kept, free, start)
    if found is None:
        return
    place, kind = found
    assert free[place]
    best = max((i for i, outcome in enumerate(kept) if outcome), default=-1)
    assert place >= best
    assert kind == "same" or kept[place] is None
    assert not any(outcome is False for outcome in kept[best + 1 : place])


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    store = Store.open(tmp_path_factory.mktemp("advised"))
    ensure_sample_study(store)
    (study,) = store.list_studies()
    return store, study


def names(found):
    return [s.variant.name for s in found.standing] + [a.recipe.name for a in found.advice]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (
            Wish("cpu", "download"),
            [
                "prune 80% · cluster 8 · int8 QAT",
                "prune 80% · cluster 16 · int8 QAT",
                "prune 85% · cluster 8 · int8 QAT",
            ],
        ),
        (
            Wish("cpu", "latency"),
            [
                "channels −50% MACs · int8",
                "prune 50% · cluster 16 · int8 QAT",
                "channels −65% MACs by gradient global · int8 · epochs 5",
            ],
        ),
        (
            Wish("micro", "flash"),
            [
                "channels −50% MACs by gradient global · int8 int8 in/out · epochs 5",
                "int8 int8 in/out",
                "int8 QAT int8 in/out",
            ],
        ),
        (Wish("gpu", "accuracy"), ["int8 QAT", "float16", "dynamic range"]),
    ],
)
def test_on_the_sample_study_the_lists_are_sensible(sample, wish, expected):
    store, study = sample
    found = report(situation(store, study, store.list_variants(study.id)), wish)
    assert sorted(names(found)) == sorted(expected)


def test_what_the_store_knows_is_gathered(sample):
    store, study = sample
    variants = store.list_variants(study.id)
    known = situation(store, study, variants)
    assert known.metric == "accuracy"
    assert known.sensitivity["layers"][0]["name"] == "conv_1"
    assert known.share_of_parameters(["dense_1"]) == pytest.approx(0.734, abs=0.01)
    assert known.share_of_parameters(known.able("prune")) == pytest.approx(1.0)
    by_name = {item.name: operators(store, item) for item in variants}
    assert by_name["int8"].in_float == {}
    assert by_name["int8"].by_kind == {"int8": 9, "float32": 1}
    assert by_name["float32 baseline"].in_float["CONV_2D"] == 3


def test_shares_are_known_only_with_layers():
    assert made(model={"layers": []}).share_of_parameters(["big"]) is None
    assert made().share_of_parameters(["big"]) == pytest.approx(4000 / 4400)
