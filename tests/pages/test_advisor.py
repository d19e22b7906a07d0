"""The Advisor page, and what to try next on Compare and Variant."""

import pytest

from optimizer.advise.gather import situation
from optimizer.advise.rank import report
from optimizer.advise.wish import Wish
from optimizer.grid import Grid
from optimizer.recipe import Recipe
from optimizer.store.records import ACTIVE
from tests.pages.conftest import check
from tests.pages.test_pages import button, texts

PAGE = "study/advisor"


def named(workbench, name):
    variants = workbench.store.list_variants(workbench.study.id)
    return next(variant for variant in variants if variant.name == name)


def advised(workbench, wish):
    store, study = workbench.store, workbench.study
    return report(situation(store, study, store.list_variants(study.id)), wish)


def test_the_list_is_that_of_the_answers_with_reasons_and_costs(workbench):
    app = workbench.open(PAGE)
    shown = texts(app)
    first = advised(workbench, Wish()).advice[0]
    assert first.recipe.name in shown
    assert "“prune 80% · cluster 8 · int8 QAT” loses 0.89 points" in shown
    assert "https://www.tensorflow.org/model_optimization/guide/pruning" in shown
    assert "judging by this study's earlier runs. Trains 3 times" in shown
    check(app.segmented_control(key="advisor_target").set_value("micro").run())
    check(app.selectbox(key="advisor_priority").set_value("flash").run())
    for advice in advised(workbench, Wish("micro", "flash")).advice:
        assert advice.recipe.name in texts(app)
    assert first.recipe.name not in texts(app)


def test_a_tighter_limit_changes_what_is_measured_best(workbench):
    app = workbench.open(PAGE)
    assert "14.5 kB gzip-compressed; it loses 0.89 points" in texts(app)
    check(app.number_input[0].set_value(0.5).run())
    assert "28.9 kB gzip-compressed; it loses 0.22 points" in texts(app)
    check(app.number_input[0].set_value(0.1).run())
    assert "One of the 450 test samples is 0.22 points" in texts(app)


def test_one_click_runs_the_recipe(workbench):
    app = workbench.open(PAGE)
    wanted = advised(workbench, Wish()).advice[0].recipe
    check(button(app, "Run").click().run())
    (run,) = workbench.store.list_runs(study_id=workbench.study.id, states=ACTIVE)
    assert workbench.store.get_variant(run.variant_ids[0]).recipe == wanted
    names = [advice.recipe.name for advice in advised(workbench, Wish()).advice]
    assert wanted.name not in names


def test_a_recipe_opens_in_optimize(workbench):
    app = workbench.open(PAGE)
    wanted = advised(workbench, Wish()).advice[0].recipe
    check(button(app, "Open in Optimize").click().run())
    assert app.title[0].value == "Optimize"
    assert f"**{wanted.name}**" in texts(app)


def test_a_search_begins_with_the_answers(workbench):
    app = workbench.open(PAGE)
    check(app.segmented_control(key="advisor_target").set_value("npu").run())
    check(app.number_input[0].set_value(2.0).run())
    check(button(app, "Search with these limits").click().run())
    assert app.title[0].value == "Search"
    assert "smallest download that loses at most 2 points of accuracy" in texts(app)
    space = Grid.parse(app.session_state["search_grid"])
    assert {recipe.quantize.io for recipe in space.expand().recipes} == {"int8"}


def test_compare_and_variant_say_what_follows(workbench):
    store, study = workbench.store, workbench.study
    chosen = named(workbench, "prune 80%")
    for page in ("study/compare", "study/variant"):
        app = workbench.open(page, study=study.id, variant=chosen.id)
        shown = texts(app).replace("\\", "")  # as it is read, without what escapes Markdown
        assert "it loses 1.78 points more than “float32 baseline” (99.56 % → 97.78 %)" in shown
    check(button(app, "Run").click().run())
    (run,) = store.list_runs(study_id=study.id, states=ACTIVE)
    assert store.get_variant(run.variant_ids[0]).recipe.prune.schedule.final == pytest.approx(0.7)
    assert "“prune 70%” is queued." in texts(app)


def test_compare_says_what_the_study_still_lacks(workbench):
    chosen = named(workbench, "int8")
    app = workbench.open("study/compare", study=workbench.study.id, variant=chosen.id)
    shown = texts(app)
    assert "it loses nothing, and 1 point may be lost" in shown
    assert advised(workbench, Wish()).advice[0].recipe.name in shown


@pytest.mark.parametrize("kind", ["tflite", "saved_model"])
def test_models_that_cannot_be_trained_get_true_words(workbench, kind):
    store, sample = workbench.store, workbench.study
    model = store.get_model(sample.model_id)
    store.set_model_facts(model.id, {**model.facts, "kind": kind}, model.facts_key)
    study = store.create_study("Bare", sample.model_id, sample.dataset_id, "multiclass")
    store.add_variant(study.id, Recipe())
    app = workbench.open(PAGE, study=study.id)
    assert "The baseline is not measured yet." in texts(app)
    if kind == "tflite":
        assert "it can be measured but neither trained" in texts(app)
        assert "Run" not in [item.label for item in app.button]
    else:
        assert "Trains nothing" in texts(app)
        assert "Trains once" not in texts(app)


def test_without_labels_no_limit_is_asked_for(workbench):
    store, sample = workbench.store, workbench.study
    study = store.create_study("Bare", sample.model_id, sample.dataset_id, "unlabelled")
    app = workbench.open(PAGE, study=study.id)
    assert not app.number_input
    assert "The study has no labels" in texts(app)
