"""A database that is damaged, emptied or older than it says: found, and said."""

import os
import shutil
import sqlite3

import pytest

from optimizer.store import Store, StoreError
from tests.faults.damage import RESTORE, overwrite, read_everything
from tests.faults.writing import check_whole, study_of
from tests.store.building import listing


def database(home):
    return home / "featherweight.db"


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
