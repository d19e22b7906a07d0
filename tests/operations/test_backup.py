"""A backup taken while a sweep runs; restored elsewhere it is whole, and the sweep goes on."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

from optimizer.__main__ import main
from optimizer.errors import InputError
from optimizer.logs.setup import log_path, logged
from optimizer.operations.backup import back_up
from optimizer.operations.restore import restore
from optimizer.recipe import Recipe
from optimizer.store import Store, StoreError
from tests.operations.conftest import InstantPool, Works, until
from tests.store.building import build_study, listing

RECIPES = [
    {"prune": {}, "quantize": {"mode": mode, "aware": False}, "seed": 77 + seed}
    for seed in range(2)
    for mode in ("float16", "dynamic", "int8")
]


def is_held(job):
    """Pruning of the second seed waits, so that the sweep is half done as long as one likes."""
    return "pruning" in job.call.function and job.call.params["seed"] == 78


def whole(store):
    """Everything that is listed as done can be read."""
    for study in store.list_studies():
        for upload in (store.get_model(study.model_id), store.get_dataset(study.dataset_id)):
            assert hashlib.sha256(store.read_file(upload.sha256)).hexdigest() == upload.sha256
        for variant in store.list_variants(study.id):
            assert all(store.artifacts.verify(key) for key in variant.stages.values())
            if variant.state == "done":
                assert variant.results["size_bytes"] > 0
                assert store.artifacts.read(variant.stages["convert"], "model.tflite")


def test_a_backup_during_a_sweep_is_whole_and_the_sweep_goes_on(store, study, tmp_path):
    file = tmp_path / "backup.tar"
    variants = store.add_variants(study.id, [Recipe.parse(recipe) for recipe in RECIPES])
    ids = [variant.id for variant in variants]
    run = store.queue_run("variants", "Sweep", study_id=study.id, variant_ids=ids)

    def measured(of=store):
        return [of.get_variant(each).results is not None for each in ids]

    async def first_half():
        pool = InstantPool(store, held=is_held)
        async with Works(store, pool):
            await until(lambda: measured() == [True] * 3 + [False] * 3 and pool.waiting)
            made = await asyncio.to_thread(back_up, store, file)
            assert made.missing == ()
            assert made.size_bytes == file.stat().st_size
        return pool

    with logged(store.home, "engine"):
        before = asyncio.run(first_half())
    assert measured() == [True] * 3 + [False] * 3, "the store is as it was"
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar", "home"]

    other = tmp_path / "elsewhere"
    found = restore(file, other)
    assert (found.studies, found.waiting, found.missing) == (1, 1, ())
    assert not list(other.glob("restoring-*"))
    second = Store.open(other)
    assert second.engine_state() is None
    whole(second)
    assert second.get_run(run.id).state == "running"
    assert measured(second) == [True] * 3 + [False] * 3
    assert "started" in second.read_log(run.id)

    async def second_half():
        pool = InstantPool(second)
        async with Works(second, pool):
            await until(lambda: second.get_run(run.id).state == "done")
        return pool

    after = asyncio.run(second_half())
    assert {second.get_variant(each).state for each in ids} == {"done"}
    whole(second)
    assert not set(before.executed) & set(after.executed), "nothing that was done was done again"
    assert "Resumed" in second.read_log(run.id)
    second.close()

    lines = [json.loads(line) for line in log_path(store.home, "engine").read_text().splitlines()]
    about = [line for line in lines if line["event"].startswith(("run_", "stage_"))]
    assert {line["run"] for line in about} == {run.id}
    assert all(line["study"] == study.id for line in about)
    done = [line for line in about if line["event"] == "stage_done"]
    assert {line["key"] for line in done} == set(before.executed)
    assert all(line["stage"] and line["seconds"] >= 0 for line in done)


@pytest.fixture
def small(tmp_path):
    """A store of a few kilobytes."""
    store = Store.open(tmp_path / "small")
    build_study(store)
    yield store
    store.close()


def test_what_is_restored_is_what_was_there(small, tmp_path):
    run = small.queue_run("variants", "t", study_id=small.list_studies()[0].id)
    small.append_log(run.id, "a line")
    (small.home / "settings.json").write_text('{"slots": 3}')
    (small.home / "sample-study-imported").touch()
    (small.home / "large").write_bytes(b"x" * 1_100_000)
    (small.home / "engine.log").write_text("not kept")
    stray = small.artifacts.root / "ab" / "not ours"
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("x")
    back_up(small, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "new")
    small.close()
    before, after = listing(small.home), listing(tmp_path / "new")
    assert set(before) - set(after) == {
        "artifacts/ab/not ours",
        "large",
        "engine.log",
        "writers.lock",
    }
    assert {name for name in after if before[name] != after[name]} <= {"featherweight.db"}
    new = Store.open(tmp_path / "new")
    for study in small.list_studies():
        assert new.get_study(study.id) == study
        assert new.list_variants(study.id) == small.list_variants(study.id)
    assert [(tmp_path / "new" / name).stat().st_mode & 0o77 for name in after] == [0] * len(after)
    new.close()


def test_the_commands(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FEATHERWEIGHT_HOME", str(tmp_path / "nowhere"))
    assert main(["backup", str(tmp_path / "b.tar")]) == 2
    assert "There is no store" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()
    monkeypatch.setenv("FEATHERWEIGHT_HOME", str(small.home))
    assert main(["backup", str(tmp_path / "b.tar")]) == 0
    assert "read again and whole" in capsys.readouterr().err
    assert main(["restore", str(tmp_path / "b.tar")]) == 2
    assert "is not empty" in capsys.readouterr().err
    small.artifacts.discard(next(small.artifacts.keys()))
    assert main(["backup", str(tmp_path / "c.tar")]) == 1
    assert main(["restore", str(tmp_path / "c.tar"), "--home", str(tmp_path / "new")]) == 1
    assert "1 studies" in capsys.readouterr().err


def test_a_folder_that_is_not_empty_is_left_alone(small, tmp_path):
    back_up(small, tmp_path / "b.tar")
    before = listing(small.home)
    with pytest.raises(InputError, match="is not empty"):
        restore(tmp_path / "b.tar", small.home)
    assert listing(small.home) == before
    (tmp_path / "a file").write_text("")
    with pytest.raises(InputError, match="is not a folder"):
        restore(tmp_path / "b.tar", tmp_path / "a file")
    (tmp_path / "disk" / "lost+found").mkdir(parents=True)
    assert restore(tmp_path / "b.tar", tmp_path / "disk").studies == 1


def test_a_file_that_is_there_is_never_replaced(small, tmp_path):
    (tmp_path / "b.tar").write_text("precious")
    with pytest.raises(InputError, match="is there already"):
        back_up(small, tmp_path / "b.tar")
    assert (tmp_path / "b.tar").read_text() == "precious"
    with pytest.raises(InputError, match="no folder"):
        back_up(small, tmp_path / "nowhere" / "b.tar")


def test_what_the_store_has_lost_is_said_and_the_rest_is_kept(small, tmp_path):
    variants = small.list_variants(small.list_studies()[0].id)
    damaged, gone = variants[0].stages["convert"], variants[1].stages["evaluate"]
    small.artifacts.path(damaged, "model.tflite").write_bytes(b"other")
    small.artifacts.discard(gone)
    made = back_up(small, tmp_path / "b.tar")
    assert {name.rpartition("/")[2] for name in made.missing} == {damaged, gone}
    found = restore(tmp_path / "b.tar", tmp_path / "new")
    assert found.missing == made.missing
    new = Store.open(tmp_path / "new")
    assert new.artifacts.verify(variants[0].stages["evaluate"])
    assert not new.artifacts.has(damaged)
    new.close()


def test_a_study_deleted_meanwhile_makes_the_backup_begin_again(small, tmp_path, monkeypatch):
    snapshot, said = small.snapshot, []

    def deleted_after(path: Path) -> None:
        snapshot(path)
        if not said:
            study = small.list_studies()[0]
            small.delete_study(study.id)
            small.delete_model(study.model_id)

    monkeypatch.setattr(small, "snapshot", deleted_after)
    made = back_up(small, tmp_path / "b.tar", said.append)
    assert made.missing == ()
    assert any("beginning again" in text for text in said)
    assert restore(tmp_path / "b.tar", tmp_path / "new").studies == 0


def test_a_disk_without_room_is_refused_at_once(small, tmp_path, monkeypatch):
    back_up(small, tmp_path / "b.tar")
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(StoreError, match="0 MB free"):
        back_up(small, tmp_path / "c.tar")
    with pytest.raises(StoreError, match="0 MB free"):
        restore(tmp_path / "b.tar", tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix) == ["b.tar"]
    assert not list((tmp_path / "new").rglob("*"))
    assert not list((small.home / "tmp").iterdir())


def test_a_disk_that_fills_leaves_no_half_backup(small, tmp_path, monkeypatch):
    from optimizer.operations import backup_file

    def full(self, name, source, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup_file.Writer, "add", full)
    with pytest.raises(StoreError, match="No space left"):
        back_up(small, tmp_path / "b.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small"]
    assert not list((small.home / "tmp").iterdir())
