"""Is the store whole, readable and closed to others? Looks only: nothing in it is changed."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from optimizer.bundled import MARKER
from optimizer.errors import InputError
from optimizer.operations.doctor.finding import Check, finding, note, ok, some
from optimizer.store import StoreError
from optimizer.store.artifacts import Artifacts
from optimizer.store.durable import Workspace, size_of
from optimizer.store.files import UploadedFiles
from optimizer.store.references import NEEDED_KEYS, UPLOADS, USED_KEYS, texts
from optimizer.store.schema import MIGRATIONS, schema_version

DATABASE = "featherweight.db"
_KNOWN = frozenset({"artifacts", "files", "logs", "tmp", "settings.json", "lost+found", MARKER})
_KNOWN_STARTS, _KNOWN_END = ("featherweight.", "engine.", "app."), ".lock"
_BACKUP = "Restore a backup (`python -m optimizer restore FILE --home NEW`)"


@contextmanager
def opened(home: Path) -> Iterator[sqlite3.Connection]:
    """A store's database, for reading; it is neither made nor brought up to date.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    uri = f"{(home / DATABASE).absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)) as database:
        database.execute("PRAGMA query_only = ON")
        yield database


def check_database(home: Path) -> Check:
    """Whether the database opens, is whole, and has a schema that this version knows."""
    if not (home / DATABASE).is_file():
        return note("store", f"There is none at {home} yet; the first start makes it.")
    try:
        with opened(home) as database:
            schema = schema_version(database)
            faults = [str(row[0]) for row in database.execute("PRAGMA integrity_check(5)")]
            orphans = database.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.Error as error:
        remedy = f"{_BACKUP}, or move {home / DATABASE} away to begin anew."
        return finding("store", f"Its database cannot be read: {error}.", remedy)
    if faults != ["ok"] or orphans:
        said = some(faults) if faults != ["ok"] else f"{len(orphans)} records refer to nothing"
        return finding("store", f"Its database is damaged: {said}.", f"{_BACKUP}.")
    if schema > len(MIGRATIONS):
        remedy = "Install the Featherweight that made it, or set FEATHERWEIGHT_HOME to another."
        said = f"Its schema is {schema}; this version knows up to {len(MIGRATIONS)}."
        return finding("store", said, remedy)
    if schema < len(MIGRATIONS):
        said = f"schema {schema}; it becomes {len(MIGRATIONS)} when it is opened next"
        return note("store", f"{said}. Take a backup before (docs/upgrading.md).")
    return ok("store", f"{home}, schema {schema}, whole")


def check_results(home: Path) -> Check:
    """Whether every upload and result that the records refer to has the content it had."""
    artifacts, files = _shelves(home)
    with opened(home) as database:
        keys, uploads = set(texts(database, NEEDED_KEYS)), set(texts(database, UPLOADS))
    lost_uploads = [sha256 for sha256 in sorted(uploads) if not _is_whole(files, sha256)]
    lost = [key for key in sorted(keys) if not artifacts.verify(key)]
    if lost_uploads:
        said = f"{len(lost_uploads)} uploaded files are missing or damaged: "
        remedy = f"{_BACKUP}, or bring these models and data again."
        return finding("results", said + some([sha[:12] for sha in lost_uploads]) + ".", remedy)
    if lost:
        said = f"{len(lost)} of {len(keys)} results are missing or damaged: "
        remedy = f"Run their variants again, which makes them anew. Else: {_BACKUP}."
        return finding("results", said + some([key[:12] for key in lost]) + ".", remedy)
    return ok("results", f"all {len(keys)} and {len(uploads)} uploads are whole")


def check_stray(home: Path) -> Check:
    """What lies in the store's folder and nothing refers to."""
    artifacts, files = _shelves(home)
    with opened(home) as database:
        keys = set(texts(database, f"{NEEDED_KEYS} UNION {USED_KEYS}"))
        uploads = set(texts(database, UPLOADS))
    idle = [key for key in artifacts.keys() if key not in keys]  # noqa: SIM118
    unused = [sha256 for sha256 in files.all_sha256() if sha256 not in uploads]
    stale = Workspace(home / "tmp").strays()
    foreign = sorted(
        entry.name
        for entry in os.scandir(home)
        if entry.name not in _KNOWN
        and not entry.name.startswith(_KNOWN_STARTS)
        and not entry.name.endswith(_KNOWN_END)
    )
    parts = []
    if idle or unused:
        size = sum(map(artifacts.size_bytes, idle)) + sum(size_of(files.path(u)) for u in unused)
        parts.append(f"{len(idle)} results and {len(unused)} uploads ({size / 1e6:.0f} MB) unused")
    if stale:
        parts.append(f"{len(stale)} temporary files of writers that died; the next start goes")
    if foreign:
        parts.append(f"not ours: {some(foreign)}")
    return note("stray files", "; ".join(parts)) if parts else ok("stray files", "none")


def check_permissions(home: Path, user: int) -> Check:
    """Whether nobody else can read the store.

    Args:
        home: the store's folder.
        user: the id of who runs this.
    """
    inside = ("", DATABASE, "artifacts", "files", "logs", "tmp", "engine.log", "app.log")
    there = [home / name for name in inside if (home / name).exists()]
    found = {path: path.stat() for path in there}
    foreign = [path for path, at in found.items() if at.st_uid != user]
    if foreign:
        remedy = f"Start it as that user, or `chown -R \"$(id -un)\" '{home}'`."
        said = f"{some([str(path) for path in foreign])} belongs to another user."
        return finding("permissions", said, remedy)
    wide = [path for path, at in found.items() if stat.S_IMODE(at.st_mode) & 0o077]
    if wide:
        said = f"Others may reach {some([str(path) for path in wide])}."
        return finding("permissions", said, f"`chmod -R go= '{home}'`.")
    return ok("permissions", "nobody else can read it")


def newest_time(home: Path) -> str | None:
    """The newest time that the store's records give, UTC ISO 8601."""
    with opened(home) as database:
        row = database.execute(
            "SELECT max(at) FROM (SELECT max(created_at) AS at FROM runs UNION ALL "
            "SELECT max(finished_at) FROM runs UNION ALL SELECT max(created_at) FROM variants "
            "UNION ALL SELECT max(heartbeat_at) FROM engine)"
        ).fetchone()
    return str(row[0]) if row and row[0] else None


def _shelves(home: Path) -> tuple[Artifacts, UploadedFiles]:
    workspace = Workspace(home / "tmp")
    return Artifacts(home / "artifacts", workspace), UploadedFiles(home / "files", workspace)


def _is_whole(files: UploadedFiles, sha256: str) -> bool:
    try:
        files.read(sha256)
    except (StoreError, InputError):
        return False
    return True
