"""Backing a store up into one file, while the engine and the app go on working."""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from optimizer import __version__
from optimizer.errors import InputError
from optimizer.operations.backup_file import (
    DATABASE,
    MAX_SMALL_BYTES,
    PIECE,
    SMALL,
    Manifest,
    Report,
    Writer,
    read_backup,
)
from optimizer.store import Store, StoreError, utc_now
from optimizer.store.artifacts import META
from optimizer.store.durable import flush_folder, storage_faults
from optimizer.store.references import NEEDED_KEYS, UPLOADS, USED_KEYS, texts
from optimizer.store.schema import schema_version

_ATTEMPTS = 5
_SPARE_BYTES = 64 * PIECE


class _DeletedMeanwhileError(Exception):
    """Somebody deleted what the snapshot refers to, so a new snapshot is needed."""


@dataclass(frozen=True)
class Backup:
    """A backup that was written and read again.

    Attributes:
        missing: what the store should have had and had not, or not whole; empty in a sound one.
    """

    path: Path
    size_bytes: int
    files: int
    missing: tuple[str, ...]


def back_up(store: Store, target: Path, report: Report = lambda text: None) -> Backup:
    """Write everything a store holds into one file.

    The database is copied as it is at one moment, and with it the uploads and results that it
    refers to. The file is read again and compared before it gets its name.

    Args:
        store: which may be in use.
        target: the file; it must not be there yet.
        report: told how far it is.

    Raises:
        InputError: the target cannot be used.
        StoreError: the disk is full, or the store cannot be read.
    """
    target = target.expanduser().absolute()
    if target.exists():
        raise InputError(f"{target} is there already. Name another file, or move that one away.")
    if not target.parent.is_dir():
        raise InputError(f"There is no folder {target.parent}. Make it, or name another file.")
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _attempt(store, target, report)
        except _DeletedMeanwhileError:
            report("A study was deleted meanwhile; beginning again.")
            if attempt == _ATTEMPTS:
                break
    raise StoreError(
        f"Studies were deleted during each of {_ATTEMPTS} attempts. Back up when less is going on."
    )


def _attempt(store: Store, target: Path, report: Report) -> Backup:
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    snapshot = store.home / "tmp" / secrets.token_hex(16)
    try:
        store.snapshot(snapshot)
        with storage_faults(target), _new_file(partial) as file:
            _check_space(store, target.parent, snapshot)
            manifest = _write(store, snapshot, file, report)
            file.flush()
            os.fsync(file.fileno())
            report("Reading it again.")
            read_backup(file, report=report)
            size = file.seek(0, io.SEEK_END)
        with storage_faults(target):
            os.replace(partial, target)
            flush_folder(target.parent)
    finally:
        partial.unlink(missing_ok=True)
        snapshot.unlink(missing_ok=True)
    return Backup(target, size, len(manifest.files), tuple(manifest.missing))


def _write(store: Store, snapshot: Path, file: BinaryIO, report: Report) -> Manifest:
    with closing(sqlite3.connect(snapshot, isolation_level=None)) as database:
        schema = schema_version(database)
        needed, uploads = set(texts(database, NEEDED_KEYS)), sorted(texts(database, UPLOADS))
        used = set(texts(database, USED_KEYS)) - needed
        runs = sorted(texts(database, "SELECT id FROM runs"))
    manifest = Manifest(schema, __version__, utc_now())
    copy = _Copy(store, Writer(file), manifest, report)
    copy.add(DATABASE, snapshot)
    for name in _small_files(store.home):
        copy.add_now(name, store.home / name)
    for run in runs:
        copy.add_now(f"logs/{run}.log", store.home / "logs" / f"{run}.log")
    for sha256 in uploads:
        copy.add_upload(sha256)
    for key in sorted(needed):
        copy.add_artifact(key)
    for key in sorted(used):
        if store.artifacts.has(key):
            copy.add_artifact(key)
    copy.finish()
    return manifest


def _check_space(store: Store, folder: Path, snapshot: Path) -> None:
    """Refuse at once what cannot fit.

    Raises:
        StoreError: the disk has not room enough.
    """
    used = store.disk_use()
    at_most = snapshot.stat().st_size + used.files_bytes + used.artifacts_bytes
    free = shutil.disk_usage(folder).free
    if at_most + _SPARE_BYTES > free:
        raise StoreError(
            f"The backup takes up to {at_most / 1e6:.0f} MB, and {folder} has "
            f"{free / 1e6:.0f} MB free. Free some space, or name a file on another disk."
        )


def _small_files(home: Path) -> list[str]:
    """Settings and the like."""
    return sorted(
        entry.name
        for entry in os.scandir(home)
        if SMALL.fullmatch(entry.name)
        and entry.is_file(follow_symlinks=False)
        and entry.stat().st_size <= MAX_SMALL_BYTES
    )


class _Copy:
    """Adds the parts of a store to a backup, each found whole before."""

    def __init__(self, store: Store, writer: Writer, manifest: Manifest, report: Report) -> None:
        self._store, self._writer, self._manifest = store, writer, manifest
        self._report, self._told, self._bytes = report, time.monotonic(), 0

    def add(self, name: str, path: Path) -> tuple[str, int] | None:
        """Add a file as it is, if it is there; its SHA-256 and size."""
        try:
            with open(path, "rb") as source:
                size = os.fstat(source.fileno()).st_size
                added = self._manifest.files[name] = self._writer.add(name, source, size)
        except FileNotFoundError:
            return None
        self._bytes += size
        if time.monotonic() - self._told > 2:
            self._told = time.monotonic()
            self._report(f"{self._bytes / 1e6:.0f} MB copied")
        return added

    def add_now(self, name: str, path: Path) -> None:
        """Add a small file that may change while it is read, as it is at this moment."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return
        self._manifest.files[name] = self._writer.add(name, io.BytesIO(content), len(content))

    def add_upload(self, sha256: str) -> None:
        """Add an uploaded file."""
        path, name = self._store.files.path(sha256), f"files/{sha256[:2]}/{sha256}"
        if _sha256(path) == sha256:
            self._surely(self.add(name, path), sha256)
        elif sha256 in self._store.in_use()[1]:
            self._manifest.missing.append(name)
        else:
            raise _DeletedMeanwhileError

    def add_artifact(self, key: str) -> None:
        """Add a stage's result, or say that it is missing."""
        artifacts, folder = self._store.artifacts, f"artifacts/{key[:2]}/{key}"
        listing = self._whole(key)
        if listing is not None:
            for file, sha256 in listing.items():
                self._surely(self.add(f"{folder}/{file}", artifacts.path(key, file)), sha256)
            if self.add(f"{folder}/{META}", artifacts.root / key[:2] / key / META) is None:
                raise _DeletedMeanwhileError
        elif key in self._store.in_use()[0]:
            self._manifest.missing.append(folder)
        else:
            raise _DeletedMeanwhileError

    def finish(self) -> None:
        """Add the list of files."""
        self._writer.finish(self._manifest)

    @staticmethod
    def _surely(added: tuple[str, int] | None, sha256: str) -> None:
        """A file that was whole a moment ago has gone, or has become another one."""
        if added is None or added[0] != sha256:
            raise _DeletedMeanwhileError

    def _whole(self, key: str) -> dict[str, str] | None:
        """A result's files and their SHA-256 if it is whole, without having one in memory."""
        artifacts = self._store.artifacts
        try:
            listing = {name: str(item["sha256"]) for name, item in artifacts.listing(key).items()}
            paths = {name: artifacts.path(key, name) for name in listing}
        except (StoreError, InputError):
            return None
        whole = all(_sha256(paths[name]) == sha256 for name, sha256 in listing.items())
        return listing if whole else None


def _sha256(path: Path) -> str:
    """Of a file's content; nothing when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
    except OSError:
        return ""
    return digest.hexdigest()


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file for this user only, to write and to read again."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w+b", closefd=True) as file:
        yield file
