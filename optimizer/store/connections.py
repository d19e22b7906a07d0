"""SQLite connections, one to a thread; that of a thread that ended is the next one's.

A page of the app is drawn in a thread of its own. Python closes the connection of a thread that
ended only when it next collects garbage, and SQLite keeps its file open beyond that while others
of the process have the file open. So each is used again.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_IDLE = 4


@dataclass(frozen=True)
class _Held:
    """A connection, the process that opened it, and the file that it opened."""

    connection: sqlite3.Connection
    process_id: int
    file: tuple[int, int] | None


class Connections:
    """The connections of one database, of all threads of this process.

    Args:
        path: the database's file.
        connect: opens a connection, which threads may hand to each other.
    """

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path, self._connect = path, connect
        self._local = threading.local()
        self._idle: deque[_Held] = deque()
        self._inherited: list[_Held] = []

    def own(self) -> sqlite3.Connection:
        """This thread's connection, opened when it has none.

        Raises:
            sqlite3.Error: it cannot be opened.
        """
        lease: _Lease | None = getattr(self._local, "lease", None)
        if lease is None or lease.held.process_id != os.getpid():
            lease = self._local.lease = _Lease(self._taken() or self._opened(), self._idle)
        return lease.held.connection

    def close(self) -> None:
        """Close this thread's connection and those that no thread has."""
        self._local.lease = None
        while (held := _popped(self._idle)) is not None:
            self._close(held)

    def _opened(self) -> _Held:
        return _Held(self._connect(), os.getpid(), self._file())

    def _taken(self) -> _Held | None:
        """One that no thread has, of the file that is there now."""
        while (held := _popped(self._idle)) is not None:
            if held.process_id == os.getpid() and held.file == self._file():
                return held
            self._close(held)
        return None

    def _close(self, held: _Held) -> None:
        if held.process_id == os.getpid():
            held.connection.close()
        else:
            self._inherited.append(held)  # it came over a fork and is the parent's: left alone

    def _file(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


class _Lease:
    """What a thread has of a connection: it ends with the thread."""

    def __init__(self, held: _Held, idle: deque[_Held]) -> None:
        self.held, self._idle = held, idle

    def __del__(self) -> None:
        if len(self._idle) < _IDLE or self.held.process_id != os.getpid():
            self._idle.append(self.held)
        else:
            self.held.connection.close()


def _popped(idle: deque[_Held]) -> _Held | None:
    """The last one, which no other thread gets then."""
    try:
        return idle.pop()
    except IndexError:
        return None
