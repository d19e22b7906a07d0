"""Stores that released versions made, opened by today's code: nothing is lost, all can be used."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import sqlite3
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from optimizer.headlines import headlines
from optimizer.recipe import Recipe
from optimizer.store import Store
from optimizer.store import schema as schema_module
from optimizer.store.archive import export_study
from optimizer.store.schema import MIGRATIONS, Step, migrate, schema_version

RELEASED = Path(__file__).parent / "released"
STORES = sorted(RELEASED.glob("schema-*.zip"))
HASHES = (
    "529d350bb5d5130f",
    "b0544ed8136d83e5",
    "06485095463ed4c2",
    "140ca36a3db11547",
    "d4563e46628db3f7",
    "5314c458c6510b13",
)
"""Of the migrations that stores of people have had, the first one first."""


def text_of(step: Step) -> str:
    return inspect.getsource(step) if callable(step) else step


def hash_of(migration: tuple[Step, ...]) -> str:
    return hashlib.sha256("\0".join(map(text_of, migration)).encode()).hexdigest()[:16]


def test_released_migrations_are_never_edited() -> None:
    now = tuple(hash_of(migration) for migration in MIGRATIONS)
    assert now[: len(HASHES)] == HASHES, (
        "A released migration was changed, but stores that had it will not have the change. Leave "
        "it as it was and add another one at the end of MIGRATIONS."
    )


def test_every_released_schema_has_a_store() -> None:
    assert [path.stem for path in STORES] == [f"schema-{n + 1}" for n in range(len(STORES))]
    assert len(STORES) >= len(HASHES)


@pytest.fixture(params=STORES, ids=lambda path: path.stem)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder of a store that an older version left."""
    with zipfile.ZipFile(request.param) as archive:
        archive.extractall(tmp_path)
    return tmp_path


@pytest.fixture
def expected(home: Path) -> dict[str, Any]:
    """What the version that made the store read from it."""
    found: dict[str, Any] = json.loads((home / "expected.json").read_text())
    return found


def same(record: Any, before: dict[str, Any]) -> bool:
    """Whether a record still says all that it said before; it may say more."""
    now = asdict(record)
    if "recipe" in before:
        assert record.recipe == Recipe.parse(before["recipe"])
        now["recipe"] = before["recipe"]
    now = json.loads(json.dumps(now))
    return {name: now[name] for name in before} == before


def all_same(records: list[Any], before: list[dict[str, Any]]) -> bool:
    return len(records) == len(before) and all(map(same, records, before))


def test_everything_is_read_as_it_was(home: Path, expected: dict[str, Any]) -> None:
    old = sqlite3.connect(home / "featherweight.db")
    assert schema_version(old) == expected["schema"]
    old.close()
    store = Store.open(home)
    assert all_same(store.list_studies(), expected["studies"])
    assert all_same(store.list_models(), expected["models"])
    assert all_same(store.list_datasets(), expected["datasets"])
    study_id = expected["studies"][0]["id"]
    assert all_same(store.list_variants(study_id), expected["variants"])
    assert all_same([store.get_run(run["id"]) for run in expected["runs"]], expected["runs"])
    for run_id, before in expected["stages"].items():
        assert all_same(store.list_stages(run_id), before)
        assert store.read_log(run_id) == expected["logs"][run_id]
        assert all_same(store.list_trials(run_id), expected["trials"].get(run_id, []))
    if expected["report"]:
        assert same(store.get_report(study_id), expected["report"])
    assert all_same(store.list_shares(study_id), expected["shares"])
    for share in expected["shares"]:
        opened = store.shared_study(share["token"])
        assert opened is not None
        assert opened.id == study_id
    store.close()


def test_the_database_is_the_same_as_a_new_one(home: Path, tmp_path: Path) -> None:
    store = Store.open(home)
    new = sqlite3.connect(":memory:", isolation_level=None)
    migrate(new, "new")
    sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema"
    found = {tuple(row) for row in store._db.rows(sql)}
    assert found == set(new.execute(sql))
    assert store._db.rows("PRAGMA integrity_check")[0][0] == "ok"
    assert store._db.rows("PRAGMA foreign_key_check") == []
    store.close()


def test_its_files_and_results_are_whole_and_kept(home: Path, expected: dict[str, Any]) -> None:
    store = Store.open(home)
    keys = {key for variant in expected["variants"] for key in variant["stages"].values()}
    assert keys
    assert store.collect_garbage(min_age_seconds=0) >= 0
    assert all(store.artifacts.verify(key) for key in keys)
    for upload in (*expected["models"], *expected["datasets"]):
        assert len(store.read_file(upload["sha256"])) == upload["size_bytes"]
    store.close()


def test_it_can_be_worked_on(home: Path, expected: dict[str, Any]) -> None:
    """What the pages ask for, and what the engine does first."""
    store = Store.open(home)
    study = store.list_studies()[0]
    before = store.list_variants(study.id)
    store.add_variants(study.id, [variant.recipe for variant in before])
    assert store.list_variants(study.id) == before, "recipes are found by their hash"
    baseline = store.baseline(study.id)
    assert baseline is not None
    done = [variant for variant in before if variant.state == "done"]
    assert all(headlines(variant, baseline) for variant in done)
    assert store.study_bytes(study.id) > 0
    assert store.disk_use().artifacts_bytes > 0
    by_title = {run["title"]: run["id"] for run in expected["runs"]}
    assert [run.id for run in store.running_runs()] == [by_title["Under way"]]
    assert [run.id for run in store.next_queued_runs(5)] == [by_title["Waiting"]]
    assert store.count_variants(by_title["Finished"]).variants == 2
    assert store.claim_run(by_title["Waiting"]) is not None
    store.update_run(by_title["Waiting"], state="done", result={"kind": "found"})
    assert store.get_run(by_title["Waiting"]).result == {"kind": "found"}
    assert store.engine_state() is not None
    written = io.BytesIO()
    export_study(store, study.id, written)
    assert written.tell() > 1000
    for run_id in by_title.values():
        store.update_run(run_id, state="done")
    assert store.delete_study(study.id) > 0
    assert store.list_studies() == []
    store.close()


def test_a_migration_that_was_edited_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    edited = ((MIGRATIONS[0][0] + " ",), *MIGRATIONS[1:])  # type: ignore[operator]
    monkeypatch.setattr(schema_module, "MIGRATIONS", edited)
    assert hash_of(schema_module.MIGRATIONS[0]) != HASHES[0]
