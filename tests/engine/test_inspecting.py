"""A closer look at a variant, through the real engine."""

from optimizer.inspection_plan import INSPECTIONS, read_inspection
from optimizer.recipe import Recipe
from optimizer.store.records import Variant
from tests.engine.conftest import finish


def measured_variant(store, study) -> Variant:
    variant = store.add_variant(study.id, Recipe.parse({"quantize": {"mode": "int8"}}))
    run = store.queue_run("variants", "test", study_id=study.id, variant_ids=[variant.id])
    assert finish(store, run).state == "done"
    return store.get_variant(variant.id)


def look(store, study, variant, **options):
    run = store.queue_run(
        "inspect", "look", study_id=study.id, variant_ids=[variant.id], options=options
    )
    return finish(store, run)


def test_a_variant_is_inspected_once_and_timed_again_when_asked(store, study):
    variant = measured_variant(store, study)
    assert look(store, study, variant).state == "done"
    variant, baseline = store.get_variant(variant.id), store.baseline(study.id)
    found = read_inspection(store, variant, baseline)
    assert found.complete
    assert variant.state == "done"
    (output,) = found.predictions["outputs"]
    agreeing = output["n"] - sum(output["counts"].values())
    assert agreeing / output["n"] == variant.results["agreement"]
    assert found.activations["quantized"]
    assert 0.5 < found.profile["agreement"] < 2
    assert store.artifacts.files(found.samples_key) == ["inspection.json", "samples.npz"]

    again = look(store, study, variant)
    assert all(stage.cached for stage in store.list_stages(again.id))
    timed = look(store, study, variant, repeat=7)
    fresh = {stage.name for stage in store.list_stages(timed.id) if not stage.cached}
    assert fresh == {"inspect_profile"}
    kept = store.get_variant(variant.id)
    assert kept.stages["inspect_profile"] != variant.stages["inspect_profile"]
    store.collect_garbage(0)
    assert all(store.artifacts.has(kept.stages[name]) for name in INSPECTIONS)


def test_what_was_found_counts_for_the_same_files_only(store, study):
    variant = measured_variant(store, study)
    assert look(store, study, variant).state == "done"
    variant = store.get_variant(variant.id)
    assert read_inspection(store, variant, store.baseline(study.id)).complete
    measured_variant(store, study)  # once more: nothing is computed, and nothing forgotten
    variant = store.get_variant(variant.id)
    assert read_inspection(store, variant, store.baseline(study.id)).complete
    assert not read_inspection(store, variant, variant).complete  # against another baseline


def test_a_variant_that_was_never_measured_is_refused(store, study):
    waiting = store.add_variant(study.id, Recipe.parse({"prune": {}, "seed": 77}))
    measured_variant(store, study)
    run = look(store, study, waiting)
    assert run.state == "failed"
    assert "has not been measured yet" in run.error
