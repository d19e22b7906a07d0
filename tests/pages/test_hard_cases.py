"""Pages on studies that went wrong, came from elsewhere, or are large."""

import pytest

from optimizer.recipe import Recipe
from tests.pages.conftest import STUDY_PAGES, check
from tests.pages.test_pages import button, charts, texts

STUDY_SHOWN = [f"study/{page}" for page in STUDY_PAGES]


@pytest.mark.parametrize("page", STUDY_SHOWN)
def test_results_without_most_measures_are_shown(workbench, page):
    """As after training that diverged, or in an archive that another version made."""
    store, study = workbench.store, workbench.study
    variants = store.list_variants(study.id)
    store.update_variant(variants[1].id, results={"size_bytes": 1000})
    results = variants[2].results
    results |= {"metrics": {"accuracy": None}, "accuracy": None, "metric_interval": [None, None]}
    store.update_variant(variants[2].id, results=results)
    for variant in variants[1:3]:
        app = workbench.open(page, study=study.id, variant=variant.id)
        assert "Traceback" not in texts(app)
    if page == "study/compare":
        assert "not measured" in [metric.value for metric in app.metric]
        assert "Not measured, so not drawn" in texts(app)


@pytest.mark.parametrize("page", ["study/model", "study/data"])
def test_facts_of_another_version_are_shown(workbench, page):
    store, study = workbench.store, workbench.study
    model = store.get_model(study.model_id)
    kept = ("parameters", "inputs", "outputs", "layers")
    store.set_model_facts(model.id, {key: model.facts[key] for key in kept}, model.facts_key)
    data = store.get_dataset(study.dataset_id)
    kept = ("train", "test", "x_shape", "y_kind", "classes")
    store.set_dataset_facts(data.id, {key: data.facts[key] for key in kept}, data.facts_key)
    workbench.open(page, study=study.id)


def test_a_failed_baseline_can_be_tried_again(workbench):
    store, sample = workbench.store, workbench.study
    study = store.create_study("Bad", sample.model_id, sample.dataset_id, "multiclass")
    base = store.add_variant(study.id, Recipe())
    store.update_variant(base.id, state="failed", error="The stage was killed.")
    app = workbench.open("study/compare", study=study.id)
    assert "The stage was killed." in texts(app)
    check(button(app, "Try again").click().run())
    (run,) = store.list_runs(study_id=study.id)
    assert run.variant_ids == (base.id,)


def test_a_variant_without_a_measured_baseline_says_so(workbench):
    store, study = workbench.store, workbench.study
    base = store.baseline(study.id)
    store.update_variant(base.id, state="failed", results=None, error="It failed.")
    app = workbench.open("study/compare", study=study.id)
    assert "nothing to compare with" in texts(app)
    sizes = [metric for metric in app.metric if "compressed" in metric.label]
    assert [metric.delta for metric in sizes] == [""]


def test_names_are_shown_as_they_are(workbench):
    """Names come from people and archives; they are not Markdown."""
    workbench.store.rename_study(workbench.study.id, "# $x$ :red[no] [a](b) *c*")
    app = workbench.open("study/compare")
    assert app.title[0].value == r"\# \$x\$ \:red\[no\] \[a\]\(b\) \*c\*"


def test_two_hundred_variants_are_all_in_the_charts_and_the_table(workbench):
    store, study = workbench.store, workbench.study
    have = len(store.list_variants(study.id))
    recipes = [
        Recipe.parse({"quantize": {"mode": "int8", "calibration_samples": n}})
        for n in range(1, 201 - have)
    ]
    example = store.list_variants(study.id)[1]
    for variant in store.add_variants(study.id, recipes):
        store.update_variant(
            variant.id, state="done", results=example.results, stages=example.stages
        )
    app = workbench.open("study/compare", study=study.id)
    ids = {item for trace in charts(app)[0]["data"] for item in trace.get("customdata", [])}
    assert len(ids) == 200
    assert len(app.dataframe[0].value) == 200
    assert "are in the table" in texts(app)


def test_a_technique_that_cannot_act_is_refused_before_running(workbench):
    store, study = workbench.store, workbench.study
    model = store.get_model(study.model_id)
    for layer in model.facts["layers"]:
        layer["techniques"]["prune"] = "not this one"
    store.set_model_facts(model.id, model.facts, model.facts_key)
    app = workbench.open("study/optimize", study=study.id)
    check(app.segmented_control(key="opt_schedule").set_value("constant").run())
    assert "No layer of this model can be pruned" in texts(app)
    assert button(app, "Run").disabled


def test_a_preset_is_lit_only_while_the_controls_say_the_same(workbench):
    app = workbench.open("study/optimize")
    check(app.pills(key="opt_preset").set_value("Accuracy first").run())
    assert app.pills(key="opt_preset").value == "Accuracy first"
    check(app.number_input(key="opt_seed").set_value(7).run())
    assert app.pills(key="opt_preset").value is None


def test_the_time_to_expect_is_said_before_running(workbench):
    app = workbench.open("study/optimize")
    check(app.number_input(key="opt_seed").set_value(7).run())
    assert "judging by this study's earlier runs" in texts(app)


def finish_reading(workbench):
    """The engine's part, played with the facts of the bundled study."""
    store, sample = workbench.store, workbench.study
    facts = (store.get_model(sample.model_id).facts, store.get_dataset(sample.dataset_id).facts)
    for run in store.list_runs():
        if run.model_id:
            store.set_model_facts(run.model_id, facts[0], "a" * 64)
        elif run.dataset_id:
            store.set_dataset_facts(run.dataset_id, facts[1], "b" * 64)
        store.update_run(run.id, state="done")
    return sample.id


def test_a_sample_becomes_a_study_in_one_click(workbench):
    app = workbench.open("start/new")
    check(button(app, "Create this study").click().run())
    sample = finish_reading(workbench)
    app.run()
    (made,) = [item for item in workbench.store.list_studies() if item.id != sample]
    (run,) = workbench.store.list_runs(study_id=made.id)
    assert run.title == "Baseline"


def test_a_reload_goes_on_where_the_files_were_read(workbench):
    app = workbench.open("start/new")
    check(button(app, "Read and check").click().run())
    ids = {name: app.query_params[name] for name in ("model", "dataset")}
    finish_reading(workbench)
    address = {name: item if isinstance(item, str) else item[0] for name, item in ids.items()}
    again = workbench.open("start/new", **address)
    assert "The data fit the model." in texts(again)


def test_files_that_are_gone_are_explained(workbench):
    app = workbench.open("start/new", model="ffff", dataset="ffff")
    assert "not here any more" in texts(app)


def test_the_queue_says_why_it_waits(workbench):
    store, study = workbench.store, workbench.study
    variant = store.add_variant(study.id, Recipe.parse({"prune": {}, "seed": 9}))
    store.queue_run("variants", "My run", study_id=study.id, variant_ids=[variant.id])
    assert "The engine is switched off" in texts(workbench.open("study/runs"))
