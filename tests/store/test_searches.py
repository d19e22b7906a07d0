"""Trials of searches: what a search goes on from, and what deleting leaves."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from optimizer.errors import InputError
from optimizer.recipe import Recipe
from optimizer.store import Store, Study, Trial
from optimizer.store.archive import export_study, import_study

RECIPE = Recipe.parse({"quantize": {"mode": "float16"}})


def search(store: Store, study: Study) -> str:
    return store.queue_run("search", "Search", study_id=study.id, options={"seed": 3}).id


def test_a_trial_comes_back_as_it_was_put(store: Store, study: Study) -> None:
    run_id, variant = search(store, study), store.add_variant(study.id, RECIPE)
    trial = Trial(run_id, 0, variant.id, {"quantize.mode": 1}, RECIPE, "start")
    store.put_trial(trial)
    done = replace(
        trial,
        state="complete",
        figures={"gzip_bytes": 1000, "metric": 0.5},
        violations={"accuracy_drop": -0.2},
        intermediate=[["prune", 1, 3, 0.4]],
        message="why",
        seconds=1.5,
    )
    store.put_trials([done, replace(trial, number=1, variant_id=None, state="pruned")])
    assert store.list_trials(run_id) == [
        done,
        replace(trial, number=1, variant_id=None, state="pruned"),
    ]


def test_a_trial_of_no_run_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="no run"):
        store.put_trial(Trial("0123", 0, None, {}, RECIPE))


def test_a_deleted_variant_leaves_its_trial(store: Store, study: Study) -> None:
    run_id, variant = search(store, study), store.add_variant(study.id, RECIPE)
    store.put_trial(Trial(run_id, 0, variant.id, {}, RECIPE))
    store.update_run(run_id, state="done")
    store.delete_variant(variant.id)
    assert store.list_trials(run_id)[0].variant_id is None


def test_a_deleted_study_takes_its_searches_along(store: Store, study: Study) -> None:
    run_id = search(store, study)
    store.put_trial(Trial(run_id, 0, None, {}, RECIPE))
    store.update_run(run_id, state="done", result={"answer": {"kind": "found"}})
    assert store.list_searches(study.id)[0].result == {"answer": {"kind": "found"}}
    store.delete_study(study.id)
    assert store.list_trials(run_id) == []


def test_a_study_with_searches_is_exported_and_imported(store: Store, study: Study) -> None:
    run_id = search(store, study)
    store.put_trial(Trial(run_id, 0, None, {}, RECIPE))
    buffer = io.BytesIO()
    export_study(store, study.id, buffer)
    copy = import_study(store, buffer)
    assert store.list_searches(copy.id) == []
    assert len(store.list_variants(copy.id)) == store.get_study(study.id).done_count
