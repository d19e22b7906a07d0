"""The page that looks into one variant: before anything was measured, and after."""

import json

import numpy as np
import pytest

from optimizer.data.stage import prepare_data
from optimizer.inspection import activations, predictions, profile
from optimizer.inspection_plan import inspection_stages
from optimizer.stage import ignore_progress
from optimizer.study_plan import data_stage, study_objective
from tests.pages.conftest import check
from tests.pages.test_pages import button, charts, texts

RUNS = {
    "inspect_predictions": predictions.stage,
    "inspect_activations": activations.stage,
    "inspect_profile": profile.stage,
}


def variant_named(workbench, name):
    variants = workbench.store.list_variants(workbench.study.id)
    return next(variant for variant in variants if variant.name == name)


def inspected(workbench, name):
    """A variant of the sample study, with what the stages find about it."""
    store, study = workbench.store, workbench.study
    variant, baseline = variant_named(workbench, name), store.baseline(study.id)
    model, dataset = store.get_model(study.model_id), store.get_dataset(study.dataset_id)
    data = data_stage(dataset)
    upload = {"file": {"data": store.read_file(dataset.sha256)}}
    store.artifacts.write(data.key, prepare_data(data.params, upload, ignore_progress))
    stages = dict(variant.stages)
    for stage in inspection_stages(
        variant.stages, baseline.stages, data, study_objective(study, model.facts)
    ):
        files = {
            name: store.artifacts.read_all(source.key) for name, source in stage.inputs.items()
        }
        quick = {"builds": 2, "rounds": 1} if stage.name == "inspect_profile" else {}
        found = RUNS[stage.name]({**stage.params, **quick}, files, ignore_progress)
        store.artifacts.write(stage.key, found, {"params": dict(stage.params)})
        stages[stage.name] = stage.key
    store.update_variant(variant.id, stages=stages)
    return store.get_variant(variant.id)


def opened(workbench, variant, look):
    return workbench.open("study/inspect", study=workbench.study.id, variant=variant.id, look=look)


@pytest.mark.parametrize("look", ["Layers", "Time", "Predictions"])
def test_what_was_not_measured_can_be_asked_for(workbench, look):
    variant = variant_named(workbench, "int8")
    app = opened(workbench, variant, look)
    assert "Not measured yet" in texts(app)
    check(button(app, "Measure this variant").click().run())
    (run,) = workbench.store.list_runs(study_id=workbench.study.id, limit=1)
    assert (run.kind, run.variant_ids) == ("inspect", (variant.id,))
    assert f"Inspect {variant.name}" in texts(app)


def test_weights_are_shown_at_once_with_the_grid_of_a_channel(workbench):
    app = opened(workbench, variant_named(workbench, "int8"), "Weights")
    assert "choose one above" in texts(app)
    histogram, kernel = charts(app)
    assert [trace["name"] for trace in histogram["data"]][:2] == ["Baseline", "This variant"]
    assert kernel["data"][0]["type"] == "heatmap"
    layer = app.selectbox(key="inspect_layer").value
    check(app.selectbox(key=f"inspect_channel_{layer}").set_value(1).run())
    assert "Integer grid" in [trace["name"] for trace in charts(app)[0]["data"]]


def test_a_clustered_layer_has_its_centroids_marked(workbench):
    app = opened(workbench, variant_named(workbench, "cluster 16"), "Weights")
    strip = next(trace for trace in charts(app)[0]["data"] if trace["name"] == "Centroids")
    assert len(strip["x"]) <= 16


def test_an_address_with_an_unknown_look_opens_the_first(workbench):
    app = opened(workbench, variant_named(workbench, "int8"), "Nonsense")
    assert "Weights before and after" in texts(app)


def test_an_inspected_variant_shows_errors_times_and_flips(workbench):
    variant = inspected(workbench, "prune 80% · cluster 8 · int8 QAT")
    layers = opened(workbench, variant, "Layers")
    table = layers.dataframe[0].value
    assert table["Activation error (%)"].notna().all()
    assert table["Time (µs)"].notna().all()
    assert "QuantizationDebugger" in texts(layers)

    times = opened(workbench, variant, "Time")
    assert "Measured by difference" in texts(times)
    assert {metric.label for metric in times.metric} >= {"They differ by", "Noise"}

    shown = opened(workbench, variant, "Predictions")
    counts = {metric.label: int(metric.value) for metric in shown.metric}
    assert sum(counts.values()) == 450
    assert counts["Right → wrong"] == 4
    assert len(shown.get("image")) == 4
    check(shown.segmented_control(key="inspect_confusion").set_value("Change").run())
    change = np.nan_to_num(np.array(charts(shown)[0]["data"][0]["z"], float))
    assert change.sum() == 0
    assert np.trace(change) == counts["Wrong → right"] - counts["Right → wrong"]


def test_the_baseline_has_nothing_to_flip_against(workbench):
    variant = inspected(workbench, "float32 baseline")
    assert "nothing can differ from it" in texts(opened(workbench, variant, "Predictions"))
    assert "nothing to compare it with" in texts(opened(workbench, variant, "Layers"))


def test_what_was_found_of_other_files_is_not_shown(workbench):
    variant = inspected(workbench, "int8")
    stages = variant.stages | {
        "convert": variant_named(workbench, "dynamic range").stages["convert"]
    }
    workbench.store.update_variant(variant.id, stages=stages)
    assert "Not measured yet" in texts(opened(workbench, variant, "Time"))


def test_the_variant_page_leads_here(workbench):
    variant = variant_named(workbench, "int8")
    app = workbench.open("study/variant", study=workbench.study.id, variant=variant.id)
    links = [json.dumps(str(link.proto)) for link in app.get("page_link")]
    assert any("inspect" in link for link in links)
