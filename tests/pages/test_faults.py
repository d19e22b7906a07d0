"""Pages of a store at fault: a sentence with what to do, never a traceback."""

import errno
import os
import sqlite3

import pytest
from streamlit.testing.v1 import AppTest

from optimizer.run_progress import RESUMED
from optimizer.store import Store, StoreError
from optimizer.store import database as database_module
from optimizer.store.artifacts import Artifacts
from optimizer.store.durable import Workspace
from tests.pages.conftest import ROOT, STUDY_PAGES, check
from tests.pages.test_pages import ALL_PAGES, button, texts


def open_app(page="study/compare"):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.run()
    app.switch_page(f"pages/{page}.py").run()
    return check(app)


def damaged(store, monkeypatch):
    """The page in the middle of the database that variants are on."""
    store._db.row("PRAGMA wal_checkpoint(TRUNCATE)")
    root = store._db.row("SELECT rootpage FROM sqlite_schema WHERE name = 'studies'")[0]
    store.close()
    with (store.home / "featherweight.db").open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)
    return "The store is damaged", "Restore a backup of the store's folder. Or begin anew"


def not_a_database(store, monkeypatch):
    store.close()
    for side in ("-wal", "-shm"):
        (store.home / f"featherweight.db{side}").unlink(missing_ok=True)
    (store.home / "featherweight.db").write_bytes(b"something else " * 1000)
    return "The store is damaged", "it is not a database. Restore a backup"


def emptied(store, monkeypatch):
    not_a_database(store, monkeypatch)
    (store.home / "featherweight.db").write_bytes(b"")
    return "The store is damaged", "it is empty, although results are stored beside it"


def locked(store, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.01)
    store.close()
    holder = sqlite3.connect(store.home / "featherweight.db", isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    store.holder = holder  # as long as the store
    return "cannot be used just now", "another process"


def unreadable(store, monkeypatch):
    """As a folder of somebody else is, for whoever is not the superuser."""
    refuse_opening(monkeypatch, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    return "cannot be used just now", "Permission denied. Check that its folder exists"


def read_only(store, monkeypatch):
    refuse_opening(monkeypatch, OSError(errno.EROFS, os.strerror(errno.EROFS)))
    return (
        "cannot be used just now",
        "system. Check that its folder exists",
    )


def refuse_opening(monkeypatch, error):
    def refused(self):
        raise StoreError(str(self._cannot_open(error)))

    monkeypatch.setattr(database_module.Database, "_one_opener_at_a_time", refused)


FAULTS = (damaged, not_a_database, emptied, locked, unreadable, read_only)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_app_says_what_is_wrong_with_the_store_and_what_to_do(workbench, monkeypatch, fault):
    title, sentence = fault(workbench.store, monkeypatch)
    app = check(AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run())
    (error,) = app.error
    assert sentence in error.value
    assert title in error.proto.title
    assert button(app, "Try again")


def test_every_page_says_so_when_the_store_breaks_while_it_is_open(workbench, monkeypatch):
    app = open_app()

    def broken(self, sql, values=()):
        raise StoreError(f"The store: {database_module._FAULTS['SQLITE_CORRUPT']}.", damaged=True)

    with monkeypatch.context() as patched:
        patched.setattr(database_module.Database, "rows", broken)
        patched.setattr(database_module.Database, "row", broken)
        for page in ALL_PAGES:
            check(app.switch_page(f"pages/{page}.py").run())
            (error,) = app.error
            assert "it is damaged. Restore a backup" in error.value, page
    check(button(app, "Try again").click().run())
    assert not app.error


def test_pages_of_damaged_results_say_what_makes_them_again(workbench):
    for path in (workbench.store.home / "artifacts").rglob("*.*"):
        if path.name != "meta.json":
            path.write_bytes(b"damaged")
    for path in (workbench.store.home / "files").rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    app = open_app("study/variant")
    assert "is damaged. Run its variant again" in texts(app)
    for page in STUDY_PAGES:
        check(app.switch_page(f"pages/study/{page}.py").run())


def test_what_a_full_disk_refuses_is_said_where_it_was_asked_for(workbench, monkeypatch):
    store, study = workbench.store, workbench.study
    app = open_app("study/compare")

    def full(self, **options):
        raise StoreError("The store: the disk is full. Free some space and try again.")

    with monkeypatch.context() as patched:
        patched.setattr(database_module.Database, "write", full)
        check(button(app, "Measure all latencies together").click().run())
        assert "the disk is full. Free some space" in texts(app)
    run = store.queue_run("variants", "Mine", study_id=study.id, variant_ids=[])
    app = open_app("study/runs")
    with monkeypatch.context() as patched:
        patched.setattr(database_module.Database, "write", full)
        check(button(app, "Cancel").click().run())
        assert "the disk is full. Free some space" in texts(app)
    assert not store.get_run(run.id).cancel_requested


def test_an_upload_that_finds_no_space_is_said(workbench, monkeypatch):
    app = open_app("start/new")

    def full(self, data, target):
        raise StoreError("The store cannot write: No space left on device. Check the disk's space")

    monkeypatch.setattr(Workspace, "place_file", full)
    monkeypatch.setattr(Store, "add_model", lambda *given: full(None, None, None))
    check(button(app, "Read and check").click().run())
    assert "No space left on device. Check the disk's space" in texts(app)


def test_an_error_of_the_system_is_a_sentence_too(workbench, monkeypatch):
    def broken(self):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "/somewhere")

    monkeypatch.setattr(Artifacts, "bytes_on_disk", broken)
    app = open_app("start/studies")
    assert "Input/output error" in texts(app)
    assert "Check the disk's space and health" in texts(app)


def test_broken_settings_can_be_replaced_on_their_page(workbench):
    path = workbench.store.home / "settings.json"
    path.write_text("{")
    app = open_app("start/settings")
    assert "cannot be read as JSON" in texts(app)
    check(button(app, "Use the defaults instead").click().run())
    assert path.read_text().strip() == "{}"
    assert button(app, "Apply and restart the engine")


def test_the_runs_page_says_that_a_run_was_resumed(workbench):
    store, study = workbench.store, workbench.study
    run = store.queue_run("variants", "Mine", study_id=study.id, variant_ids=[])
    store.claim_run(run.id)
    store.append_log(run.id, RESUMED)
    assert "Resumed once after the engine had ended" in texts(open_app("study/runs"))
    store.append_log(run.id, RESUMED)
    assert "Resumed 2 times" in texts(open_app("study/runs"))
