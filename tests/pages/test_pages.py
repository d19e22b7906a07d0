"""What each page shows, and what its controls do to the store."""

import io
import json

import numpy as np
import pytest

from optimizer import samples
from optimizer.presets import PRESETS
from optimizer.recipe import Recipe
from optimizer.store.records import ACTIVE, RunStage
from tests.pages.conftest import STUDY_PAGES, check

ALL_PAGES = [
    "lessons/learn",
    "start/studies",
    "start/new",
    "start/settings",
    *(f"study/{page}" for page in STUDY_PAGES),
]


def texts(app):
    """Everything written on the page."""
    kinds = ("markdown", "caption", "error", "info", "warning", "success", "title", "header")
    return "\n".join(str(item.value) for kind in kinds for item in app.get(kind))


def button(app, label):
    return next(item for item in app.button if item.label == label)


def charts(app):
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


@pytest.mark.parametrize("page", ALL_PAGES)
def test_every_page_opens_on_the_sample_study(workbench, page):
    app = workbench.open(page)
    assert not app.error


@pytest.mark.parametrize("page", ALL_PAGES)
def test_every_page_says_what_to_do_when_there_is_nothing(empty, page):
    app = empty.open(page)
    assert app.info or page in ("lessons/learn", "start/new", "start/settings")


@pytest.mark.parametrize("page", STUDY_PAGES[:-1])
def test_an_unknown_study_in_the_address_is_explained(workbench, page):
    app = workbench.open(f"study/{page}", study="0123456789abcdef")
    assert "not in this workbench" in texts(app)


def test_an_unknown_variant_in_the_address_is_explained(workbench):
    app = workbench.open("study/variant", study=workbench.study.id, variant="ffff")
    assert "not in this study" in texts(app)


def test_compare_shows_every_variant_and_follows_the_choice(workbench):
    app = workbench.open("study/compare")
    variants = workbench.store.list_variants(workbench.study.id)
    shown = {
        variant_id for trace in charts(app)[0]["data"] for variant_id in trace.get("customdata", [])
    }
    assert shown == {variant.id for variant in variants}
    before = [metric.value for metric in app.metric]
    float16 = next(variant for variant in variants if variant.name == "float16")
    check(app.selectbox(key="compare_pick").set_value(float16.id).run())
    assert [metric.value for metric in app.metric] != before
    assert app.metric[0].value == "117.3 kB"
    assert "no significant difference" in [metric.delta for metric in app.metric]


def test_a_failed_variant_is_listed_with_its_sentence(workbench):
    recipe = Recipe.parse({"prune": {}, "seed": 9})
    variant = workbench.store.add_variant(workbench.study.id, recipe)
    workbench.store.update_variant(variant.id, state="failed", error="The stage fell over.")
    assert "The stage fell over." in texts(workbench.open("study/compare"))
    app = workbench.open("study/variant", study=workbench.study.id, variant=variant.id)
    assert "The stage fell over." in texts(app)


def test_a_run_under_way_is_shown_and_can_be_cancelled(workbench):
    store, study = workbench.store, workbench.study
    variant = store.add_variant(study.id, Recipe.parse({"prune": {}, "seed": 9}))
    run = store.queue_run("variants", "My run", study_id=study.id, variant_ids=[variant.id])
    store.claim_run(run.id)
    store.put_stage(
        RunStage(
            run.id,
            "a" * 64,
            "prune",
            "Prune",
            state="running",
            fraction=0.5,
            message="epoch 2 of 3",
            numbers={"epoch": 2, "epochs": 3, "loss": 0.25},
        )
    )
    for page in ("runs", "optimize", "compare"):
        app = workbench.open(f"study/{page}")
        assert "My run" in texts(app)
        assert "epoch 2 of 3, loss 0.2500" in texts(app)
    check(button(app, "Cancel").click().run())
    assert store.get_run(run.id).cancel_requested


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_sets_the_recipe(workbench, name):
    app = workbench.open("study/optimize")
    check(app.pills(key="opt_preset").set_value(name).run())
    assert f"**{PRESETS[name].recipe.name}**" in texts(app)


def test_run_queues_the_recipe_that_is_shown(workbench):
    app = workbench.open("study/optimize")
    app.segmented_control(key="opt_schedule").set_value("constant")
    check(app.run())
    app.slider(key="opt_final").set_value(60)
    app.segmented_control(key="opt_mode").set_value("float16")
    check(app.run())
    check(button(app, "Run").click().run())
    (run,) = workbench.store.list_runs(study_id=workbench.study.id, states=ACTIVE)
    recipe = workbench.store.get_variant(run.variant_ids[0]).recipe
    assert recipe.prune.schedule.target_sparsity == 0.6
    assert recipe.quantize.mode == "float16"


def test_what_cannot_be_is_refused_in_words_before_running(workbench):
    app = workbench.open("study/optimize")
    app.segmented_control(key="opt_schedule").set_value("polynomial")
    app.toggle(key="opt_clustered").set_value(True)
    check(app.run())
    app.number_input(key="opt_clusters").set_value(2)
    check(app.run())
    assert "at least 3 clusters" in texts(app)
    assert button(app, "Run").disabled


def test_a_recipe_file_sets_the_controls(workbench):
    app = workbench.open("study/optimize")
    recipe = {"prune": {"schedule": {"kind": "polynomial", "final_sparsity": 0.35}}, "seed": 4}
    upload = ("recipe.json", json.dumps(recipe).encode(), "application/json")
    check(app.file_uploader(key="opt_file").set_value(upload).run())
    check(app.run())
    assert "**prune 35% · seed 4**" in texts(app)


def test_a_bad_recipe_file_is_explained(workbench):
    app = workbench.open("study/optimize")
    upload = ("recipe.json", b'{"prun": {}}', "application/json")
    check(app.file_uploader(key="opt_file").set_value(upload).run())
    assert "Unknown key 'prun'" in texts(app)


def test_a_variants_recipe_can_be_started_from(workbench):
    variant = next(
        v for v in workbench.store.list_variants(workbench.study.id) if v.name == "prune 50%"
    )
    app = workbench.open("study/optimize", study=workbench.study.id, copy=variant.id)
    assert "**prune 50%**" in texts(app)


def test_a_new_study_from_a_sample(empty):
    app = empty.open("start/new")
    check(button(app, "Read and check").click().run())
    runs = {run.kind: run for run in empty.store.list_runs()}
    assert set(runs) == {"import_model", "prepare_data"}
    model = empty.store.get_model(runs["import_model"].model_id)
    assert model.file_name == "digits_cnn.keras"


def test_a_study_is_created_when_the_files_were_read(workbench, home):
    """The engine's part is played by the facts of the bundled study."""
    store, study = workbench.store, workbench.study
    app = workbench.open("start/new")
    check(button(app, "Read and check").click().run())
    facts = (store.get_model(study.model_id).facts, store.get_dataset(study.dataset_id).facts)
    for run in store.list_runs(states=ACTIVE):
        if run.model_id:
            store.set_model_facts(run.model_id, facts[0], "a" * 64)
        else:
            store.set_dataset_facts(run.dataset_id, facts[1], "b" * 64)
        store.update_run(run.id, state="done")
    check(app.run())
    assert "The data fit the model." in texts(app)
    button(app, "Create study and measure the baseline").click().run()
    created = next(item for item in store.list_studies() if item.id != study.id)
    assert created.task == "multiclass"
    (run,) = store.list_runs(study_id=created.id)
    assert store.get_variant(run.variant_ids[0]).is_baseline


def pickled():
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([{}], dtype=object), y=np.zeros(1))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "name", "data", "words"),
    [
        ("model", "m.keras", b"not a model", "not a Keras model"),
        ("model", "m.keras", samples.load_sample_model("digits_cnn")[:9000], "damaged"),
        ("data", "d.csv", b"", "is empty"),
        ("data", "d.npz", b"PK not a zip", "damaged"),
        ("data", "d.npz", pickled(), "object"),
    ],
)
def test_an_upload_that_cannot_be_used_is_one_clear_box(empty, kind, name, data, words):
    app = empty.open("start/new")
    check(app.segmented_control(key=f"{kind}_source").set_value("Upload").run())
    upload = (name, data, "application/octet-stream")
    check(app.file_uploader(key=f"{kind}_upload").set_value(upload).run())
    assert len(app.error) == 1
    assert words in app.error[0].value
    assert button(app, "Read and check").disabled


def test_deleting_a_study_asks_first(workbench):
    app = workbench.open("start/studies")
    check(button(app, "Delete").click().run())
    assert "will be removed for good" in texts(app)
    assert len(workbench.store.list_studies()) == 1


def test_latencies_can_be_measured_again_all_together(workbench):
    app = workbench.open("study/compare")
    assert "Measured in 16 sittings" in texts(app)
    check(button(app, "Measure all latencies together").click().run())
    (run,) = workbench.store.list_runs(study_id=workbench.study.id, states=ACTIVE)
    assert run.kind == "latency"
    done = [v.id for v in workbench.store.list_variants(workbench.study.id) if v.state == "done"]
    assert list(run.variant_ids) == done
    assert button(app, "Measure all latencies together").disabled
    workbench.store.update_run(run.id, state="done")
    for variant_id in done:
        results = workbench.store.get_variant(variant_id).results
        latency = {**results["latency_ms"], "window": "a" * 64}
        workbench.store.update_variant(variant_id, results={**results, "latency_ms": latency})
    assert "All 16 were measured together" in texts(workbench.open("study/compare"))
