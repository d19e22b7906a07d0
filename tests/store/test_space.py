"""What takes space adds up, and what is freed is what was said before; nothing needed goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from optimizer.errors import InputError
from optimizer.recipe import Quantize, Recipe
from optimizer.storage_command import PARTS, freeing
from optimizer.store import RunStage, Store, Study

from .building import build_study, key

ROOT = Path(__file__).parents[2]


def add_variant(store: Store, study: Study, seed: int, **files: bytes) -> None:
    variant = store.add_variant(study.id, Recipe(quantize=Quantize(mode="int8"), seed=seed))
    content = {name.replace("_", "."): data for name, data in files.items()}
    store.artifacts.write(key(f"own {seed}"), content)
    store.update_variant(variant.id, state="done", stages={"convert": key(f"own {seed}")})


@pytest.fixture
def full(store: Store, study: Study) -> Study:
    """Two studies that share results, an unused upload, garbage of each kind."""
    second = build_study(store, "Second")
    add_variant(store, study, 50, model_tflite=bytes(40_000))
    add_variant(store, second, 60, model_tflite=bytes(30_000))
    run = store.queue_run("variants", "ended", study_id=study.id)
    store.put_stage(RunStage(run.id, key("scan"), "sensitivity", "Scan"))
    store.append_log(run.id, "a line")
    store.update_run(run.id, state="done")
    store.artifacts.write(key("scan"), {"scan.json": bytes(5_000)})
    store.artifacts.write(key("garbage"), {"model.keras": bytes(7_000)})
    store.files.write(b"of no record" * 100)
    store.add_model("unused.keras", bytes(20_000))
    store.append_log("dead", "of a run that was deleted")
    (store.home / "tmp" / ("ab" * 16)).write_bytes(bytes(3_000))
    return second


def intact(store: Store, study: Study) -> bool:
    """Whether a study, its uploads and its results are there, whole."""
    uploads = (store.get_model(study.model_id), store.get_dataset(study.dataset_id))
    keys = {k for v in store.list_variants(study.id) for k in v.stages.values()}
    keys |= {upload.facts_key for upload in uploads if upload.facts_key}
    return all(store.artifacts.verify(each) for each in keys) and all(
        len(store.read_file(upload.sha256)) == upload.size_bytes for upload in uploads
    )


def test_the_kinds_add_up_to_the_whole_store(store: Store, study: Study, full: Study) -> None:
    use = store.space_use()
    assert use.total_bytes == store.disk_use().total_bytes
    assert all(size >= 0 for size in use.kinds.values())
    names = {item.name: item for item in use.studies}
    assert names["Digits"].own_bytes > 40_000
    assert 30_000 < names["Second"].own_bytes < 40_000
    assert names["Digits"].shared_bytes == names["Second"].shared_bytes > 0
    assert use.kinds["Uploads in no study"] == 20_000
    assert use.kinds["Cached results in no study"] > 5_000 + 7_000 + 1_200
    assert [item.file_name for item in use.unused_uploads] == ["unused.keras"]
    assert use.dead_logs_bytes == len("of a run that was deleted\n")


def test_deleting_studies_frees_what_was_said(store: Store, study: Study, full: Study) -> None:
    alone, both = (
        store.freed_by_studies([study.id]),
        store.freed_by_studies([study.id, full.id]),
    )
    assert both > alone + 30_000, "what they share goes with the last"
    before = store.disk_use()
    assert store.delete_studies([study.id]) == alone
    after = store.disk_use()
    held = (before.artifacts_bytes + before.logs_bytes) - (after.artifacts_bytes + after.logs_bytes)
    assert held == alone
    assert intact(store, full)
    expected = store.freed_by_studies([full.id])
    assert store.delete_studies([full.id]) == expected == both - alone
    assert {item.kind for item in store.unused_uploads()} == {"model", "dataset"}


def test_no_study_is_deleted_while_one_of_them_works(
    store: Store, study: Study, full: Study
) -> None:
    run = store.queue_run("variants", "t", study_id=full.id)
    assert {item.name for item in store.space_use().studies if item.busy} == {"Second"}
    with pytest.raises(InputError, match="Second"):
        store.delete_studies([study.id, full.id])
    assert len(store.list_studies()) == 2
    store.request_cancel(run.id)
    store.delete_studies([study.id, full.id])
    assert store.list_studies() == []


@pytest.mark.parametrize("part", PARTS)
def test_each_part_frees_what_was_said_and_nothing_needed(
    store: Store, study: Study, full: Study, part: str
) -> None:
    old = time.time() - 7_200
    os.utime(store.home / "tmp" / ("ab" * 16), (old, old))
    waiting = store.queue_run("variants", "t", study_id=study.id)
    store.put_stage(RunStage(waiting.id, key("garbage"), "prune", "Prune"))
    before = store.disk_use()
    expected, release = freeing(store, part, 0.0)
    assert expected > 0
    freed = release()
    after = store.disk_use()
    if part == "database":  # its log is written while it is compacted
        assert after.database_bytes == before.database_bytes - freed < before.database_bytes
    else:
        assert freed == expected
        held = [use.total_bytes - use.database_bytes for use in (before, after)]
        assert held[0] - held[1] == freed
    assert freeing(store, part, 0.0)[0] == 0
    assert intact(store, study)
    assert intact(store, full)
    assert store.artifacts.verify(key("garbage")), "a run that waits needs it"


def test_young_results_and_uploads_stay(store: Store, full: Study) -> None:
    for part in ("cache", "uploads"):
        expected, release = freeing(store, part, 3_600.0)
        assert (expected, release()) == (0, 0)
    assert len(store.unused_uploads()) == 1


def test_an_upload_that_is_read_or_used_meanwhile_stays(store: Store, full: Study) -> None:
    (chosen,) = store.unused_uploads()
    store.queue_run("import_model", "read", model_id=chosen.upload_id)
    (busy,) = store.unused_uploads()
    assert busy.busy
    assert store.delete_uploads([chosen]) == 0
    assert store.get_model(chosen.upload_id).file_name == "unused.keras"


def test_the_command_shows_and_frees(store: Store, full: Study) -> None:
    def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "optimizer", "storage", *arguments],
            cwd=ROOT,
            env={**os.environ, "FEATHERWEIGHT_HOME": str(store.home)},
            capture_output=True,
            text=True,
            check=False,
        )

    shown = ask("--free", "uploads", "--older-than", "0")
    assert shown.returncode == 0
    assert "uploads: 20.0 kB to be freed" in shown.stderr
    assert "Freed 20.0 kB." in shown.stdout
    assert "Digits" in shown.stdout
    found = json.loads(ask("--json").stdout)
    assert found["freed_bytes"] is None
    assert found["unused_uploads"] == []
    assert found["total_bytes"] == sum(found["kinds"].values())
    wrong = ask("--older-than", "nan")
    assert (wrong.returncode, "number of days" in wrong.stderr) == (2, True)
