"""SQLite for several processes and threads at once.

One connection per thread (:mod:`optimizer.store.connections`). WAL lets readers and one writer work
side by side. ``synchronous=FULL``: a commit that returned survives a power cut, which "listed
as done" has to mean; writes whose loss costs nothing (progress, heartbeats) say
``durable=False`` and skip the fsync (``NORMAL``), so that ten progress reports a second cost
no disk flush each. In both, a crash leaves the database whole.
"""

from __future__ import annotations

import copy
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optimizer.errors import FeatherweightError, InputError
from optimizer.store.connections import Connections
from optimizer.store.schema import migrate, refuse_newer

BUSY_SECONDS = 30.0
READING_ONLY = "This is a link for reading: it shows a study and changes nothing."


class StoreError(FeatherweightError, RuntimeError):
    """The store cannot be read or written: disk full, folder read-only, file damaged.

    Attributes:
        damaged: whether the database itself is, so that trying again is of no use.
    """

    def __init__(self, message: str, *, damaged: bool = False) -> None:
        super().__init__(message)
        self.damaged = damaged


RESTORE = (
    "Restore a backup of the store's folder. Or begin anew: stop Featherweight, move "
    "featherweight.db, featherweight.db-wal and featherweight.db-shm to another place, and start "
    "it again"
)
_FAULTS = {
    "SQLITE_BUSY": "another process has kept it busy for {busy:g} s. Try again; if it stays so, "
    "restart Featherweight",
    "SQLITE_LOCKED": "another process keeps it locked. Try again",
    "SQLITE_FULL": "the disk is full. Free some space and try again",
    "SQLITE_READONLY": "it cannot be written to. Check the folder's permissions",
    "SQLITE_CANTOPEN": "it cannot be opened. Check that the folder exists and is yours",
    "SQLITE_IOERR": "reading or writing it failed. Check the disk's space and health",
    "SQLITE_PERM": "it may not be opened. Check the folder's permissions",
    "SQLITE_NOMEM": "there is not enough memory. Close other programs and try again",
    "SQLITE_PROTOCOL": "other processes keep it too busy. Try again",
    "SQLITE_CORRUPT": f"it is damaged. {RESTORE}",
    "SQLITE_NOTADB": f"it is not a database. {RESTORE}",
    "SQLITE_ERROR": f"it does not hold what it should. {RESTORE}",
}
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")
_NOT_OURS = ("no such table", "no such column", "malformed JSON")
"""What SQLite's general error says when the file is at fault and not the statement."""


class Database:
    """The database file of one store.

    Args:
        path: the file; made, with mode 0600, when it is missing.
        is_new: whether nothing is stored beside it yet, so that an empty file is no loss.

    Raises:
        InputError: a newer Featherweight made it, or the filesystem cannot carry WAL.
        StoreError: it cannot be opened, or is damaged.
    """

    def __init__(self, path: Path, is_new: Callable[[], bool] = lambda: True) -> None:
        self.path = path
        self._connections = Connections(path, self._connect)
        self._reading_only = False
        self._views: tuple[str, ...] = ()
        with self._one_opener_at_a_time(), self._faults():
            self._make_file(is_new)
            connection = self._connection()
            refuse_newer(connection, str(path))
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                raise InputError(
                    f"The folder of {path} is on a filesystem that SQLite's WAL cannot use, such "
                    "as a network share. Set FEATHERWEIGHT_HOME to a folder on a local disk."
                )
            migrate(connection, str(path))

    def seen_through(self, views: tuple[str, ...]) -> Database:
        """The same database, whose connections have views: :mod:`optimizer.store.scope`."""
        other = copy.copy(self)
        other._connections = Connections(self.path, other._connect)
        other._views = views
        return other

    def refuse_writes(self) -> None:
        """Refuse every change from now on, here and in SQLite itself."""
        self._reading_only = True
        self.close()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of one SELECT."""
        with self._faults():
            return self._connection().execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of one SELECT, or ``None``."""
        with self._faults():
            found: sqlite3.Row | None = self._connection().execute(sql, values).fetchone()
        return found

    @contextmanager
    def write(self, *, durable: bool = True, counted: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its start; keep it short.

        Inside another ``write`` of the same thread it joins that one.

        Args:
            durable: whether the commit must survive a power cut.
            counted: whether those who poll :meth:`version` should notice.

        Raises:
            InputError: after :meth:`refuse_writes`.
        """
        if self._reading_only:
            raise InputError(READING_ONLY)
        connection = self._connection()
        if connection.in_transaction:
            yield connection
            return
        with self._faults():
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                if counted:
                    connection.execute("UPDATE changes SET version = version + 1")
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def version(self) -> int:
        """A number that every counted write of any thread or process changes; some 20 µs."""
        found = self.row("SELECT version FROM changes")
        return int(found[0]) if found else 0

    def spare_bytes(self) -> int:
        """Bytes that :meth:`compact` would give back: free pages, and the write-ahead log."""
        free, size = (self.row(f"PRAGMA {name}") for name in ("freelist_count", "page_size"))
        log = self.path.with_name(self.path.name + "-wal")
        waiting = log.stat().st_size if log.exists() else 0
        return (free[0] * size[0] if free and size else 0) + waiting

    def compact(self) -> None:
        """Write the database anew without free pages, and empty the write-ahead log.

        Raises:
            InputError: after :meth:`refuse_writes`.
            StoreError: another process keeps it busy, or the disk is full.
        """
        if self._reading_only:
            raise InputError(READING_ONLY)
        with self._faults():
            connection = self._connection()
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close this thread's connection and those that no thread has; they open when needed."""
        self._connections.close()

    def _connection(self) -> sqlite3.Connection:
        with self._faults():
            return self._connections.own()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        if self._views:
            connection.execute("PRAGMA temp_store = MEMORY")
            for view in self._views:
                connection.execute(view)
        connection.execute(f"PRAGMA query_only = {'ON' if self._reading_only else 'OFF'}")
        return connection

    def _make_file(self, is_new: Callable[[], bool]) -> None:
        """Make the file when it is missing. SQLite would take one that was emptied for new."""
        try:
            emptied = self.path.exists() and self.path.stat().st_size == 0 and not is_new()
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise self._cannot_open(error) from None
        if emptied:
            raise StoreError(
                f"The store {self.path}: it is empty, although results are stored beside it. "
                f"{RESTORE}.",
                damaged=True,
            )

    @contextmanager
    def _one_opener_at_a_time(self) -> Iterator[None]:
        """Changing to WAL does not wait for locks as SQL statements do, so this waits."""
        try:
            lock = open(self.path.with_suffix(".lock"), "ab")  # noqa: SIM115 - closed below
        except OSError as error:
            raise self._cannot_open(error) from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _cannot_open(self, error: OSError) -> StoreError:
        return StoreError(
            f"The store {self.path} cannot be opened: {error.strerror or error}. Check that its "
            "folder exists, is yours and can be written to; or set FEATHERWEIGHT_HOME to another."
        )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """SQLite's own errors in words; what the caller got wrong passes through."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
            if code not in _FAULTS or (
                code == "SQLITE_ERROR" and not str(error).startswith(_NOT_OURS)
            ):
                raise
            reason = _FAULTS[code].format(busy=BUSY_SECONDS)
            damaged = code in _DAMAGE
            raise StoreError(f"The store {self.path}: {reason}.", damaged=damaged) from error
