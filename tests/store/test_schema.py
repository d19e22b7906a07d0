"""Migrations from every version there was, and a refusal of those there will be."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from optimizer.errors import InputError
from optimizer.store import Store, StoreError
from optimizer.store import schema as schema_module
from optimizer.store.schema import MIGRATIONS, apply, migrate, schema_version

from .building import build_study, rows


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def structure(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    return set(connection.execute("SELECT type, name, sql FROM sqlite_schema"))


@pytest.mark.parametrize("version", range(len(MIGRATIONS)))
def test_every_older_version_reaches_the_newest_schema(tmp_path: Path, version: int) -> None:
    newest, old = connect(tmp_path / "newest.db"), connect(tmp_path / "old.db")
    migrate(newest, "newest")
    for number in range(version):
        apply(old, MIGRATIONS[number])
    old.execute(f"PRAGMA user_version = {version}")
    migrate(old, "old")
    assert schema_version(old) == len(MIGRATIONS)
    assert structure(old) == structure(newest)


def test_recipes_of_the_first_version_are_found_by_their_new_hash(store: Store) -> None:
    study = build_study(store)
    connection = store._db._connection()
    connection.execute("UPDATE variants SET recipe_hash = 'of old ' || seq")
    later = {"datasets": ["options"], "studies": ["objective"], "engine": ["slots", "workers"]}
    later["runs"] = ["result"]
    for table in ("models", "datasets", "studies"):
        connection.execute(f"DROP INDEX {table}_by_owner")
        later.setdefault(table, []).append("owner")
    for trigger in ("added", "changed", "removed"):
        connection.execute(f"DROP TRIGGER variant_{trigger}")
    connection.execute("DROP INDEX variants_by_change")
    later["variants"] = ["changed"]
    for table in ("trials", "reports", "shares", "variant_changes"):
        connection.execute(f"DROP TABLE {table}")
    for table, columns in later.items():
        for column in columns:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    connection.execute("PRAGMA user_version = 1")
    store.close()
    newer = Store.open(store.home)
    before = newer.list_variants(study.id)
    newer.add_variants(study.id, [variant.recipe for variant in before])
    assert newer.list_variants(study.id) == before


def test_a_migration_keeps_what_was_stored(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    study = build_study(store)
    added = ("ALTER TABLE studies ADD COLUMN remark TEXT", "CREATE TABLE more (id INTEGER)")
    monkeypatch.setattr(schema_module, "MIGRATIONS", (*MIGRATIONS, added))
    newer = Store.open(store.home)
    assert newer.get_study(study.id) == study
    assert newer.list_variants(study.id) == store.list_variants(study.id)
    assert newer._db.row("SELECT remark FROM studies")[0] is None
    assert schema_version(newer._db._connection()) == len(MIGRATIONS) + 1


def test_a_migration_that_fails_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_study(store)
    before = rows(store)
    broken = ("CREATE TABLE more (id INTEGER)", "INSERT INTO nowhere VALUES (1)")
    monkeypatch.setattr(schema_module, "MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(StoreError, match="does not hold what it should"):
        Store.open(store.home)
    assert rows(store) == before
    assert schema_version(store._db._connection()) == len(MIGRATIONS)


def test_a_newer_store_is_refused_and_left_alone(store: Store) -> None:
    newer = len(MIGRATIONS) + 1
    store._db._connection().execute(f"PRAGMA user_version = {newer}")
    store._db.row("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    before = (store.home / "featherweight.db").read_bytes()
    with pytest.raises(InputError, match=f"its schema is {newer}, this one knows up to") as refusal:
        Store.open(store.home)
    assert "FEATHERWEIGHT_HOME" in str(refusal.value)
    assert (store.home / "featherweight.db").read_bytes() == before
