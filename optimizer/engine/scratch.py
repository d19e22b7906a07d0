"""Private folders of stage processes: made, measured, and removed whatever is in them.

Each process that runs stages (an engine, a worker) has one folder for them, with a lock that
dies with it. What a dead one left is removed when the next begins.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_PREFIX, _LOCK = "featherweight-stages-", "lock"
_UNLOCKED_SECONDS = 3600.0
_LONGEST_PATH = 2000
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Scratch:
    """One process's folder for its stages' folders, mode 0700.

    Folders of processes that are dead are removed when this one is made.
    """

    def __init__(self) -> None:
        parent = Path(tempfile.gettempdir())
        remove_strays(parent)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._lock = os.open(self.path / _LOCK, flags, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # the kernel frees it at any death
        self._owner = os.getpid()
        atexit.register(self.close)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder that is gone afterwards, with everything in it."""
        made = Path(tempfile.mkdtemp(dir=self.path))
        try:
            yield made
        finally:
            remove_tree(made)

    def close(self) -> None:
        """Remove the folder; the process that made it does, not one forked from it."""
        atexit.unregister(self.close)
        if os.getpid() == self._owner and self._lock >= 0:
            remove_tree(self.path)
            os.close(self._lock)
            self._lock = -1


def remove_strays(parent: Path) -> list[Path]:
    """Remove stages' folders whose process is dead.

    Returns:
        Which ones.
    """
    removed = []
    for found in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            facts = found.lstat()
            ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
            if ours and _is_abandoned(found, facts.st_mtime):
                remove_tree(found)
                removed.append(found)
    return removed


def _is_abandoned(folder: Path, modified: float) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # being made just now, or half removed
        return time.time() - modified > _UNLOCKED_SECONDS
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def remove_tree(folder: Path) -> None:
    """Remove a folder with everything in it: links, folders without permissions, any depth.

    What is nested is moved up before it is removed, so that no depth makes a path too long.
    """
    with suppress(OSError):
        folder.chmod(0o700)
        top = os.open(folder, _FOLDER_FLAGS)
        try:
            _empty(top)
        finally:
            os.close(top)
    with suppress(OSError):
        folder.rmdir()


def _empty(top: int) -> None:
    unique, moved, waiting = secrets.token_hex(8), 0, _names(top)
    while waiting:
        name = waiting.pop()
        with suppress(OSError):
            facts = os.stat(name, dir_fd=top, follow_symlinks=False)
            if not stat.S_ISDIR(facts.st_mode):
                os.unlink(name, dir_fd=top)
                continue
            os.chmod(name, 0o700, dir_fd=top)
            inner = os.open(name, _FOLDER_FLAGS, dir_fd=top)
            try:
                for child in _names(inner):
                    if not _unlinked(child, inner):
                        moved += 1
                        os.chmod(child, 0o700, dir_fd=inner)
                        free = f".{unique}-{moved}"
                        os.rename(child, free, src_dir_fd=inner, dst_dir_fd=top)
                        waiting.append(free)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _unlinked(name: str, folder: int) -> bool:
    """Remove what is no folder; whether it was none."""
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Used:
    """What a stage has in its folder.

    Attributes:
        size_bytes: on the disk.
        files: files and folders; counting ends a little above the limit.
    """

    size_bytes: int
    files: int


def measure(folder: Path, most_files: int) -> Used:
    """What a folder holds, without following links; cheap for a folder that is nearly empty."""
    size = files = 0
    waiting = [str(folder)]
    longest = len(waiting[0]) + _LONGEST_PATH
    while waiting and files <= most_files:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                files += 1
                if files > most_files:
                    break
                if len(entry.path) > longest:  # so deep that what is below could not be counted
                    return Used(size, most_files + 1)
                with suppress(OSError):
                    size += 512 * entry.stat(follow_symlinks=False).st_blocks
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    return Used(size, files)
