"""Log files of bounded size that several processes may write at once."""

from __future__ import annotations

import fcntl
import logging
import os
import sys
from pathlib import Path

FILE_BYTES = 5_000_000
OLD_FILES = 3
"""A log takes at most ``FILE_BYTES * (OLD_FILES + 1)``, 20 MB, on disk."""


class LogFile(logging.Handler):
    """Appends records to a file, mode 0600; a full one becomes ``….1``, that one ``….2``, ….

    The file is opened for each record: the app's servers, the engine and the command line may
    share one, and none of them goes on writing into a file that another one has renamed.

    Args:
        path: the file.
        file_bytes: at which it is full.
        old_files: how many full ones are kept.
    """

    def __init__(
        self, path: Path, file_bytes: int = FILE_BYTES, old_files: int = OLD_FILES
    ) -> None:
        super().__init__()
        self.path = path
        self._file_bytes, self._old_files = file_bytes, old_files

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. A full disk must not end what is only being logged."""
        try:
            self._write(self.format(record).encode() + b"\n")
        except OSError as error:
            print(f"The log {self.path} cannot be written: {error.strerror}.", file=sys.stderr)
        except Exception:
            self.handleError(record)

    def _write(self, line: bytes) -> None:
        lock = os.open(
            self.path.with_name(f"{self.path.name}.lock"),
            os.O_CREAT | os.O_RDWR | os.O_CLOEXEC,
            0o600,
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                full = self.path.stat().st_size + len(line) > self._file_bytes
            except FileNotFoundError:
                full = False
            if full:
                self._rotate()
            flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
            with open(os.open(self.path, flags, 0o600), "wb", buffering=0) as file:
                file.write(line)
        finally:
            os.close(lock)

    def _rotate(self) -> None:
        for number in range(self._old_files - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self.path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def tail(path: Path, size_bytes: int) -> str:
    """The last whole lines of a file, of about so many bytes; empty when it is not there."""
    try:
        with open(path, "rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - size_bytes)
            file.seek(start)
            content = file.read()
    except OSError:
        return ""
    if start:
        content = content.partition(b"\n")[2] or content
    return content.decode(errors="replace")
