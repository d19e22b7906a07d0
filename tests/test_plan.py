import subprocess
import sys

import pytest

from optimizer.keys import Stage
from optimizer.plan import StudyObjective, StudyPlan, import_model, prepare_data
from optimizer.recipe import Recipe


@pytest.fixture
def study():
    return StudyPlan(
        import_model("a" * 64, "m.keras"),
        prepare_data("b" * 64, "d.npz", 0.2, 0),
        StudyObjective("multiclass"),
        threads=1,
    )


def names(plan):
    return [stage.name for stage in plan.stages()]


def stages(plan):
    return {stage.name: stage for stage in plan.convert.upstream()}


def test_a_full_recipe_runs_its_stages_in_order(study):
    recipe = Recipe.parse({"prune": {}, "cluster": {}, "quantize": {"aware": True}})
    own = [stage.name for stage in study.variant(recipe).convert.upstream()]
    assert own == [
        "import_model",
        "prepare_data",
        "prune",
        "cluster",
        "quantize_aware",
        "convert",
    ]


def test_every_stage_comes_after_those_it_needs(study):
    recipe = Recipe.parse({"prune": {}, "quantize": {"mode": "int8"}})
    ordered = study.variant(recipe).stages()
    position = {stage.key: index for index, stage in enumerate(ordered)}
    for stage in ordered:
        for source in stage.inputs.values():
            if isinstance(source, Stage):
                assert position[source.key] < position[stage.key]


def test_recipes_share_the_prefix_they_have_in_common(study):
    one = stages(study.variant(Recipe.parse({"prune": {}, "cluster": {}})))
    two = stages(study.variant(Recipe.parse({"prune": {}, "quantize": {"mode": "int8"}})))
    assert one["prune"].key == two["prune"].key
    assert one["convert"].key != two["convert"].key


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"fine_tune": {"epochs": 4}},
        {"prune": {"schedule": {"kind": "constant"}}},
        {"layers": {"dense": {"final_sparsity": 0.1}}},
    ],
)
def test_whatever_changes_the_result_changes_the_key(study, change):
    base = stages(study.variant(Recipe.parse({"prune": {}})))
    other = stages(study.variant(Recipe.parse({"prune": {}, **change})))
    assert base["prune"].key != other["prune"].key


def test_what_cannot_change_the_result_does_not_change_the_key(study):
    base = stages(study.variant(Recipe.parse({"prune": {}})))
    calibration = {"quantize": {"mode": "float16", "calibration_samples": 7}, "prune": {}}
    assert base["prune"].key == stages(study.variant(Recipe.parse(calibration)))["prune"].key
    one = study.variant(Recipe.parse({"quantize": {"mode": "float16"}}))
    two = study.variant(
        Recipe.parse({"quantize": {"mode": "float16", "calibration_samples": 7}, "seed": 3})
    )
    assert one.convert.key == two.convert.key


def test_threads_and_inputs_are_in_the_key():
    def convert(sha256, threads):
        data = prepare_data("b" * 64, "d.npz", 0.2, 0)
        plan = StudyPlan(
            import_model(sha256, "m.keras"), data, StudyObjective("multiclass"), threads
        )
        return plan.variant(Recipe()).convert.key

    assert len({convert("a" * 64, 1), convert("c" * 64, 1), convert("a" * 64, 2)}) == 3


def test_planning_does_not_import_tensorflow():
    code = "import sys, optimizer.plan, optimizer.session; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
