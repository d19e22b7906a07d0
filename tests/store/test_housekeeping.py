"""What may go, and above all what may not."""

from __future__ import annotations

import os
import time

from optimizer.recipe import Quantize, Recipe
from optimizer.store import RunStage, Store, Study

from .building import build_study, key


def referenced(store: Store, study: Study) -> set[str]:
    stages = {k for v in store.list_variants(study.id) for k in v.stages.values()}
    return stages | {key("model facts"), key("data facts")}


def test_collecting_garbage_keeps_everything_referenced(store: Store, study: Study) -> None:
    kept = referenced(store, study)
    run = store.queue_run("variants", "t", study_id=study.id)
    store.put_stage(RunStage(run.id, key("needed soon"), "prune", "Prune"))
    for name in ("needed soon", "garbage"):
        store.artifacts.write(key(name), {"model.keras": b"x" * 5000})
    stray = store.files.write(b"an upload that no record has")
    store.append_log(run.id, "kept")
    store.append_log("dead", "a log whose run is gone")
    freed = store.collect_garbage(min_age_seconds=0)
    assert freed >= 5000 + 28 + 24
    assert set(store.artifacts.keys()) == kept | {key("needed soon")}
    assert all(store.artifacts.verify(each) for each in kept)
    assert not store.files.has(stray)
    uploads = (store.get_model(study.model_id), store.get_dataset(study.dataset_id))
    assert [len(store.read_file(u.sha256)) for u in uploads] == [u.size_bytes for u in uploads]
    assert (store.read_log(run.id), store.read_log("dead")) == ("kept\n", "")
    assert store.collect_garbage(min_age_seconds=0) == 0
    store.claim_run(run.id)
    assert store.collect_garbage(min_age_seconds=0) == 0
    store.update_run(run.id, state="done")
    store.collect_garbage(min_age_seconds=0)
    assert set(store.artifacts.keys()) == kept


def test_recent_garbage_stays_and_writing_again_makes_it_recent(store: Store) -> None:
    store.artifacts.write(key("a"), {"a.bin": b"a"})
    sha256 = store.files.write(b"upload")
    assert store.collect_garbage() == 0
    hours_ago = time.time() - 7200
    for path in (store.artifacts.path(key("a"), "a.bin").parent, store.file_path(sha256)):
        os.utime(path, (hours_ago, hours_ago))
    store.artifacts.write(key("a"), {"a.bin": b"a"})
    store.files.write(b"upload")
    assert store.collect_garbage() == 0
    for path in (store.artifacts.path(key("a"), "a.bin").parent, store.file_path(sha256)):
        os.utime(path, (hours_ago, hours_ago))
    assert store.collect_garbage() > 0
    assert not store.artifacts.has(key("a"))
    assert not store.files.has(sha256)


def test_what_is_not_ours_is_left_alone(store: Store) -> None:
    notes = [store.home / "artifacts" / "notes.txt", store.home / "artifacts" / "aa" / "x"]
    for path in notes:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"mine")
    store.collect_garbage(min_age_seconds=0)
    assert all(path.exists() for path in notes)


def test_deleting_a_study_keeps_what_another_shares(store: Store, study: Study) -> None:
    shared = build_study(store, "Second")
    only = store.add_variant(study.id, Recipe(quantize=Quantize(mode="int8"), seed=9))
    store.artifacts.write(key("only"), {"model.tflite": b"t" * 10_000})
    store.update_variant(only.id, state="done", stages={"convert": key("only")})
    run = store.queue_run("variants", "t", study_id=study.id, variant_ids=[only.id])
    store.append_log(run.id, "text")
    store.update_run(run.id, state="done")
    freed = store.delete_study(study.id)
    assert freed >= 10_000
    assert set(store.artifacts.keys()) == referenced(store, shared)
    assert all(store.artifacts.verify(each) for each in referenced(store, shared))
    assert store.read_log(run.id) == ""
    store.delete_study(shared.id)
    assert set(store.artifacts.keys()) == {key("model facts"), key("data facts")}
    store.delete_model(shared.model_id)
    store.delete_dataset(shared.dataset_id)
    assert list(store.artifacts.keys()) == []
    assert list(store.files.all_sha256()) == []


def test_deleting_a_model_keeps_bytes_that_another_shares(store: Store) -> None:
    first, second = store.add_model("a.keras", b"bytes"), store.add_model("b.keras", b"bytes")
    assert store.delete_model(first.id) == 0
    assert store.read_file(second.sha256) == b"bytes"
    assert store.delete_model(second.id) == 5
    assert not store.files.has(second.sha256)


def test_disk_use_is_what_lies_there(store: Store, study: Study) -> None:
    use = store.disk_use()
    model, data = store.get_model(study.model_id), store.get_dataset(study.dataset_id)
    assert use.files_bytes == model.size_bytes + data.size_bytes
    assert use.database_bytes > 4096
    assert use.logs_bytes == 0
    folders = [p for p in (store.home / "artifacts").rglob("*") if p.is_file()]
    assert use.artifacts_bytes == sum(path.stat().st_size for path in folders)
    assert use.total_bytes == use.files_bytes + use.database_bytes + use.artifacts_bytes
    stages = referenced(store, study) - {key("model facts"), key("data facts")}
    assert store.study_bytes(study.id) == sum(store.artifacts.size_bytes(k) for k in stages)
