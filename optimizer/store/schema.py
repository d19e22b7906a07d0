"""The database's schema as a list of migrations; ``PRAGMA user_version`` counts those applied.

A released migration is never edited: a change of the schema is a new entry at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from optimizer.errors import InputError
from optimizer.recipe import Recipe

_FIRST = (
    """CREATE TABLE models (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        file_name TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        origin TEXT NOT NULL,
        facts TEXT,
        facts_key TEXT
    )""",
    "CREATE INDEX models_by_content ON models (sha256, file_name)",
    """CREATE TABLE datasets (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        file_name TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        test_share REAL NOT NULL,
        split_seed INTEGER NOT NULL,
        origin TEXT NOT NULL,
        facts TEXT,
        facts_key TEXT
    )""",
    "CREATE INDEX datasets_by_content ON datasets (sha256, file_name)",
    """CREATE TABLE studies (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        model_id TEXT NOT NULL REFERENCES models (id),
        dataset_id TEXT NOT NULL REFERENCES datasets (id),
        task TEXT NOT NULL,
        created_at TEXT NOT NULL,
        origin TEXT NOT NULL,
        archive_sha256 TEXT,
        environment TEXT
    )""",
    "CREATE INDEX studies_by_model ON studies (model_id)",
    "CREATE INDEX studies_by_dataset ON studies (dataset_id)",
    """CREATE TABLE variants (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        study_id TEXT NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
        recipe TEXT NOT NULL,
        recipe_hash TEXT NOT NULL,
        name TEXT NOT NULL,
        is_baseline INTEGER NOT NULL,
        state TEXT NOT NULL,
        error TEXT,
        results TEXT,
        stages TEXT NOT NULL,
        created_at TEXT NOT NULL,
        UNIQUE (study_id, recipe_hash)
    )""",
    "CREATE INDEX variants_by_study ON variants (study_id, seq)",
    "CREATE INDEX variants_by_state ON variants (study_id, state)",
    "CREATE UNIQUE INDEX one_baseline ON variants (study_id) WHERE is_baseline",
    """CREATE TABLE runs (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        model_id TEXT REFERENCES models (id) ON DELETE CASCADE,
        dataset_id TEXT REFERENCES datasets (id) ON DELETE CASCADE,
        study_id TEXT REFERENCES studies (id) ON DELETE CASCADE,
        variant_ids TEXT NOT NULL,
        options TEXT NOT NULL,
        state TEXT NOT NULL,
        error TEXT,
        created_at TEXT NOT NULL,
        started_at TEXT,
        finished_at TEXT,
        cancel_requested INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX runs_by_state ON runs (state, seq)",
    "CREATE INDEX runs_by_study ON runs (study_id, seq)",
    "CREATE INDEX runs_by_model ON runs (model_id)",
    "CREATE INDEX runs_by_dataset ON runs (dataset_id)",
    """CREATE TABLE run_stages (
        seq INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        name TEXT NOT NULL,
        label TEXT NOT NULL,
        variant_ids TEXT NOT NULL,
        state TEXT NOT NULL,
        fraction REAL,
        message TEXT NOT NULL,
        numbers TEXT NOT NULL,
        started_at TEXT,
        finished_at TEXT,
        seconds REAL,
        cached INTEGER NOT NULL,
        UNIQUE (run_id, key)
    )""",
    """CREATE TABLE engine (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        pid INTEGER NOT NULL,
        process_start REAL NOT NULL,
        heartbeat_at TEXT NOT NULL,
        status TEXT NOT NULL,
        detail TEXT NOT NULL
    )""",
    "CREATE TABLE changes (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), version INTEGER)",
    "INSERT INTO changes VALUES (1, 0)",
)


def _hash_recipes_anew(connection: sqlite3.Connection) -> None:
    """Recipes became hashed by what differs from their defaults, not by every field."""
    for seq, recipe in connection.execute("SELECT seq, recipe FROM variants").fetchall():
        connection.execute(
            "UPDATE variants SET recipe_hash = ? WHERE seq = ?", (Recipe.parse(recipe).hash, seq)
        )


Step = str | Callable[[sqlite3.Connection], None]
_READING_AND_OBJECTIVE = (
    "ALTER TABLE datasets ADD COLUMN options TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE studies ADD COLUMN objective TEXT NOT NULL DEFAULT '{}'",
)
_WHERE_STAGES_RUN = (
    "ALTER TABLE engine ADD COLUMN slots INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE engine ADD COLUMN workers TEXT NOT NULL DEFAULT '[]'",
)
_SEARCHES = (
    "ALTER TABLE runs ADD COLUMN result TEXT",
    """CREATE TABLE trials (
        seq INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        variant_id TEXT REFERENCES variants (id) ON DELETE SET NULL,
        choices TEXT NOT NULL,
        recipe TEXT NOT NULL,
        origin TEXT NOT NULL,
        state TEXT NOT NULL,
        figures TEXT NOT NULL,
        violations TEXT NOT NULL,
        intermediate TEXT NOT NULL,
        message TEXT NOT NULL,
        seconds REAL,
        UNIQUE (run_id, number)
    )""",
    "CREATE INDEX trials_by_variant ON trials (variant_id)",
)
_REPORTS_AND_LINKS = (
    """CREATE TABLE reports (
        study_id TEXT PRIMARY KEY REFERENCES studies (id) ON DELETE CASCADE,
        title TEXT NOT NULL,
        question TEXT NOT NULL,
        audience TEXT NOT NULL,
        choice TEXT,
        alternatives TEXT
    )""",
    """CREATE TABLE shares (
        seq INTEGER PRIMARY KEY,
        token TEXT NOT NULL UNIQUE,
        study_id TEXT NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
        created_at TEXT NOT NULL
    )""",
    "CREATE INDEX shares_by_study ON shares (study_id)",
)
_OWNERS = tuple(
    statement
    for table in ("models", "datasets", "studies")
    for statement in (
        f"ALTER TABLE {table} ADD COLUMN owner TEXT",
        f"CREATE INDEX {table}_by_owner ON {table} (owner, seq)",
    )
)
"""What was there before belongs to nobody: seen by the command line and where nobody signs in."""
_NUMBER_THE_CHANGE = """
    INSERT INTO variant_changes (study_id, changed, removed) VALUES (NEW.study_id, 1, 0)
        ON CONFLICT (study_id) DO UPDATE SET changed = changed + 1;
    UPDATE variants
        SET changed = (SELECT changed FROM variant_changes WHERE study_id = NEW.study_id)
        WHERE seq = NEW.seq;
"""
_CHANGES_OF_VARIANTS = (
    "ALTER TABLE variants ADD COLUMN changed INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX variants_by_change ON variants (study_id, changed)",
    """CREATE TABLE variant_changes (
        study_id TEXT PRIMARY KEY REFERENCES studies (id) ON DELETE CASCADE,
        changed INTEGER NOT NULL,
        removed INTEGER NOT NULL
    )""",
    "INSERT INTO variant_changes SELECT DISTINCT study_id, 0, 0 FROM variants",
    f"CREATE TRIGGER variant_added AFTER INSERT ON variants BEGIN {_NUMBER_THE_CHANGE} END",
    "CREATE TRIGGER variant_changed AFTER UPDATE OF recipe, name, state, error, results, stages "
    f"ON variants BEGIN {_NUMBER_THE_CHANGE} END",
    """CREATE TRIGGER variant_removed AFTER DELETE ON variants BEGIN
        UPDATE variant_changes SET changed = changed + 1, removed = removed + 1
            WHERE study_id = OLD.study_id;
    END""",
)
"""Each change of a study's variants has a number, so that only what changed is read again."""
MIGRATIONS: tuple[tuple[Step, ...], ...] = (
    _FIRST,
    (_hash_recipes_anew,),
    _READING_AND_OBJECTIVE,
    _WHERE_STAGES_RUN,
    _SEARCHES,
    _REPORTS_AND_LINKS,
    _OWNERS,
    _CHANGES_OF_VARIANTS,
)
"""Statements and functions that lead from schema version i to i + 1."""


def schema_version(connection: sqlite3.Connection) -> int:
    """How many migrations the database has had."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def apply(connection: sqlite3.Connection, migration: tuple[Step, ...]) -> None:
    """Execute one migration's steps."""
    for step in migration:
        if callable(step):
            step(connection)
        else:
            connection.execute(step)


def migrate(connection: sqlite3.Connection, where: str) -> None:
    """Bring the database to the newest schema, wholly or not at all.

    Args:
        connection: in autocommit mode. Safe for several processes at once: the version is
            read again under the write lock.
        where: the database's path, for the message.

    Raises:
        InputError: the database was made by a newer Featherweight.
    """
    refuse_newer(connection, where)
    if schema_version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(schema_version(connection), len(MIGRATIONS)):
            apply(connection, MIGRATIONS[number])
            connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def refuse_newer(connection: sqlite3.Connection, where: str) -> None:
    """Raise :class:`InputError` for a database that a newer Featherweight made."""
    version = schema_version(connection)
    if version > len(MIGRATIONS):
        raise InputError(
            f"The store {where} was made by a newer Featherweight: its schema is {version}, this "
            f"one knows up to {len(MIGRATIONS)}. Install the newer Featherweight, or set "
            "FEATHERWEIGHT_HOME to another folder."
        )
