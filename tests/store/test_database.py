"""Several processes and threads on one database; faults in words."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from optimizer.errors import InputError
from optimizer.recipe import Recipe
from optimizer.store import Store, StoreError, Study
from optimizer.store import database as database_module

from . import processes
from .building import key

spawn = multiprocessing.get_context("spawn")


def run_together(target: object, arguments: list[tuple]) -> None:
    workers = [spawn.Process(target=target, args=each) for each in arguments]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0


def test_home_is_made_for_its_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"
    Store.open(home)
    for folder in (tmp_path / "a", home, home / "files", home / "artifacts", home / "tmp"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "featherweight.db").stat().st_mode) == 0o600


def test_home_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEATHERWEIGHT_HOME", str(tmp_path / "elsewhere"))
    assert Store.open().home == tmp_path / "elsewhere"
    monkeypatch.delenv("FEATHERWEIGHT_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Store.open().home == tmp_path / ".featherweight"


def test_processes_that_open_a_new_store_at_once_agree(tmp_path: Path) -> None:
    start, opened = spawn.Barrier(4), spawn.Queue()
    run_together(processes.open_at_once, [(tmp_path / "new", start, opened)] * 4)
    assert len({opened.get(timeout=10) for _ in range(4)}) == 1
    assert len(Store.open(tmp_path / "new").list_models()) == 1


def test_processes_that_write_at_once_lose_nothing(store: Store, study: Study) -> None:
    before, start = len(store.list_variants(study.id)), spawn.Barrier(3)
    run_together(
        processes.work_in_study, [(store.home, study.id, worker, start) for worker in (1, 2, 3)]
    )
    added = store.list_variants(study.id)[before:]
    done = [(v.results["worker"], v.results["i"]) for v in added if v.state == "done"]
    assert sorted(done) == [(worker, i) for worker in (1, 2, 3) for i in range(25)]
    assert len(added) == 25 + 3 * 25, "variants that all three asked for exist once"
    runs = store.list_runs(study.id, limit=None)
    assert len(runs) == 75
    for run in runs:
        worker, step = run.title.split(".")
        assert store.read_log(run.id) == f"worker {worker} step {step}\n"
        assert len(store.list_stages(run.id)) == 1
    assert all(store.artifacts.verify(key(f"stage {i}")) for i in range(25))


def test_each_queued_run_is_claimed_once(store: Store, study: Study) -> None:
    wanted = {store.queue_run("variants", str(i), study_id=study.id).id for i in range(40)}
    start, claimed = spawn.Barrier(3), spawn.Queue()
    run_together(processes.claim_everything, [(store.home, start, claimed)] * 3)
    taken = [run_id for _ in range(3) for run_id in claimed.get(timeout=10)]
    assert len(taken) == 40
    assert set(taken) == wanted
    assert {run.state for run in store.running_runs()} == {"running"}


def test_threads_share_a_store(store: Store, study: Study) -> None:
    before = store.get_study(study.id).variant_count

    def add(i: int) -> str:
        return store.add_variant(study.id, Recipe(seed=i // 2 + 1, quantize={"mode": "int8"})).id

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(add, range(40)))
    assert len(set(ids)) == 20
    assert store.get_study(study.id).variant_count == before + 20


def test_a_forked_process_gets_a_connection_of_its_own(store: Store) -> None:
    run_together(processes.write_on_both_sides_of_a_fork, [(store.home,)])
    assert store._db.row("PRAGMA integrity_check")[0] == "ok"


def test_a_writer_killed_at_any_moment_leaves_whole_transactions(store: Store) -> None:
    model, data = store.add_model("m.keras", b"m"), store.add_dataset("d.npz", b"d")
    for pause in (0.0, 0.013, 0.031):
        started = spawn.Event()
        writer = spawn.Process(
            target=processes.add_pairs_for_ever, args=(store.home, model.id, data.id, started)
        )
        writer.start()
        assert started.wait(30)
        time.sleep(pause)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(10)
        studies = Store.open(store.home).list_studies()
        assert len(studies) >= 4
        assert {study.variant_count for study in studies} == {2}
    assert store._db.row("PRAGMA integrity_check")[0] == "ok"


def test_a_transaction_is_kept_or_undone_as_a_whole(store: Store, study: Study) -> None:
    before, version = store.list_variants(study.id), store.version()

    def write_and_fail() -> None:
        with store._db.write():
            store.add_variant(study.id, Recipe(seed=77, quantize={"mode": "int8"}))
            store.rename_study(study.id, "Other")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_and_fail()
    assert store.list_variants(study.id) == before
    assert store.get_study(study.id).name == study.name
    assert not store.has_changed_since(version)


def test_version_notices_writes_of_this_and_other_connections(store: Store, study: Study) -> None:
    seen = store.version()
    assert not store.has_changed_since(seen)
    store.rename_study(study.id, "Other")
    assert store.has_changed_since(seen)
    seen = store.version()
    thread = threading.Thread(target=lambda: Store.open(store.home).rename_study(study.id, "More"))
    thread.start()
    thread.join()
    assert store.has_changed_since(seen)


def test_reading_goes_on_while_another_writes(store: Store, study: Study) -> None:
    inside, finish = threading.Event(), threading.Event()

    def hold() -> None:
        with store._db.write() as connection:
            connection.execute("UPDATE studies SET name = 'unfinished'")
            inside.set()
            finish.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(10)
    assert store.get_study(study.id).name == "Digits"
    finish.set()
    thread.join()
    assert store.get_study(study.id).name == "unfinished"


def test_a_store_kept_busy_says_so(
    store: Store, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)
    holder = sqlite3.connect(store.home / "featherweight.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    store.close()
    with pytest.raises(StoreError, match=r"another process has kept it busy for 0\.05 s"):
        store.rename_study(study.id, "Other")
    holder.execute("ROLLBACK")
    holder.close()
    store.rename_study(study.id, "Other")
    assert store.get_study(study.id).name == "Other"


def test_a_full_disk_is_said_in_words(store: Store, study: Study) -> None:
    pages = store._db.row("PRAGMA page_count")[0]
    store._db._connection().execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match=r"the disk is full\. Free some space"):
        store.set_study_environment(study.id, {"text": "x" * 1_000_000})
    assert store.get_study(study.id) == study


@pytest.mark.parametrize("content", [b"this is not a database" * 100, None])
def test_a_damaged_database_is_refused(store: Store, study: Study, content: bytes | None) -> None:
    home = store.home
    store._db.row("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    path = home / "featherweight.db"
    damaged = content or path.read_bytes()[:4096] + os.urandom(8192)
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match=r"it is (damaged|not a database)\. Restore a backup"):
        Store.open(home).list_variants(study.id)
    assert path.read_bytes() == damaged


def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot write"):
        Store.open(tmp_path / "file" / "home")


def test_a_deleted_store_is_an_error_in_words(store: Store) -> None:
    shutil.rmtree(store.home)
    store.close()
    with pytest.raises(StoreError):
        store.add_model("m.keras", b"m")


def test_missing_records_are_named(store: Store) -> None:
    for call in (store.get_model, store.get_dataset, store.get_study, store.get_variant):
        with pytest.raises(InputError, match="'gone' in the store; it may have been deleted"):
            call("gone")
    with pytest.raises(InputError, match="There is no study 'gone'"):
        store.rename_study("gone", "name")


def test_importing_the_store_imports_nothing_heavy() -> None:
    code = (
        "import sys, optimizer.store, optimizer.store.archive, optimizer.export; "
        "print({'tensorflow', 'streamlit', 'pandas', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
