"""Choosing and running a sweep on Optimize, and watching runs of many variants."""

import json

import pytest

from optimizer.grid import Grid
from optimizer.recipe import Recipe
from optimizer.store.records import ACTIVE, RunStage
from optimizer.sweep_presets import SWEEP_PRESETS
from optimizer.vary import SETTINGS
from tests.pages.conftest import check
from tests.pages.test_pages import button, texts


@pytest.fixture
def app(workbench):
    """Optimize, switched to a sweep."""
    page = workbench.open("study/optimize")
    return check(page.segmented_control(key="opt_kind").set_value("Sweep").run())


def metrics(app):
    return {metric.label: metric.value for metric in app.metric}


def vary(app, **values):
    check(app.multiselect(key="opt_vary").set_value(list(values)).run())
    for name, texts_of_values in values.items():
        app.multiselect(key=f"opt_vary_{name}").set_value(texts_of_values)
    return check(app.run())


def test_a_sweep_says_what_it_takes_before_it_runs(app):
    assert metrics(app) == {"Variants": "30", "Trainings": "11"}
    assert "30 saved by sharing" in [metric.delta for metric in app.metric]
    assert "74 stages after sharing; 0 of them are in the store" in texts(app)
    assert "Measured in this study before: 12 of the variants. Made again" in texts(app)
    assert "judging by this study's earlier runs" in texts(app)
    assert app.pills(key="opt_sweep_preset").value == next(iter(SWEEP_PRESETS))
    table = app.dataframe[0].value
    assert len(table) == 30
    assert "prune 80% · cluster 16 · int8 QAT" in list(table["Variant"])


def test_every_control_of_a_sweep_has_a_help_text(app):
    vary(app, **{name: list(setting.start) for name, setting in SETTINGS.items()})
    assert len(app.multiselect) == 1 + len(SETTINGS)
    for control in (*app.multiselect, *app.pills, *app.get("button_group")):
        assert control.proto.help, control


def test_run_queues_one_run_of_all_variants(workbench, app):
    vary(app, sparsity=["No pruning", "35"], epochs=["1", "2"])
    assert metrics(app)["Variants"] == "3"
    check(button(app, "Run the sweep").click().run())
    (run,) = workbench.store.list_runs(study_id=workbench.study.id, states=ACTIVE)
    assert (run.kind, run.title) == ("variants", "Sweep of 3 variants")
    made = [workbench.store.get_variant(variant_id).recipe for variant_id in run.variant_ids]
    assert [recipe.name for recipe in made] == [
        "int8",
        "prune 35% · int8 · epochs 1",
        "prune 35% · int8 · epochs 2",
    ]
    assert all(recipe in Grid.parse(run.options["grid"]).expand().recipes for recipe in made)
    assert "Sweep of 3 variants" in texts(app)
    assert button(app, "Run the sweep").disabled


def test_what_varies_stands_on_a_base_recipe(app):
    app.segmented_control(key="opt_mode").set_value("float16")
    vary(app, number_of_clusters=["8", "12"])
    assert list(app.dataframe[0].value["Variant"]) == [
        "cluster 8 · float16",
        "cluster 12 · float16",
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Choose at least one setting to vary"),
        ({"epochs": []}, "Choose values for Epochs"),
        ({"sparsity": ["most"]}, "from 1 to 99; received 'most'"),
        ({"criterion": ["Random"]}, "Criterion has no effect here"),
        ({"seed": [str(n) for n in range(60)], "epochs": [str(n) for n in range(1, 61)]}, "3,600"),
    ],
)
def test_what_cannot_be_swept_is_refused_in_words(app, values, words):
    vary(app, **values)
    assert words in texts(app)
    assert button(app, "Run the sweep").disabled


def test_what_is_left_out_is_listed_with_its_reason(app):
    vary(
        app,
        sparsity=["No pruning", "50"],
        quantization=["None (float32)"],
        sparse_encoding=["No", "Yes"],
    )
    assert metrics(app)["Variants"] == "3"
    labels = [expander.label for expander in app.expander]
    assert "1 of 4 combinations are left out" in labels
    assert "this recipe makes none" in texts(app)


@pytest.mark.parametrize("name", list(SWEEP_PRESETS))
def test_a_preset_sets_what_varies_and_the_base(app, name):
    vary(app, seed=["0", "1"])
    assert app.pills(key="opt_sweep_preset").value is None
    check(app.pills(key="opt_sweep_preset").set_value(name).run())
    assert app.pills(key="opt_sweep_preset").value == name
    assert int(metrics(app)["Variants"]) >= 5
    assert not app.error


def test_a_grid_file_takes_the_place_of_the_controls(app):
    grid = {"prune": [None, {"criterion": ["magnitude", "random"]}], "seed": [5]}
    upload = ("mine.json", json.dumps(grid).encode(), "application/json")
    check(app.file_uploader(key="opt_grid_file").set_value(upload).run())
    check(app.run())
    assert metrics(app)["Variants"] == "3"
    assert "mine.json" in texts(app)
    assert not app.multiselect
    check(button(app, "Back to the controls").click().run())
    assert metrics(app)["Variants"] == "30"


def test_a_bad_grid_file_is_explained(app):
    upload = ("grid.json", b'{"prun": []}', "application/json")
    check(app.file_uploader(key="opt_grid_file").set_value(upload).run())
    assert "prun" in texts(app)
    assert metrics(app)["Variants"] == "30"


def test_the_recipe_is_kept_while_switching_to_a_sweep_and_back(workbench):
    app = workbench.open("study/optimize")
    app.segmented_control(key="opt_mode").set_value("dynamic")
    check(app.run())
    check(app.segmented_control(key="opt_kind").set_value("Sweep").run())
    check(app.segmented_control(key="opt_kind").set_value("One recipe").run())
    assert "**dynamic range**" in texts(app)


@pytest.fixture
def large(workbench):
    """A sweep of 300 variants and 500 stages under way."""
    store, study = workbench.store, workbench.study
    recipes = [Recipe.parse({"prune": {}, "seed": seed}) for seed in range(1, 301)]
    variants = store.add_variants(study.id, recipes)
    run = store.queue_run(
        "variants", "Large", study_id=study.id, variant_ids=[variant.id for variant in variants]
    )
    store.claim_run(run.id)
    example = next(item for item in store.list_variants(study.id) if item.results)
    for variant in variants[:17]:
        store.update_variant(variant.id, state="running", results=example.results)
    states = ["done"] * 40 + ["failed"] * 20 + ["running"] * 2
    stages = [
        RunStage(
            run.id,
            f"{index:064x}",
            "prune",
            "Prune",
            state=states[index] if index < len(states) else "waiting",
            message="epoch 1 of 3" if index >= 60 else "It fell over.",
            seconds=2.0,
            started_at=run.created_at,
        )
        for index in range(500)
    ]
    store.put_stages(stages)
    return run


@pytest.mark.parametrize("page", ["study/optimize", "study/compare", "study/runs"])
def test_a_large_run_is_a_short_card(workbench, large, page):
    before = len(workbench.open(page).main)
    app = workbench.open(page)
    words = texts(app)
    assert words.count("epoch 1 of 3") == 2
    assert words.count("It fell over.") == 8
    assert "12 more failed" in words
    assert "Waiting: Prune × 438" in words
    assert "Done: Prune × 40" in words
    (bar,) = app.get("progress")
    assert "17 of 300 variants measured, 40 of 500 stages done" in bar.proto.text
    assert "left" in bar.proto.text
    assert before < 200


def test_a_finished_run_draws_its_stages_only_when_they_are_asked_for(workbench, large):
    workbench.store.update_run(large.id, state="failed", error="The first failed.")
    app = workbench.open("study/runs")
    assert "The first failed." in texts(app)
    assert "It fell over." not in texts(app)
