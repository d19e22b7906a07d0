"""The Sensitivity page: what it asks the engine for, what it makes of a scan, what it compares."""

import pytest

from optimizer.recipe import Recipe
from optimizer.sensitivity.options import ScanOptions
from tests.pages.conftest import check
from tests.pages.test_pages import button, charts, texts
from tests.sensitivity.scans import content, layer

PAGE = "study/sensitivity"
BASE = {
    "prune": {"schedule": {"kind": "polynomial", "final_sparsity": 0.8}},
    "quantize": {"mode": "int8", "aware": True},
}
LAYERS = (
    layer("conv_1", {0.5: 0.002, 0.8: 0.3}, {16: 0.0}, 0.0),
    layer("conv_2", {0.5: 0.0, 0.8: 0.004}, {16: 0.0}, 0.0),
    layer("conv_3", {0.5: 0.0, 0.8: 0.0}, {16: 0.0}, 0.0),
)


@pytest.fixture
def scanned(workbench):
    put_scan(workbench.store, workbench.study, content(*LAYERS))
    return workbench


def put_scan(store, study, found):
    """The engine's part of a scan."""
    options = ScanOptions().model_dump(mode="json")
    run = store.queue_run("sensitivity", "Scan", study_id=study.id, options=options)
    store.claim_run(run.id)
    store.update_run(run.id, state="done", result={"scan": found, "seconds": 2.0})


def choose(app, recipe):
    """Take a recipe as the one to change."""
    picker = next(box for box in app.selectbox if box.label == "Recipe to change")
    name = next(option for option in picker.options if option.startswith(recipe))
    check(picker.set_value(name).run())


def test_a_scan_is_asked_for_with_the_chosen_levels(workbench):
    (bundled,) = workbench.store.list_scans(workbench.study.id)
    workbench.store.update_run(bundled.id, state="cancelled", result=None)
    app = workbench.open(PAGE)
    assert "No scan has been made" in texts(app)
    app.multiselect(key="sense_clusters").set_value([])
    app.number_input(key=f"sense_samples-{workbench.study.id}").set_value(100)
    check(app.run())
    assert "30 changes of single layers, each judged on 100 test samples." in texts(app)
    check(button(app, "Scan").click().run())
    run, _ = workbench.store.list_scans(workbench.study.id)
    options = ScanOptions.parse(run.options)
    assert (options.clusters, options.samples) == ((), 100)
    assert "Scan of 30 changes" in texts(app)
    check(button(app, "Cancel").click().run())
    assert workbench.store.get_run(run.id).state == "cancelled"


def test_nothing_chosen_is_refused_in_words(workbench):
    app = workbench.open(PAGE)
    app.multiselect(key="sense_clusters").set_value([])
    app.multiselect(key="sense_sparsities").set_value([])
    check(app.toggle(key="sense_int8").set_value(False).run())
    assert "choose a sparsity" in texts(app)
    assert button(app, "Scan").disabled


def test_sensitive_layers_are_protected_with_reasons_and_can_be_run(scanned):
    app = scanned.open(PAGE)
    choose(app, "prune 80% · int8 QAT")
    assert "known to" in texts(app)
    check(button(app, "Protect the sensitive layers").click().run())
    (table,) = app.table
    (row,) = table.value.to_dict("records")
    assert (row["Layer"], row["Before → after"]) == ("conv\\_1", "Sparsity 80 % → 50 %")
    assert "loses 30 points; at 50 % it loses 0.2 points" in row["Why"]
    recipe = Recipe.parse({**BASE, "layers": {"conv_1": {"final_sparsity": 0.5}}})
    run_button = button(app, "Run")
    check(run_button.click().run())
    (run,) = scanned.store.list_runs(study_id=scanned.study.id, states=("queued",))
    (made,) = (scanned.store.get_variant(variant_id) for variant_id in run.variant_ids)
    assert made.recipe.layers == recipe.layers
    check(button(app, "Back to the recipe before").click().run())
    assert not app.table
    assert "Nothing is changed yet" in texts(app)


def test_the_limit_decides_what_is_spared(scanned):
    app = scanned.open(PAGE)
    choose(app, "prune 80% · int8 QAT")
    limit = next(item for item in app.number_input if item.label.startswith("Limit"))
    assert limit.label == "Limit for one layer (points)"
    check(limit.set_value(0.3).run())
    check(button(app, "Protect the sensitive layers").click().run())
    assert set(app.table[0].value["Layer"]) == {"conv\\_1", "conv\\_2"}
    limit = next(item for item in app.number_input if item.label.startswith("Limit"))
    check(limit.set_value(50.0).run())
    check(button(app, "Protect the sensitive layers").click().run())
    assert "No layer loses more than 50 points" in texts(app)


def test_a_cell_can_be_set_without_a_pointer_and_what_cannot_be_is_said(scanned):
    app = scanned.open(PAGE)
    choose(app, "prune 80% · int8 QAT")
    check(app.selectbox(key="sense_layer").set_value("conv_3").run())
    check(button(app, "Set or take back").click().run())
    (row,) = app.table[0].value.to_dict("records")
    assert (row["Layer"], row["Before → after"]) == ("conv\\_3", "Sparsity 80 % → 50 %")
    assert "Chosen by hand" in row["Why"]
    heat = charts(app)[0]
    assert [shape["type"] for shape in heat["layout"]["shapes"]] == ["rect"]
    setting = app.selectbox(key="sense_setting")
    check(setting.set_value(next(o for o in setting.options if "clustered" in o)).run())
    check(button(app, "Set or take back").click().run())
    assert "does not cluster" in texts(app)


def test_two_measured_recipes_are_compared_in_a_chart_and_in_words(scanned):
    store, study = scanned.store, scanned.study
    before = next(v for v in store.list_variants(study.id) if v.name == "prune 80% · int8 QAT")
    spared = before.recipe.model_dump(mode="json") | {"layers": {"conv_1": {"final_sparsity": 0.5}}}
    after = store.add_variant(study.id, Recipe.parse(spared))
    results = before.results | {"gzip_bytes": before.results["gzip_bytes"] + 1500}
    results |= {"metrics": {"accuracy": 0.99}, "metric_interval": [0.975, 0.997]}
    store.update_variant(after.id, state="done", results=results, stages=before.stages)
    app = scanned.open(PAGE)
    choose(app, "prune 80% · int8 QAT")
    assert "1.50 kB larger gzip-compressed and the same size as it ships" in texts(app)
    assert "0.56 points more accurate" in texts(app).replace("\\", "")
    chart = charts(app)[-1]
    shown = {each for trace in chart["data"] for each in trace.get("customdata", [])}
    assert shown == {before.id, after.id, store.baseline(study.id).id}


def test_the_recipe_is_carried_to_optimize_and_back(scanned):
    app = scanned.open(PAGE)
    choose(app, "prune 80% · int8 QAT")
    check(button(app, "Protect the sensitive layers").click().run())
    check(button(app, "Open in Optimize").click().run())
    assert app.title[0].value == "Optimize"
    assert "1 layer override" in texts(app)
    app.switch_page(f"pages/{PAGE}.py")
    check(app.run())
    picker = next(box for box in app.selectbox if box.label == "Recipe to change")
    assert picker.options[0].endswith("(as set on Optimize)")


def test_many_layers_are_filtered_sorted_and_shown_in_part(workbench):
    layers = [layer(f"part_{i}", {0.5: i / 1000}, None, 0.0) for i in range(60)]
    put_scan(workbench.store, workbench.study, content(*layers))
    app = workbench.open(PAGE)
    rows = lambda: charts(app)[0]["layout"]["yaxis"]["ticktext"]  # noqa: E731 - asked often
    assert len(rows()) == 30
    assert rows()[-1] == "part_0"
    check(app.segmented_control(key="sense_order").set_value("Most sensitive first").run())
    assert rows()[-1] == "part_59"
    check(app.toggle(key="sense_all").set_value(True).run())
    assert len(rows()) == 60
    check(app.text_input(key="sense_filter").set_value("part_5").run())
    assert len(rows()) == 11
    check(app.text_input(key="sense_filter").set_value("nothing").run())
    assert "Clear the filter" in texts(app)


def test_without_labels_it_says_what_is_shown_and_what_is_not_possible(workbench):
    store, sample = workbench.store, workbench.study
    study = store.create_study("Bare", sample.model_id, sample.dataset_id, "unlabelled")
    put_scan(store, study, content(*LAYERS, metric="agreement", value=1.0))
    app = workbench.open(PAGE, study=study.id)
    assert "There are no labels" in texts(app)
    assert "no recipe to change here" in texts(app)
    assert len(charts(app)) == 1


def test_each_output_can_be_looked_at(workbench):
    found = content(layer("a", {0.5: 0.1}))
    found["outputs"].append({**found["outputs"][0], "name": "size", "metric": "mae", "value": 2.0})
    found["layers"][0]["prune"]["0.5"].append({"fall": 0.5, "low": 0.4, "high": 0.6})
    put_scan(workbench.store, workbench.study, found)
    app = workbench.open(PAGE)
    assert charts(app)[0]["data"][0]["text"] == [["10"]]
    picker = next(box for box in app.selectbox if box.label == "Output")
    check(picker.set_value(1).run())
    assert charts(app)[0]["data"][0]["text"] == [["25"]]
    assert "it is an error, more is worse" in texts(app)


@pytest.mark.parametrize("kind", ["saved_model", "tflite"])
def test_a_model_without_layers_says_so(workbench, kind):
    store, study = workbench.store, workbench.study
    model = store.get_model(study.model_id)
    store.set_model_facts(model.id, {**model.facts, "kind": kind}, model.facts_key)
    assert "came without its Keras layers" in texts(workbench.open(PAGE))


def test_a_scan_that_failed_says_why(workbench):
    store, study = workbench.store, workbench.study
    run = store.queue_run("sensitivity", "Scan", study_id=study.id)
    store.update_run(run.id, state="failed", error="The stage's process ended with SIGKILL.")
    assert "SIGKILL" in texts(workbench.open(PAGE))
