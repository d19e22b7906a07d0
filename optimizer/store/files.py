"""Uploaded bytes, kept under their SHA-256: ``files/<first two digits>/<sha256>``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from optimizer.store.database import StoreError
from optimizer.store.durable import Workspace, checked_sha256, hashes_below, size_of


class UploadedFiles:
    """The uploaded files of one store; equal bytes are kept once."""

    def __init__(self, root: Path, workspace: Workspace) -> None:
        self.root = root
        self._workspace = workspace

    def write(self, data: bytes) -> str:
        """Keep ``data``; returns its SHA-256 as 64 hexadecimal digits."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        try:
            if path.read_bytes() == data:
                os.utime(path)  # wanted again just now: not yet garbage
                return sha256
        except OSError:
            pass  # not there yet, or unreadable: written anew
        self._workspace.place_file(data, path)
        return sha256

    def has(self, sha256: str) -> bool:
        """Whether these bytes are there."""
        return os.path.isfile(self.path(sha256))

    def path(self, sha256: str) -> Path:
        """Where the bytes are or would be."""
        return self.root / checked_sha256(sha256)[:2] / sha256

    def read(self, sha256: str) -> bytes:
        """The bytes, checked against their hash.

        Raises:
            StoreError: they are missing or were changed.
        """
        try:
            data = self.path(sha256).read_bytes()
        except OSError as error:
            raise StoreError(
                f"The uploaded file {sha256[:12]} cannot be read: {error.strerror}. "
                "Upload it again, which puts it back in its place."
            ) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(f"The uploaded file {sha256[:12]} is damaged. Upload it again.")
        return data

    def set_aside(self, sha256: str) -> Path | None:
        """Take the bytes out of sight at once; the caller removes the returned file."""
        return self._workspace.set_aside(self.path(sha256))

    def all_sha256(self) -> Iterator[str]:
        """Hashes of all files kept."""
        return hashes_below(self.root)

    def modified_at(self, sha256: str) -> float:
        """When the bytes were last brought, seconds since the epoch."""
        try:
            return self.path(sha256).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def bytes_on_disk(self) -> int:
        """Bytes of all files kept."""
        return size_of(self.root)
