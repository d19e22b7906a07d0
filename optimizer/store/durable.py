"""Writing files so that they are whole or not there, also after a power cut.

Everything is written below the store's ``tmp`` folder, flushed, and renamed into place, which
POSIX makes atomic on one filesystem; then the folder that holds the new name is flushed too.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from optimizer.errors import InputError
from optimizer.store.database import READING_ONLY, StoreError

WRITERS_LOCK = "writers.lock"
_PREPARED = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def checked_sha256(value: str) -> str:
    """``value`` when it is 64 lower-case hexadecimal digits, so that it can name a file.

    Raises:
        InputError: it is anything else.
    """
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise InputError(f"A stored file's key is 64 hexadecimal digits; received {value!r:.80}.")
    return value


def make_folder(path: Path) -> Path:
    """Make a folder and those above it, for this user only, and flush their names to disk."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        flush_folder(path.parent)
    return path


def flush_folder(path: Path) -> None:
    """Make the names in a folder survive a power cut."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return  # a folder above the store that we may enter but not list
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, data: bytes) -> None:
    """Write a new file, mode 0600, and flush it."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


class Workspace:
    """The folder where files and folders are prepared before they are renamed into place.

    Who prepares something shares a lock, which the kernel frees at any death. When nobody holds
    it, whatever lies in the folder was left by a writer that was killed: no clock has to say so.

    Args:
        root: the folder.
        admit: told how many bytes are to be written, and refuses when there is no room.
    """

    def __init__(self, root: Path, admit: Callable[[int], None] = lambda size_bytes: None) -> None:
        self.root = root
        self._admit = admit
        self._reading_only = False

    def refuse_writes(self) -> None:
        """Refuse to prepare or to take away any file from now on."""
        self._reading_only = True

    def new_path(self) -> Path:
        """A fresh name on the store's filesystem; nothing exists there yet.

        Raises:
            InputError: after :meth:`refuse_writes`.
        """
        if self._reading_only:
            raise InputError(READING_ONLY)
        return self.root / secrets.token_hex(16)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While inside, nothing that is prepared or not yet referred to is taken for a stray."""
        if self._reading_only:
            raise InputError(READING_ONLY)
        with self._lock(fcntl.LOCK_SH):
            yield

    @contextmanager
    def nobody_writes(self) -> Iterator[bool]:
        """Whether nobody is in :meth:`writing`; if so, nobody enters it meanwhile."""
        try:
            with self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB):
                yield True
        except BlockingIOError:
            yield False

    @contextmanager
    def _lock(self, kind: int) -> Iterator[None]:
        path = self.root.parent / WRITERS_LOCK
        with storage_faults(path):
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)

    def place_file(self, data: bytes, target: Path) -> None:
        """Put ``data`` at ``target`` as a whole, replacing what was there.

        Raises:
            QuotaError: there is no room for it.
        """
        prepared = self.new_path()
        self._admit(len(data))
        with self.writing(), storage_faults(target):
            try:
                write_file(prepared, data)
                make_folder(target.parent)
                os.replace(prepared, target)
                flush_folder(target.parent)
            finally:
                prepared.unlink(missing_ok=True)

    def prepare_folder(self, files: Mapping[str, bytes]) -> Path:
        """A flushed folder with these files, to be renamed by the caller, who is writing.

        Raises:
            QuotaError: there is no room for them.
        """
        prepared = self.new_path()
        self._admit(sum(len(data) for data in files.values()))
        with storage_faults(prepared):
            try:
                prepared.mkdir(mode=0o700)
                for name, data in files.items():
                    write_file(prepared / name, data)
                flush_folder(prepared)
            except BaseException:
                shutil.rmtree(prepared, ignore_errors=True)
                raise
        return prepared

    def set_aside(self, path: Path) -> Path | None:
        """Take a file or folder out of its place at once; ``None`` when it was not there.

        Raises:
            StoreError: the system refuses.
        """
        aside = self.new_path()
        with storage_faults(path):
            try:
                os.rename(path, aside)
            except FileNotFoundError:
                return None
        return aside

    def remove_stray(self) -> None:
        """Remove what writers that were killed left behind; other names are not ours."""
        with self.nobody_writes() as alone:
            if not alone:
                return
            for path in self._prepared():
                with suppress(OSError):  # a folder on a medium that can only be read
                    remove(path)

    def strays(self) -> list[Path]:
        """What :meth:`remove_stray` would remove: nothing while somebody writes."""
        with self.nobody_writes() as alone:
            return self._prepared() if alone else []

    def _prepared(self) -> list[Path]:
        found = list(os.scandir(self.root))
        return [Path(entry.path) for entry in found if _PREPARED.fullmatch(entry.name)]


def remove(path: Path) -> int:
    """Delete a file or folder that has been set aside; returns the bytes freed.

    What the system does not let go is a stray, which the next one to open the store clears away.
    """
    freed = size_of(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return freed


def hashes_below(root: Path) -> Iterator[str]:
    """Names that are SHA-256 in ``root/<two digits>/``; whatever else lies there is not ours."""
    for folder in sorted(root.glob("[0-9a-f][0-9a-f]")):
        try:
            names = sorted(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        yield from (name for name in names if _SHA256.fullmatch(name))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; 0 when it is not there or unreadable."""
    try:
        if not path.is_dir():
            return path.lstat().st_size
        return sum(size_of(Path(entry.path)) for entry in list(os.scandir(path)))
    except OSError:
        return 0


class storage_faults:  # noqa: N801 - reads as a statement: with storage_faults(path)
    """``with storage_faults(path):`` turns the system's errors into a :class:`StoreError`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise StoreError(
                f"The store cannot write {self.path}: {error.strerror or error}. "
                "Check the disk's space and the folder's permissions, then try again."
            ) from error
