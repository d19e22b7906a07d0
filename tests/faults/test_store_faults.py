"""A store whose files are damaged, or that is full or read-only: found, and said."""

import errno
import os
import shutil
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
from tests.faults.damage import overwrite
from tests.faults.writing import OTHER, check_whole, make_home, study_of


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
