"""Which engine works on a store: whoever holds its lock.

The kernel frees a lock at any death of its holder, so this is true whatever clocks, recycled
process ids or old records say.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from optimizer.errors import FeatherweightError
from optimizer.store.durable import storage_faults

LOCK_FILE = "engine.lock"
_PATIENCE_SECONDS = 1.0
"""Who looks whether the lock is held holds it for microseconds; an engine tries again that long."""


class EngineRunningError(FeatherweightError):
    """Another engine works on this store already."""


class EngineLock:
    """``with EngineLock(home):`` holds a store for this engine, and says which process has it.

    Raises:
        EngineRunningError: another engine holds it.
        StoreError: the lock file cannot be written.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / LOCK_FILE
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        with storage_faults(self._path):
            self._file = self._path.open("a+")
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _try_lock(self._file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                self._file.close()
                raise EngineRunningError("Another engine works on this store already.")
            time.sleep(0.02)
        with storage_faults(self._path):
            self._file.truncate(0)
            self._file.write(f"{os.getpid()}\n")
            self._file.flush()

    def __exit__(self, *_: object) -> None:
        assert self._file is not None
        self._file.close()


def is_held(home: Path) -> bool:
    """Whether an engine works on the store now."""
    try:
        with (home / LOCK_FILE).open("r") as file:
            return not _try_lock(file, fcntl.LOCK_SH)
    except OSError:
        return False  # no engine ever worked here, or nobody can


def holder(home: Path) -> int | None:
    """The process id of the engine that works on the store; ``None`` when none does."""
    if not is_held(home):
        return None
    with suppress(OSError, ValueError):
        return int((home / LOCK_FILE).read_text())
    return None


def started_at(pid: int) -> float:
    """When a process started, in seconds after the machine did; tells it from a later one with its
    id. Unlike a time of day it stays the same when the clock is set. 0 when there is none.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        pass
    with suppress(psutil.Error):  # macOS has no /proc, and keeps a process's start for good
        return float(psutil.Process(pid).create_time())
    return 0.0


def _try_lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
