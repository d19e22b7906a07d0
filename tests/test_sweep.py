"""What a sweep is said to take: stages after sharing, stored ones, time, what is left out."""

import pytest

from optimizer.bundled import ensure_sample_study
from optimizer.errors import InputError
from optimizer.estimate import TRAINING, StageTimes, estimate_seconds
from optimizer.grid import Expansion, Grid
from optimizer.plan import StudyObjective, StudyPlan, import_model, prepare_data
from optimizer.recipe import BASELINE, Recipe
from optimizer.store import Store
from optimizer.study_plan import study_plan
from optimizer.sweep import allowed, missing_stages, plan_here, plan_sweep
from tests.test_feasible import facts
from tests.variants import baseline, results, variant

THIRTY = {
    "prune": [None, {"schedule": {"kind": "polynomial", "final_sparsity": [0.5, 0.8]}}],
    "cluster": [None, {}],
    "quantize": [
        {"mode": ["none", "float16", "dynamic", "int8"]},
        {"mode": "int8", "aware": True},
    ],
}
SECONDS = {"import_model": 1.0, "prepare_data": 1.0, "convert": 1.0, "evaluate": 0.5}


@pytest.fixture
def plan():
    return StudyPlan(
        import_model("a" * 64, "m.keras"),
        prepare_data("b" * 64, "d.npz", 0.2, 0),
        StudyObjective("multiclass"),
        threads=1,
    )


def run(plan, *recipes):
    return plan.run([Recipe.parse(recipe) for recipe in recipes]).stages()


def times(**seconds):
    measured = variant("v", {"prune": {}}, found=results(seconds={**SECONDS, **seconds}))
    return StageTimes([measured])


def test_training_scales_with_epochs_and_batches(plan):
    known = times(prune=6.0)
    for tune, seconds in (({}, 6.0), ({"epochs": 6}, 12.0), ({"batch_size": 64}, 3.0)):
        stages = run(plan, {"prune": {}, "cluster": {}, "fine_tune": tune})
        found = [known.seconds(stage) for stage in stages if stage.name in TRAINING]
        assert found == pytest.approx([seconds, seconds])


def test_a_stage_that_variants_share_is_learnt_from_once(plan):
    one = variant("one", {"prune": {}}, found=results(seconds={**SECONDS, "prune": 9.0}))
    shared = [
        variant(str(n), {"prune": {}}, found=results(seconds={**SECONDS, "prune": 3.0}))
        for n in range(9)
    ]
    for item in shared:
        item.stages["prune"] = "c" * 64
    (stage,) = [stage for stage in run(plan, {"prune": {}}) if stage.name == "prune"]
    assert StageTimes([one, *shared]).seconds(stage) == pytest.approx(6.0)


def test_latency_is_estimated_per_file_of_a_window(plan):
    *_, window = run(plan, {"quantize": {"mode": "float16"}}, {"quantize": {"mode": "dynamic"}})
    assert times(benchmark=2.0).seconds(window) == 6.0  # the baseline runs along
    known = StageTimes()
    known.learn(window, 9.0)
    assert known.seconds(window) == 9.0


def test_stages_that_wait_for_each_other_take_their_time_one_after_the_other(plan):
    known = times(prune=10.0, benchmark=2.0)
    chain = run(plan, {"prune": {}, "cluster": {}})
    # import or read, prune, cluster, convert, the baseline evaluated before the variant is
    assert estimate_seconds(chain, known, slots=8) == pytest.approx(1 + 20 + 1 + 4)
    sides = run(plan, *({"prune": {}, "seed": seed} for seed in range(8)))
    work = 8 * 10 + 9 * 1 + 9 * 0.5
    assert estimate_seconds(sides, known, slots=1) == pytest.approx(work + 18)
    assert estimate_seconds(sides, known, slots=2) == pytest.approx(work / 2 + 18)
    assert estimate_seconds([], known, slots=1) == 0


def test_time_is_not_guessed_when_nothing_like_it_has_run(plan):
    stages = run(plan, {"prune": {}})
    assert estimate_seconds(stages, StageTimes(), 1) is None
    assert estimate_seconds(stages, StageTimes([baseline()]), 1) is None


def test_only_what_is_not_there_has_to_run(plan):
    stages = run(plan, {"prune": {}, "quantize": {"mode": "int8"}})
    by_name = {stage.name: stage for stage in stages}
    there = {by_name["prune"].key}
    names = [stage.name for stage in missing_stages(stages[-1:], there.__contains__)]
    assert names == ["import_model", "convert", "prepare_data", "convert", "benchmark"]
    everything = {stage.key for stage in stages}
    assert missing_stages(stages, everything.__contains__) == []


def test_what_the_model_does_not_allow_is_left_out_with_its_reason():
    recipes = Grid.parse(THIRTY).expand().recipes
    kept, left_out = allowed(recipes, facts(prune="no"), "multiclass")
    assert len(kept) == 10
    (item,) = left_out
    assert item.count == 20
    assert "No layer of this model can be pruned" in item.reason
    assert item.example == "prune 50%"


@pytest.fixture
def store(tmp_path):
    opened = Store.open(tmp_path)
    ensure_sample_study(opened)
    yield opened
    opened.close()


@pytest.fixture
def study(store):
    return store.list_studies()[0]


def test_prefixes_are_shared(store, study):
    found = plan_here(store, study, Grid.parse(THIRTY).expand())
    assert len(found.recipes) == 30
    assert found.left_out == ()
    # 2 prunings; clustering without, and after each; QAT after each of 6
    assert found.trainings == 2 + 3 + 6
    assert found.trainings_alone == 20 + 15 + 6
    assert found.stages == 2 + found.trainings + 30 + 30 + 1
    assert found.done == sum(
        item.recipe in found.recipes for item in store.list_variants(study.id) if item.results
    )
    assert found.seconds > 10


def test_what_is_in_the_store_is_counted_and_takes_no_time(store, study):
    plan = study_plan(store, study.id, 1)
    expansion = Grid.parse(THIRTY).expand()
    before = plan_sweep(store, study, plan, expansion, 1)
    for stage in plan.run(expansion.recipes).stages():
        if stage.name in TRAINING:
            store.artifacts.write(stage.key, {"f": b"x"}, {"seconds": 1.0})
    after = plan_sweep(store, study, plan, expansion, 1)
    assert after.stored == before.stored + before.trainings
    assert after.seconds < before.seconds
    assert set(after.expected) == {
        "import_model",
        "prepare_data",
        "convert",
        "evaluate",
        "benchmark",
    }
    for stage in plan.run(expansion.recipes).stages():
        store.artifacts.write(stage.key, {"f": b"x"}, {"seconds": 1.0})
    done = plan_sweep(store, study, plan, expansion, 1)
    assert done.stored == done.stages
    assert (before.again, done.again) == (before.done, 0)
    assert done.seconds == 0


def test_recipes_that_give_the_same_file_are_one_variant(store, study):
    grid = Grid.parse(
        {
            "fine_tune": {"epochs": [2, 3]},
            "quantize": {"mode": ["none", "float16"]},
            "cluster": [None, {}],
        }
    )
    found = plan_here(store, study, grid.expand())
    assert [recipe.name for recipe in found.recipes].count("float16") == 1
    assert len(found.recipes) == 6
    (left_out,) = found.left_out
    assert left_out.count == 1
    assert "same file" in left_out.reason
    kept = next(recipe for recipe in found.recipes if recipe.name == "float16")
    assert kept.hash in {item.recipe.hash for item in store.list_variants(study.id)}


def test_a_sweep_of_which_nothing_can_run_is_refused(store, study):
    model = store.get_model(study.model_id)
    layers = [
        {**layer, "techniques": dict.fromkeys(layer["techniques"], "no")}
        for layer in model.facts["layers"]
    ]
    store.set_model_facts(model.id, {**model.facts, "layers": layers}, model.facts_key)
    recipes = tuple(Recipe.parse({"prune": {}, "seed": seed}) for seed in (0, 1))
    with pytest.raises(InputError, match=r"Nothing of this sweep can run here\. No layer"):
        plan_here(store, study, Expansion(recipes, ()))
    assert plan_here(store, study, Expansion((*recipes, BASELINE), ())).recipes == (BASELINE,)
