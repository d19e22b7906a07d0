"""Scans of single layers in the engine: found, cached, cancelled, refused; and the whole loop."""

import json

from optimizer.recipe import Recipe
from optimizer.sensitivity.difference import difference, siblings
from optimizer.sensitivity.options import ScanOptions
from optimizer.sensitivity.protect import protect
from optimizer.sensitivity.scan import read_scan
from tests.engine.conftest import finish, wait_until


def scan(store, study, **options):
    wanted = ScanOptions.parse(options).model_dump(mode="json")
    return store.queue_run("sensitivity", "Scan", study_id=study.id, options=wanted)


def test_from_a_scan_over_a_protected_recipe_to_two_measured_variants(store, study):
    ended = finish(store, scan(store, study))
    assert ended.state == "done", ended.error
    found = read_scan(ended.result["scan"])
    assert found.samples == found.test_samples
    assert found.metric == "accuracy"
    assert ended.result["seconds"] > 0

    again = finish(store, scan(store, study))
    assert again.result == ended.result
    assert all(stage.cached for stage in store.list_stages(again.id))

    base = Recipe.parse(
        {
            "prune": {"schedule": {"kind": "polynomial", "final_sparsity": 0.95}},
            "fine_tune": {"epochs": 1},
        }
    )
    spared = protect(base, found, 1.0)
    assert spared.changes
    variants = [store.add_variant(study.id, recipe) for recipe in (base, spared.recipe)]
    run = store.queue_run(
        "variants", "Loop", study_id=study.id, variant_ids=[v.id for v in variants]
    )
    assert finish(store, run).state == "done"
    before, after = (store.get_variant(variant.id) for variant in variants)
    assert all(promise["kept"] for promise in after.results["promises"])
    assert after.results["sparsity"] < before.results["sparsity"]
    layers = json.loads(store.artifacts.read(after.stages["convert"], "layers.json"))["layers"]
    for change in spared.changes:
        row = next(row for row in layers if row["name"] == change.layer)
        assert change.after - 0.02 <= row["sparsity"] < 0.93
    assert {v.id for v in siblings(base, store.list_variants(study.id))} >= {before.id, after.id}
    assert "larger gzip-compressed" in difference(before, after)[0]


def test_a_scan_can_be_cancelled(store, study):
    run = scan(store, study, clusters=list(range(2, 1000)), seed=7)
    wait_until(
        lambda: any(
            stage.name == "sensitivity" and stage.state == "running"
            for stage in store.list_stages(run.id)
        ),
        store,
    )
    store.request_cancel(run.id)
    assert finish(store, run).state == "cancelled"
    assert store.get_run(run.id).result is None
