"""A store that is damaged, emptied, full, read-only or older than it says: found, and said."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from optimizer.errors import InputError
from optimizer.settings import SETTINGS_FILE, Settings
from optimizer.store import Store, StoreError, base, housekeeping
from optimizer.store.archive import export_study
from tests.engine.conftest import ROOT
from tests.faults.writing import OTHER, check_whole, make_home, study_of
from tests.store.building import listing

RESTORE = "Restore a backup of the store's folder. Or begin anew"


@pytest.fixture
def home(tmp_path):
    """A closed store with a study."""
    make_home(tmp_path / "home")
    return tmp_path / "home"


def read_everything(home):
    """What all pages together read."""
    store = Store.open(home)
    for study in store.list_studies():
        store.list_variants(study.id)
        store.get_report(study.id)
    store.list_models(), store.list_datasets()
    for run in store.list_runs(limit=None):
        store.list_stages(run.id), store.list_trials(run.id)
    store.engine_state()
    store._referenced_keys()
    return store


def database(home):
    return home / "featherweight.db"


def overwrite(path, offset, data):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize("offset", [0, 18, 100])
def test_a_damaged_header_of_the_database_is_said(home, offset):
    overwrite(database(home), offset, b"\xff" * 40)
    with pytest.raises(StoreError, match=RESTORE) as caught:
        read_everything(home)
    assert caught.value.damaged


def said_of(home, variants):
    """What reading everything says, or nothing, when all variants are there."""
    try:
        store = read_everything(home)
    except StoreError as error:
        return error
    assert len(store.list_variants(study_of(store))) == variants
    store.close()
    return None


def test_any_damaged_page_of_the_database_is_said_or_loses_nothing(home):
    """Each page in turn; where nothing that is read lies on it, everything is still there."""
    whole = database(home).read_bytes()
    variants = len(Store.open(home).list_variants(study_of(Store.open(home))))
    said = 0
    for page in range(0, len(whole), 4096):
        for content in (b"\0" * 4096, bytes(range(256)) * 16):
            for side in ("-wal", "-shm"):
                database(home).with_name(database(home).name + side).unlink(missing_ok=True)
            database(home).write_bytes(whole[:page] + content + whole[page + 4096 :])
            error = said_of(home, variants)
            assert error is None or (error.damaged and RESTORE in str(error))
            said += error is not None
    assert said >= 20


def test_a_record_whose_content_is_damaged_is_said(home):
    connection = sqlite3.connect(database(home))
    connection.execute("UPDATE variants SET results = '{\"accuracy\": 0.9' WHERE is_baseline")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="a record of a variant cannot be read") as caught:
        read_everything(home)
    assert caught.value.damaged


def test_an_emptied_database_is_not_taken_for_a_new_store(home):
    database(home).write_bytes(b"")
    before = listing(home)
    with pytest.raises(StoreError, match="it is empty, although results are stored beside it"):
        Store.open(home)
    assert listing(home) == before
    # What the sentence advises: moved away, a new store begins, and garbage can be collected.
    for path in home.glob("featherweight.db*"):
        path.rename(home.parent / path.name)
    store = Store.open(home)
    assert store.list_studies() == []
    assert store.collect_garbage(0) > 0


def test_a_database_without_its_tables_is_said(home):
    connection = sqlite3.connect(database(home))
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("DROP TABLE variants")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="it does not hold what it should") as caught:
        read_everything(home)
    assert caught.value.damaged


def with_open_log(home, tmp_path):
    """A copy of a store as a kill leaves it, with changes that are in the write-ahead log alone."""
    store = Store.open(home)
    for name in "abcdefgh":
        store.rename_study(study_of(store), name)
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    store.close()
    log = database(copy).with_name("featherweight.db-wal")
    assert log.stat().st_size > 0
    return copy, log


@pytest.mark.parametrize(
    "damage", ["cut short", "cut to nothing", "other bytes", "gone", "index gone", "index damaged"]
)
def test_a_damaged_write_ahead_log_loses_its_last_changes_at_most(home, tmp_path, damage):
    copy, log = with_open_log(home, tmp_path)
    index = log.with_name("featherweight.db-shm")
    if damage == "cut short":
        os.truncate(log, log.stat().st_size - 5000)
    elif damage == "cut to nothing":
        os.truncate(log, 0)
    elif damage == "other bytes":
        overwrite(log, log.stat().st_size // 2, os.urandom(64))
    elif damage == "gone":
        log.unlink()
    elif damage == "index gone":
        index.unlink()
    else:
        index.write_bytes(os.urandom(index.stat().st_size))
    store = check_whole(copy)
    name = store.get_study(study_of(store)).name
    assert name == "h" if damage.startswith("index") else name in ("Digits", *"abcdefg")


@pytest.mark.parametrize("damage", ["changed", "cut short", "gone", "unreadable", "a folder"])
def test_a_damaged_upload_is_said_and_mended_by_uploading_again(home, damage):
    store = Store.open(home)
    model = store.list_models()[0]
    path = store.file_path(model.sha256)
    content = path.read_bytes()
    path.unlink()
    if damage == "changed":
        path.write_bytes(content[:-1] + b"x")
    elif damage == "cut short":
        path.write_bytes(content[:100])
    elif damage == "unreadable":
        path.symlink_to(path)  # even the superuser cannot read through a loop
    elif damage == "a folder":
        path.mkdir()
    with pytest.raises(StoreError, match=r"Upload it again"):
        store.read_file(model.sha256)
    with pytest.raises(StoreError, match=r"Upload it again"):
        export_study(store, study_of(store), home / "out.zip")
    assert not (home / "out.zip").exists()
    assert store.disk_use().total_bytes > 0
    if damage == "a folder":
        path.rmdir()
    assert store.add_model(model.file_name, content).id == model.id
    assert store.read_file(model.sha256) == content


@pytest.mark.parametrize("damage", ["changed", "file gone", "folder gone", "a loop", "a file"])
def test_a_damaged_result_is_said_and_mended_by_writing_again(home, damage):
    store = Store.open(home)
    variant = next(v for v in store.list_variants(study_of(store)) if v.state == "done")
    stage = variant.stages["convert"]
    files, path = store.artifacts.read_all(stage), store.artifacts.path(stage, "model.tflite")
    if damage == "changed":
        overwrite(path, 1, b"x")
    elif damage == "file gone":
        path.unlink()
    else:
        shutil.rmtree(path.parent)
    if damage == "a loop":
        path.parent.symlink_to(path.parent)
    elif damage == "a file":
        path.parent.write_bytes(b"no folder")
    assert not store.artifacts.verify(stage)
    for call in (store.artifacts.read, lambda *names: store.artifacts.read_all(names[0])):
        if damage in ("changed", "file gone") or call == store.artifacts.read:
            with pytest.raises(StoreError, match=r"Run its variant again"):
                call(stage, "model.tflite")
    with pytest.raises(StoreError, match=r"[Rr]un (it|its variant) again"):
        export_study(store, study_of(store), home / "out.zip")
    store.artifacts.write(stage, files)
    assert store.artifacts.read_all(stage) == files


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[1]", b'{"slots": "two"}', b'{"scheduler": 5}', b'{"tls": []}', b"\xff\xfe"),
        *(b'{"slots": 1e400}', b'{"unknown": 1}', b"[" * 100_000),
    ],
)
def test_broken_settings_are_said_with_what_to_do(home, content):
    (home / SETTINGS_FILE).write_bytes(content)
    with pytest.raises(InputError, match=r"Mend it, or delete it|setting|Known ones are"):
        Settings.load(home)
    Settings(slots=1).save(home)
    assert Settings.load(home).slots == 1


def test_settings_that_cannot_be_kept_are_said(home, monkeypatch):
    Settings(slots=1).save(home)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=r"No space left on device\. Check the disk's space"):
            Settings(slots=3).save(home)
    assert Settings.load(home).slots == 1
    check_whole(home)


def as_nobody(home, code):
    """Run Python as a user who may only read the store; what it printed."""
    for path in (home, *home.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    home.parent.chmod(0o755)
    drop = "import os\nif os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import optimizer.engine.client, optimizer.store.archive\n{drop}{code}",
        ],
        cwd=ROOT,
        env={**os.environ, "FEATHERWEIGHT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    for path in (home, *home.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return done


def test_a_folder_that_can_only_be_read_is_refused_in_words(memory):
    """In memory, since the way to a test's usual folder may be closed to other users."""
    make_home(memory / "home")
    code = "from optimizer.store import Store, StoreError\ntry: Store.open()\n"
    code += "except StoreError as error: print(error)"
    done = as_nobody(memory / "home", code)
    assert done.stdout.startswith("The store cannot write"), done.stderr
    assert "Permission denied. Check the disk's space and the folder's permissions" in done.stdout
    check_whole(memory / "home").close()


def test_a_store_that_becomes_read_only_can_be_looked_at(home):
    """As when a system mounts a disk read-only after an error of it."""
    store = Store.open(home)
    store._db._connection().execute("PRAGMA query_only = ON")
    assert store.list_variants(study_of(store))
    with pytest.raises(StoreError, match=r"it cannot be written to\. Check the folder"):
        store.add_variant(study_of(store), OTHER)


@pytest.mark.parametrize("years", [10, -10])
def test_a_clock_that_is_set_deletes_nothing_that_lives_and_reorders_nothing(
    home, monkeypatch, years
):
    store = Store.open(home)
    first = store.add_variant(study_of(store), OTHER)
    run = store.queue_run("variants", "Before", study_id=study_of(store), variant_ids=[first.id])
    jump = years * 365 * 86_400
    real = time.time

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(real() + jump, tz or UTC)

    monkeypatch.setattr(base, "datetime", Later)
    monkeypatch.setattr(housekeeping.time, "time", lambda: real() + jump)
    other = Store.open(home)
    later = other.queue_run("variants", "After", study_id=study_of(other))
    assert [r.id for r in other.list_runs()] == [later.id, run.id]
    assert [r.id for r in other.next_queued_runs(5)] == [run.id, later.id]
    kept = set(other.artifacts.keys())
    with store.artifacts._workspace.writing():
        prepared = store.artifacts._workspace.prepare_folder({"a": b"a"})
        unseen = store.files.write(b"an upload whose record comes in a moment")
        assert other.collect_garbage() == 0, "nothing goes while somebody writes"
        Store.open(home)
        assert prepared.exists()
        assert store.files.has(unseen)
    other.collect_garbage()
    assert set(other.artifacts.keys()) == kept
    check_whole(home)


def test_a_writer_is_noticed_across_processes_and_a_dead_one_is_not(home):
    store = Store.open(home)
    code = (
        "import sys, time; from optimizer.store import Store\n"
        "store = Store.open()\n"
        "with store._workspace.writing():\n"
        "    store._workspace.prepare_folder({'a': b'a'})\n"
        "    print('ready', flush=True); time.sleep(600)"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "FEATHERWEIGHT_HOME": str(home)},
        stdout=subprocess.PIPE,
    )
    try:
        assert writer.stdout.readline() == b"ready\n"
        Store.open(home)
        assert len(list((home / "tmp").iterdir())) == 1
    finally:
        writer.kill()
        writer.wait()
    store = Store.open(home)
    assert list((home / "tmp").iterdir()) == []
    store.close()


def test_the_log_of_a_run_survives_a_full_disk_when_its_oldest_lines_go(home, monkeypatch):
    """Its end is written over its beginning, which needs no space."""
    store = Store.open(home)
    for number in range(12):
        store.append_log("ab12", f"{number} " + "x" * 100_000)
    text = store.read_log("ab12")
    assert text.startswith("(earlier lines were dropped)\n")
    assert text.splitlines()[-1].startswith("11 x")
    (home / "logs" / "ab12.log").unlink()
    (home / "logs" / "ab12.log").mkdir()
    assert "cannot be read: Is a directory" in store.read_log("ab12")
    with pytest.raises(StoreError, match="Is a directory"):
        store.append_log("ab12", "text")
