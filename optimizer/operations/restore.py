"""Restoring a backup into an empty folder."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from optimizer.errors import InputError
from optimizer.operations.backup_file import DATABASE, Manifest, Report, read_backup
from optimizer.store import StoreError
from optimizer.store.artifacts import META
from optimizer.store.durable import flush_folder, make_folder, storage_faults
from optimizer.store.references import NEEDED_KEYS, UPLOADS, texts
from optimizer.store.schema import MIGRATIONS, apply, refuse_newer, schema_version

_SPARE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Restored:
    """A store that was restored.

    Attributes:
        studies: how many it has.
        waiting: runs that were queued or under way; the next engine goes on with them.
        missing: what was missing already when the backup was made.
    """

    home: Path
    manifest: Manifest
    studies: int
    waiting: int
    missing: tuple[str, ...]


def restore(source: Path, home: Path, report: Report = lambda text: None) -> Restored:
    """Make a store of a backup, wholly or not at all.

    Args:
        source: the backup's file.
        home: the store's folder; missing or empty.
        report: told how far it is.

    Raises:
        InputError: the backup cannot be used, or the folder is not empty.
        StoreError: the disk is full or not writable.
    """
    home = home.expanduser().absolute()
    _refuse_occupied(home)
    try:
        size = source.stat().st_size
        file = open(source, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InputError(f"Cannot read {source}: {error.strerror}.") from None
    with file, storage_faults(home):
        make_folder(home)
        free = shutil.disk_usage(home).free
        if size + _SPARE_BYTES > free:
            raise StoreError(
                f"The store takes {size / 1e6:.0f} MB, and {home} has {free / 1e6:.0f} MB free. "
                "Free some space, or restore to another disk."
            )
        staging = home / f"restoring-{secrets.token_hex(4)}"
        try:
            staging.mkdir(mode=0o700)
            manifest = read_backup(file, _Unpacked(staging), report)
            report("Checking the database.")
            studies, waiting = _check(staging, manifest)
            os.sync()
            _place(staging, home)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return Restored(home, manifest, studies, waiting, tuple(manifest.missing))


def _refuse_occupied(home: Path) -> None:
    if home.exists() and not home.is_dir():
        raise InputError(f"{home} is not a folder. Name another one with --home.")
    there = sorted(entry.name for entry in os.scandir(home)) if home.is_dir() else []
    there = [name for name in there if name != "lost+found"]
    if there:
        raise InputError(
            f"The folder {home} is not empty: it has {there[0]!r:.80}"
            f"{f' and {len(there) - 1} more' if len(there) > 1 else ''}. A backup is restored "
            "into an empty one only: name it with --home, or move that folder away first."
        )


class _Unpacked:
    """Writes a backup's files below a folder. Their names were checked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, pieces: Iterator[bytes]) -> None:
        """Write one file."""
        path = self._folder / name
        for parent in reversed(path.relative_to(self._folder).parents):
            (self._folder / parent).mkdir(mode=0o700, exist_ok=True)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        with open(os.open(path, flags, 0o600), "wb") as file:
            for piece in pieces:
                file.write(piece)


def _check(staging: Path, manifest: Manifest) -> tuple[int, int]:
    """Whether the database is one of ours, and all that it refers to is there.

    Returns:
        How many studies there are, and how many runs are to be gone on with.

    Raises:
        InputError: it is not.
    """
    folders = _results(staging, manifest)
    try:
        with closing(sqlite3.connect(staging / DATABASE, isolation_level=None)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            refuse_newer(database, "in the backup")
            _check_structure(database)
            if database.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                raise _damaged("its database is damaged")
            if database.execute("PRAGMA foreign_key_check").fetchone():
                raise _damaged("records in its database refer to others that are not there")
            needed = {f"artifacts/{key[:2]}/{key}" for key in texts(database, NEEDED_KEYS)}
            needed |= {f"files/{sha256[:2]}/{sha256}" for sha256 in texts(database, UPLOADS)}
            lost = sorted(needed - folders - set(manifest.files) - set(manifest.missing))
            if lost:
                raise _damaged(f"{lost[0]!r:.120} is missing")
            studies = database.execute("SELECT count(*) FROM studies").fetchone()[0]
            waiting = database.execute(
                "SELECT count(*) FROM runs WHERE state IN ('queued', 'running')"
            ).fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise _damaged(f"its database cannot be read ({error})") from None
    return int(studies), int(waiting)


def _check_structure(database: sqlite3.Connection) -> None:
    """Exactly the tables and indexes of its schema's version: no view, no trigger, nothing else.

    Raises:
        InputError: there is more or less.
    """
    structure = "SELECT type, name, tbl_name, sql FROM sqlite_schema"
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as ours:
        for migration in MIGRATIONS[: schema_version(database)]:
            apply(ours, migration)
        differing = set(ours.execute(structure)) ^ set(database.execute(structure))
    if differing:
        raise _damaged(f"its database's {min(str(row[1]) for row in differing)!r:.80} is not ours")


def _results(staging: Path, manifest: Manifest) -> set[str]:
    """The folders of results, each with exactly the files that it lists.

    Raises:
        InputError: one is not whole.
    """
    there: dict[str, dict[str, tuple[str, int]]] = {}
    for name, listed in manifest.files.items():
        if name.startswith("artifacts/"):
            folder, _, file = name.rpartition("/")
            there.setdefault(folder, {})[file] = listed
    for folder, files in there.items():
        files.pop(META, None)
        try:
            content = json.loads((staging / folder / META).read_bytes())["files"]
            wanted = {name: (item["sha256"], item["size_bytes"]) for name, item in content.items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise _damaged(f"{folder!r:.120} does not say what it holds") from None
        if wanted != files:
            raise _damaged(f"{folder!r:.120} does not hold what it says")
    return set(there)


def _place(staging: Path, home: Path) -> None:
    """Move everything to its place, the database last: with it the folder is a store."""
    names = sorted(entry.name for entry in os.scandir(staging))
    for name in sorted(names, key=lambda name: name == DATABASE):
        os.rename(staging / name, home / name)
    flush_folder(home)


def _damaged(reason: str) -> InputError:
    return InputError(
        f"This backup cannot be used: {reason}. Take another backup; nothing was changed."
    )
