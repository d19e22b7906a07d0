"""Stage results as folders of files, named by their content key.

``artifacts/<first two digits>/<key>/`` holds the files and ``meta.json``, which lists every
file's SHA-256 and size. A folder appears under its key only when it is whole; writers of the
same key may race, and the first one stays.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optimizer.errors import InputError
from optimizer.store.database import StoreError
from optimizer.store.durable import (
    Workspace,
    checked_sha256,
    flush_folder,
    hashes_below,
    make_folder,
    remove,
    size_of,
    storage_faults,
)
from optimizer.store.rows import to_json

META = "meta.json"
Signature = tuple[tuple[str, int, int], ...]
"""Of each file its name, size in bytes and time of change in nanoseconds."""
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}", re.ASCII)


class Artifacts:
    """The stage results of one store."""

    def __init__(self, root: Path, workspace: Workspace) -> None:
        self.root = root
        self._workspace = workspace
        self._sizes: dict[str, int] = {}

    def has(self, key: str) -> bool:
        """Whether the result of this key is there, whole."""
        return os.path.isfile(self._folder(key) / META)

    def files(self, key: str) -> list[str]:
        """Names of the result's files, sorted; empty when there is no such result."""
        return sorted(self.listing(key)) if self.has(key) else []

    def path(self, key: str, file: str) -> Path:
        """Where a file is or would be. Its content is not checked; see :meth:`read`."""
        return self._folder(key) / _checked_name(file)

    def read(self, key: str, file: str) -> bytes:
        """A file's content, checked against its hash.

        Raises:
            StoreError: the result or the file is missing, or its content was changed.
        """
        _checked_name(file)
        listed = self.listing(key).get(file)
        if listed is None:
            raise StoreError(f"The stored result {key[:12]} has no file {file!r}.")
        data = self._content(key, file)
        if hashlib.sha256(data).hexdigest() != listed["sha256"]:
            raise StoreError(
                f"The stored file {file} of result {key[:12]} is damaged. Run its variant again."
            )
        return data

    def read_all(self, key: str) -> dict[str, bytes]:
        """Every file of a result, checked; file name → content."""
        return {name: self.read(key, name) for name in self.files(key)}

    def listing(self, key: str) -> dict[str, dict[str, Any]]:
        """File name → ``sha256`` and ``size_bytes``, as the writer recorded them."""
        listing: dict[str, dict[str, Any]] = self._manifest(key)["files"]
        return listing

    def meta(self, key: str) -> dict[str, Any]:
        """What the writer said about the result.

        Raises:
            StoreError: there is no such result.
        """
        return dict(self._manifest(key)["meta"])

    def size_bytes(self, key: str) -> int:
        """Bytes of the result's files; 0 when there is no such result."""
        if not self.has(key):
            return 0
        return sum(int(item["size_bytes"]) for item in self.listing(key).values())

    def verify(self, key: str) -> bool:
        """Whether the result is there and every file has the content that was written."""
        try:
            for name in self.listing(key):
                self.read(key, name)
        except (StoreError, InputError):
            return False
        return True

    def write(
        self, key: str, files: Mapping[str, bytes], meta: Mapping[str, Any] | None = None
    ) -> None:
        """Store a result as a whole; a whole one that is there already stays.

        Args:
            key: 64 hexadecimal digits.
            files: file name → content; names of letters, digits, ``_``, ``-`` and ``.``.
            meta: JSON values kept beside the files, such as the stage's seconds.

        Raises:
            InputError: an unusable key or file name.
            StoreError: the disk is full or not writable.
        """
        target = self._folder(key)
        if META in files:
            raise InputError(f"The file name {META} is the store's own; choose another.")
        manifest = {
            "key": key,
            "created_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "files": {
                _checked_name(name): {
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "size_bytes": len(data),
                }
                for name, data in files.items()
            },
            "meta": dict(meta or {}),
        }
        encoded = to_json(manifest).encode()
        with self._workspace.writing():
            prepared = self._workspace.prepare_folder({**files, META: encoded})
            try:
                self._place(prepared, key, target)
            finally:
                remove(prepared)

    def signature(self, key: str) -> Signature:
        """What changes when a file of the result is written; empty when it cannot be read."""
        try:
            found = [(e.name, e.stat()) for e in os.scandir(self._folder(key))]
        except OSError:
            return ()
        return tuple(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in found))

    def discard(self, key: str) -> None:
        """Remove a result, for example one that :meth:`verify` found damaged."""
        aside = self.set_aside(key)
        if aside is not None:
            remove(aside)

    def set_aside(self, key: str) -> Path | None:
        """Take a result out of sight at once; the caller removes the returned folder."""
        return self._workspace.set_aside(self._folder(key))

    def keys(self) -> Iterator[str]:
        """Keys of all results."""
        return hashes_below(self.root)

    def modified_at(self, key: str) -> float:
        """When the result was written or last written again, seconds since the epoch."""
        try:
            return self._folder(key).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def sizes(self) -> dict[str, int]:
        """Key → bytes that removing each result would free.

        A result never changes once it is there, so each is measured once: 50,000 of them take
        seconds the first time and some 50 ms later.
        """
        known = self._sizes
        found = {key: known.get(key) or size_of(self._folder(key)) for key in self.keys()}
        self._sizes = found
        return dict(found)

    def bytes_of(self, key: str) -> int:
        """Bytes that removing a result would free; 0 when there is none."""
        return self._sizes.get(key) or size_of(self._folder(key))

    def bytes_on_disk(self) -> int:
        """Bytes of all results."""
        return sum(self.sizes().values())

    def _place(self, prepared: Path, key: str, target: Path) -> None:
        with storage_faults(target):
            make_folder(target.parent)
            for _ in range(5):
                try:
                    os.rename(prepared, target)
                except OSError:
                    if not os.path.lexists(target):
                        raise
                    if self.verify(key):
                        os.utime(target)  # wanted again just now: not yet garbage
                        return
                    self.discard(key)
                else:
                    flush_folder(target.parent)
                    return
        raise StoreError(f"The stored result {key[:12]} cannot be replaced. Try again.")

    def _folder(self, key: str) -> Path:
        return self.root / checked_sha256(key)[:2] / key

    def _content(self, key: str, file: str) -> bytes:
        try:
            return (self._folder(key) / file).read_bytes()
        except OSError as error:
            raise StoreError(
                f"The stored file {file} of result {key[:12]} cannot be read: {error.strerror}. "
                "Run its variant again, which makes it again."
            ) from error

    def _manifest(self, key: str) -> dict[str, Any]:
        data = self._content(key, META)
        try:
            manifest: dict[str, Any] = json.loads(data)
            if not isinstance(manifest["files"], dict) or not isinstance(manifest["meta"], dict):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            raise StoreError(
                f"The stored result {key[:12]} is damaged. Run its variant again, which makes it "
                "again."
            ) from None
        return manifest


def _checked_name(file: str) -> str:
    if not _FILE_NAME.fullmatch(file) or file == META:
        raise InputError(
            "A stored file's name has letters, digits, '_', '-' and '.' only; "
            f"received {file!r:.120}."
        )
    return file
