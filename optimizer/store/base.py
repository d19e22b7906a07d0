"""What the parts of the store share: the database, the two shelves of files, and small helpers."""

from __future__ import annotations

import copy
import os
import secrets
import sqlite3
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from optimizer.errors import InputError
from optimizer.quotas import Quotas
from optimizer.settings import load_limits
from optimizer.store.artifacts import Artifacts
from optimizer.store.database import Database, StoreError
from optimizer.store.durable import Workspace, make_folder, remove, size_of, storage_faults
from optimizer.store.files import UploadedFiles
from optimizer.store.kept_variants import KeptVariants
from optimizer.store.logs import RunLogs
from optimizer.store.records import DiskUse
from optimizer.store.references import NEEDED_KEYS, UPLOADS, USED_KEYS
from optimizer.store.room import Room
from optimizer.store.rows import from_row, to_columns
from optimizer.store.scope import OWNED, Scope

R = TypeVar("R")

_NOUNS = {
    "models": "model",
    "datasets": "dataset",
    "studies": "study",
    "variants": "variant",
    "runs": "run",
}
_NAME_LENGTH = 120
"""What the engine says of itself, in the store's folder."""


def utc_now() -> str:
    """The time as a UTC ISO 8601 string with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_id() -> str:
    """A fresh random identifier, 16 hexadecimal digits."""
    return secrets.token_hex(8)


def clean_name(text: str, fallback: str) -> str:
    """One printable line of at most 120 characters, or the fallback when nothing is left."""
    printable = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in text)
    return " ".join(printable.split())[:_NAME_LENGTH].strip() or fallback


class StoreBase:
    """One store's folder and database; see :class:`optimizer.store.Store`."""

    scope: Scope | None = None
    """Which records this object shows; ``None`` shows all: the engine, the command line, and a
    server without sign-in."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with storage_faults(home):
            for name in ("tmp", "files", "artifacts", "logs"):
                make_folder(home / name)
            room = Room(home, lambda: self.disk_use().total_bytes, self.limits)
            self._workspace = Workspace(home / "tmp", room.admit)
            self._workspace.remove_stray()
        self.artifacts = Artifacts(home / "artifacts", self._workspace)
        self.files = UploadedFiles(home / "files", self._workspace)
        self._logs = RunLogs(home / "logs")
        self._db = Database(home / "featherweight.db", self._is_new)
        self._kept_variants = KeptVariants(self._db)

    def _is_new(self) -> bool:
        """Whether no upload and no result is stored yet."""
        stored = (*self.files.all_sha256(), *self.artifacts.keys())
        return not stored

    def scoped(self, scope: Scope) -> Self:
        """The same store, which shows and changes what the scope allows and nothing else."""
        other = copy.copy(self)
        other.scope = scope
        other._db = self._db.seen_through(scope.views())
        other._kept_variants = self._kept_variants.seen_through(other._db)
        if scope.study_id is not None:
            other._db.refuse_writes()
        return other

    def marker(self, name: str) -> Path:
        """A small file that remembers something for the store, or for a scope's owner alone."""
        return self.home / (f"{name}-{self._owner}" if self._owner else name)

    @property
    def _owner(self) -> str | None:
        """Whose records this object makes; ``None``: nobody's."""
        return self.scope.owner if self.scope else None

    def _require_whole(self) -> None:
        """Refuse, within a scope, what concerns everybody's work."""
        if self.scope is not None:
            raise InputError(
                "This concerns everybody's work: only whoever runs this workbench may do it."
            )

    def limits(self) -> Quotas:
        """The limits that hold for this store now.

        Raises:
            InputError: one of them cannot be used; says where it was set.
        """
        return load_limits(self.home)

    def disk_use(self) -> DiskUse:
        """Bytes by kind."""
        path = self._db.path
        database = [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]
        return DiskUse(
            database_bytes=sum(size_of(part) for part in database),
            files_bytes=self.files.bytes_on_disk(),
            artifacts_bytes=self.artifacts.bytes_on_disk(),
            logs_bytes=self._logs.bytes_on_disk() + sum(map(size_of, self.home.glob("*.log*"))),
            temporary_bytes=size_of(self.home / "tmp"),
        )

    def _get(self, kind: type[R], table: str, record_id: str) -> R:
        """One record by id, or an :class:`InputError` that says it is gone."""
        return from_row(kind, self._require(table, record_id))

    def _require(self, table: str, record_id: str) -> sqlite3.Row:
        """The row of a record that must be there."""
        row = self._db.row(f"SELECT * FROM {table} WHERE id = ?", (record_id,))  # noqa: S608
        if row is None:
            raise InputError(
                f"There is no {_NOUNS[table]} {record_id!r:.60} in the store; it may have been "
                "deleted. Go back to the list and choose another."
            )
        return row

    def _insert(self, table: str, values: Mapping[str, Any]) -> None:
        columns = to_columns(values)
        if table in OWNED:
            columns["owner"] = self._owner
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        with self._db.write() as connection:
            connection.execute(
                f"INSERT INTO main.{table} ({names}) VALUES ({marks})",  # noqa: S608
                tuple(columns.values()),
            )

    def _update(
        self, table: str, record_id: str, changes: Mapping[str, Any], allowed: frozenset[str]
    ) -> None:
        """Change columns of one record; table and column names come from the code alone."""
        unknown = set(changes) - allowed
        if unknown:
            raise TypeError(f"{table} cannot change {sorted(unknown)}; can: {sorted(allowed)}")
        if not changes:
            return
        columns = to_columns(changes)
        assignments = ", ".join(f"{name} = ?" for name in columns)
        with self._db.write() as connection:
            done = connection.execute(
                f"UPDATE main.{table} SET {assignments} "  # noqa: S608
                f"WHERE id = ? AND EXISTS (SELECT 1 FROM {table} WHERE id = ?)",
                (*columns.values(), record_id, record_id),
            )
            if done.rowcount == 0:
                self._require(table, record_id)

    def _refuse_while_active(self, condition: str, value: str, what: str) -> None:
        """Refuse a deletion while a queued or running run works on the record."""
        row = self._db.row(
            "SELECT title FROM runs WHERE state IN ('queued', 'running') "  # noqa: S608
            f"AND {condition} LIMIT 1",
            (value,),
        )
        if row is not None:
            raise InputError(
                f"The {what} cannot be deleted while “{row['title']}” is queued or running. "
                "Cancel that run first, or wait for it to finish."
            )

    def _sweep(self, keys: set[str], sha256s: set[str]) -> int:
        """Delete those of the given artifacts and files that nothing refers to; bytes freed.

        They are taken out of sight under the write lock, so that no record can come to refer
        to one meanwhile; deleting them takes its time afterwards. One that the system does not let
        go stays as garbage that can be collected later: what referred to it is deleted in any case.
        """
        aside: list[Path | None] = []
        try:
            # A commit that the disk refused half way may come back when the store is opened anew;
            # one that succeeds after it takes its place. Only then is known what is referred to.
            with self._db.write():
                pass
        except StoreError:
            return 0
        with self._db.write(durable=False, counted=False):
            for key in keys - self._referenced_keys():
                with suppress(StoreError):
                    aside.append(self.artifacts.set_aside(key))
            for sha256 in sha256s - self._referenced_files():
                with suppress(StoreError):
                    aside.append(self.files.set_aside(sha256))
        return sum(remove(path) for path in aside if path is not None)

    def _referenced_keys(self) -> set[str]:
        """Artifacts of models, datasets, variants, and of queued and running runs."""
        return {row[0] for row in self._db.rows(f"{NEEDED_KEYS} UNION {USED_KEYS}")}

    def _referenced_files(self) -> set[str]:
        return {row[0] for row in self._db.rows(UPLOADS)}

    @contextmanager
    def one_change(self) -> Iterator[None]:
        """Several changes as one: all of them are there afterwards, or none.

        Others that write wait meanwhile, so keep it short.
        """
        with self._db.write():
            yield

    def version(self) -> int:
        """A number that changes with every change of the store by any process; costs ~20 µs.

        Heartbeats and logs do not change it.
        """
        return self._db.version()

    def has_changed_since(self, version: int) -> bool:
        """Whether anything changed since :meth:`version` gave this number."""
        return self._db.version() != version

    def close(self) -> None:
        """Close this thread's connection; it opens again when needed."""
        self._db.close()


def home_folder(home: Path | None) -> Path:
    """The given folder, else ``FEATHERWEIGHT_HOME``, else ``~/.featherweight``."""
    chosen = home or Path(os.environ.get("FEATHERWEIGHT_HOME") or "~/.featherweight")
    return chosen.expanduser().absolute()
