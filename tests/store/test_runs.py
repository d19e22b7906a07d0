"""The queue, stages, logs and the engine's sign of life."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest

from optimizer.errors import InputError
from optimizer.recipe import Recipe
from optimizer.store import EngineState, RunStage, Store, Study
from optimizer.store.logs import LOG_BYTES
from optimizer.store.records import VariantCounts

from .building import key


def test_runs_are_taken_in_the_order_they_were_asked_for(store: Store, study: Study) -> None:
    runs = [store.queue_run("variants", t, study_id=study.id, options={"a": 1}) for t in "abc"]
    assert store.next_queued_runs() == runs[:1]
    assert store.next_queued_runs(limit=5) == runs
    assert [run.title for run in store.list_runs()] == ["c", "b", "a"]
    claimed = store.claim_run(runs[0].id)
    assert claimed is not None
    assert (claimed.state, claimed.options) == ("running", {"a": 1})
    assert claimed.started_at is not None
    assert store.claim_run(runs[0].id) is None
    assert store.running_runs() == [claimed]
    store.update_run(claimed.id, state="failed", error="It crashed.")
    finished = store.get_run(claimed.id)
    assert (finished.state, finished.error) == ("failed", "It crashed.")
    assert finished.finished_at is not None
    assert store.list_runs(states=["failed"]) == [finished]
    assert [r.title for r in store.list_runs(study_id=study.id, states=["queued"])] == ["c", "b"]
    assert store.list_runs(study_id="other") == []
    assert len(store.list_runs(limit=2)) == 2


def test_a_run_names_records_that_exist(store: Store, study: Study) -> None:
    with pytest.raises(InputError, match="There is no model 'gone'"):
        store.queue_run("import_model", "t", model_id="gone")
    with pytest.raises(InputError, match="There is no variant 'gone'"):
        store.queue_run("variants", "t", study_id=study.id, variant_ids=["gone"])
    assert store.list_runs() == []


def test_asking_again_queues_what_failed(store: Store, study: Study) -> None:
    done, failed = store.list_variants(study.id)[1], store.list_variants(study.id)[3]
    store.queue_run("variants", "t", study_id=study.id, variant_ids=[done.id, failed.id])
    assert store.get_variant(done.id) == done
    again = store.get_variant(failed.id)
    assert (again.state, again.error) == ("queued", None)


def test_cancelling(store: Store, study: Study) -> None:
    waiting = store.list_variants(study.id)[4]
    first, second = (
        store.queue_run("variants", t, study_id=study.id, variant_ids=[waiting.id]) for t in "ab"
    )
    cancelled = store.request_cancel(first.id)
    assert (cancelled.state, cancelled.cancel_requested) == ("cancelled", True)
    assert cancelled.finished_at is not None
    assert store.claim_run(first.id) is None
    assert store.get_variant(waiting.id).state == "queued", "the second run still wants it"
    store.claim_run(second.id)
    running = store.request_cancel(second.id)
    assert (running.state, running.cancel_requested) == ("running", True)
    store.update_run(second.id, state="done")
    assert store.request_cancel(second.id).state == "done"
    third = store.queue_run("variants", "c", study_id=study.id, variant_ids=[waiting.id])
    store.request_cancel(third.id)
    assert store.get_variant(waiting.id).state == "cancelled"


def test_the_variants_of_a_run_are_counted_and_its_broken_promises_found(
    store: Store, study: Study
) -> None:
    recipes = [Recipe.parse({"prune": {}, "seed": seed}) for seed in range(5)]
    variants = store.add_variants(study.id, recipes)
    ids = [variant.id for variant in variants[:4]]
    run = store.queue_run("variants", "t", study_id=study.id, variant_ids=ids)
    assert store.count_variants(run.id) == VariantCounts(4, 0, 0, 0)
    broken = {"promises": [{"promise": "2:4", "kept": False, "found": "3:4"}]}
    store.update_variant(ids[0], state="running", results={"promises": []})
    store.update_variant(ids[1], state="done", results={"size_bytes": 1})
    store.update_variant(ids[2], state="failed")
    store.update_variant(ids[3], state="done", results=broken)
    store.update_variant(variants[4].id, state="done", results=broken)
    assert store.count_variants(run.id) == VariantCounts(4, 3, 2, 1)
    assert [variant.id for variant in store.broken_variants(run.id)] == [ids[3]]
    store.update_run(run.id, state="done")
    store.delete_variant(ids[3])
    assert store.count_variants(run.id) == VariantCounts(3, 2, 1, 1)


def test_stages_are_replaced_by_key_and_keep_their_order(store: Store, study: Study) -> None:
    run = store.queue_run("variants", "t", study_id=study.id)
    stages = [
        RunStage(run.id, key(name), name, name.title(), ("v1", "v2"), numbers={"epochs": 3})
        for name in ("prune", "convert", "evaluate")
    ]
    store.put_stages(stages)
    assert store.list_stages(run.id) == stages
    moved = dataclasses.replace(
        stages[0],
        state="running",
        fraction=0.4,
        message="epoch 2 of 3",
        numbers={"epoch": 2, "loss": float("nan")},
        started_at="2026-08-01T12:00:00.000+00:00",
        seconds=1.25,
        cached=True,
    )
    version = store.version()
    store.put_stage(moved)
    known = dataclasses.replace(moved, numbers={"epoch": 2, "loss": None})
    assert store.list_stages(run.id) == [known, *stages[1:]]
    assert store.has_changed_since(version)
    with pytest.raises(InputError, match="There is no run"):
        store.put_stage(dataclasses.replace(moved, run_id="gone"))


def test_logs_keep_the_end(store: Store) -> None:
    assert store.read_log("ab12") == ""
    store.append_log("ab12", "first")
    store.append_log("ab12", "second\nthird\n")
    assert store.read_log("ab12") == "first\nsecond\nthird\n"
    assert store.read_log("ab12", tail_lines=2) == "second\nthird\n"
    assert store.read_log("ab12", tail_lines=0) == ""
    line = "x" * 99
    for _ in range(LOG_BYTES // 50_000 + 2):
        store.append_log("ab12", "\n".join([line] * 500))
    store.append_log("ab12", "the last line")
    text = store.read_log("ab12")
    assert len(text) <= LOG_BYTES
    assert text.startswith("(earlier lines were dropped)\n" + line)
    assert text.endswith("the last line\n")
    for bad in ("../x", "", "AB", "a/b"):
        with pytest.raises(InputError, match="There is no run"):
            store.append_log(bad, "text")


def test_log_lines_of_many_threads_stay_whole(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: store.append_log("ab", f"{i} " + "y" * 300), range(200)))
    lines = store.read_log("ab").splitlines()
    assert sorted(int(line.split()[0]) for line in lines) == list(range(200))
    assert {len(line.split()[1]) for line in lines} == {300}


def test_a_heartbeat_is_not_a_change(store: Store) -> None:
    assert store.engine_state() is None
    state = EngineState(123, 1.5, "2026-08-01T12:00:00+00:00", "warming", "importing")
    store.set_engine_state(state)
    assert store.engine_state() == state
    version = store.version()
    later = dataclasses.replace(state, heartbeat_at="2026-08-01T12:00:01+00:00")
    store.set_engine_state(later)
    assert store.engine_state() == later
    assert not store.has_changed_since(version)
    store.set_engine_state(dataclasses.replace(later, status="ready"))
    assert store.has_changed_since(version)
    store.set_engine_state(None)
    assert store.engine_state() is None
