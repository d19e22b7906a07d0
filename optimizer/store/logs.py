"""The log of each run: one text file, of bounded size, whose oldest lines go first."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from optimizer.errors import InputError
from optimizer.store.durable import size_of, storage_faults

LOG_BYTES = 1024 * 1024
_RUN_ID = re.compile(r"[0-9a-f]{1,64}", re.ASCII)


class RunLogs:
    """The logs of one store; several processes may append and read at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def append(self, run_id: str, text: str) -> None:
        """Add text; a line end is added when it has none. Not flushed to disk: it is a log."""
        line = text if text.endswith("\n") else text + "\n"
        path = self._path(run_id)
        with storage_faults(path):
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            with open(descriptor, "r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                size = file.seek(0, os.SEEK_END)
                size += file.write(line.encode(errors="replace")[-LOG_BYTES // 2 :])
                if size > LOG_BYTES:
                    file.seek(size - LOG_BYTES // 2)
                    kept = b"(earlier lines were dropped)\n" + file.read().partition(b"\n")[2]
                    # Over what is there, which a full disk has room for; then the rest goes.
                    file.seek(0)
                    file.truncate(file.write(kept))

    def read(self, run_id: str, tail_lines: int | None = None) -> str:
        """The log, or its last lines; empty when there is none, a sentence when unreadable."""
        try:
            with open(self._path(run_id), "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH)
                text = file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"(The log {self._path(run_id)} cannot be read: {error.strerror}.)\n"
        lines = text.splitlines(keepends=True)
        return "".join(lines if tail_lines is None else lines[max(0, len(lines) - tail_lines) :])

    def delete(self, run_id: str) -> int:
        """Remove a run's log, unless the system does not let it go; returns the bytes freed."""
        path = self._path(run_id)
        freed = size_of(path)
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return 0
        return freed

    def size_bytes(self, run_id: str) -> int:
        """Bytes of a run's log; 0 when there is none."""
        return size_of(self._path(run_id))

    def run_ids(self) -> list[str]:
        """Runs that have a log."""
        return sorted(path.stem for path in self.root.glob("*.log"))

    def bytes_on_disk(self) -> int:
        """Bytes of all logs."""
        return size_of(self.root)

    def _path(self, run_id: str) -> Path:
        if not _RUN_ID.fullmatch(run_id):
            raise InputError(f"There is no run {run_id!r:.60}.")
        return self.root / f"{run_id}.log"
