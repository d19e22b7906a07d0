"""A store: each thing that can be wrong is broken, found, and a remedy is named."""

from __future__ import annotations

import os
import shutil

import pytest

from optimizer.operations.doctor import store as stores
from optimizer.store.schema import MIGRATIONS
from tests.operations.doctor.building import change, says


def test_a_sound_store(home):
    assert [stores.check_database(home).level, stores.check_results(home).level] == ["ok"] * 2
    assert [stores.check_stray(home).level] == ["ok"]
    assert stores.check_permissions(home, os.getuid()).level == "ok"


def test_no_store_yet(tmp_path):
    assert stores.check_database(tmp_path).level == "note"
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database(home):
    path = home / "featherweight.db"
    data = bytearray(path.read_bytes())
    data[8192:40_000] = b"\xff" * (40_000 - 8192)
    path.write_bytes(data)
    found = stores.check_database(home)
    assert says(found, "damaged", "restore FILE") or says(found, "cannot be read", "restore FILE")
    path.write_bytes(b"something else" * 1000)
    assert says(stores.check_database(home), "cannot be read", "move")


def test_records_that_refer_to_nothing(home):
    change(home, "UPDATE studies SET model_id = 'gone'")
    assert says(stores.check_database(home), "refer to nothing", "restore FILE")


def test_other_schemas(home):
    change(home, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    assert says(stores.check_database(home), "this version knows up to", "Install")
    change(home, f"PRAGMA user_version = {len(MIGRATIONS) - 1}")
    older = stores.check_database(home)
    assert older.level == "note"
    assert "backup before" in older.text


def test_missing_and_damaged_results(home):
    meta = next((home / "artifacts").glob("*/*/meta.json"))
    file = next(path for path in meta.parent.iterdir() if path != meta)
    content = file.read_bytes()
    file.write_bytes(content + b"x")
    found = stores.check_results(home)
    assert says(found, f"1 of 14 results are missing or damaged: {meta.parent.name[:12]}", "again")
    file.write_bytes(content)
    shutil.rmtree(meta.parent)
    assert says(stores.check_results(home), "1 of 14")
    upload = next((home / "files").glob("*/*"))
    upload.write_bytes(b"other")
    assert says(stores.check_results(home), upload.name[:12], "bring these models")
    upload.unlink()
    assert says(stores.check_results(home), "1 uploaded files")


def test_stray_files_are_noted(home):
    (home / "notes.txt").write_text("x")
    (home / "files" / "ab").mkdir(exist_ok=True)
    (home / "files" / "ab" / ("ab" * 32)).write_bytes(b"x" * 2_000_000)
    (home / "tmp" / ("a" * 32)).write_text("left")
    (home / "engine.log.1").write_text("ours")
    found = stores.check_stray(home)
    assert found.level == "note"
    assert "0 results and 1 uploads (2 MB) unused" in found.text
    assert "1 temporary files" in found.text
    assert "not ours: notes.txt" in found.text


@pytest.mark.parametrize("name", ["", "featherweight.db", "artifacts", "files"])
def test_what_others_could_read(home, name):
    mode = (home / name).stat().st_mode
    (home / name).chmod(mode | 0o044)
    assert says(stores.check_permissions(home, os.getuid()), "Others may reach", "chmod -R go=")
    assert says(stores.check_permissions(home, os.getuid() + 1), "another user", "chown -R")
