"""Looks at a running stage again and again, and says when it uses more than it was given."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from optimizer.confinement import Limits
from optimizer.confinement.limits import processor_sentence
from optimizer.engine.messages import Message
from optimizer.engine.scratch import measure
from optimizer.errors import StageError

_LOOK_SECONDS, _LOOK_AT_FILES_SECONDS = 0.05, 0.25
_RESERVE_BYTES = 256 * 2**20
"""What a stage that writes files leaves free on their disk."""
_MOST_COUNTED = 300
_KEPT_LOG_BYTES = 64 * 2**10
_NO_PROCESS = (psutil.NoSuchProcess, psutil.AccessDenied)


class MemoryExceededError(StageError):
    """A stage used more memory than it was given."""


class Watch:
    """Watches one stage's process and what it started.

    Args:
        hello: the first thing that the stage's process said.
        limits: what it may use.
        folder: its private folder.
        log: descriptor of the file that it prints to.

    Attributes:
        peak_memory_bytes: the most resident memory that was seen.
        processor_seconds: processor time used, when it was last looked at.
    """

    def __init__(self, hello: Message, limits: Limits, folder: Path, log: int) -> None:
        self._hello, self._limits, self._folder, self._log = hello, limits, folder, log
        self._next_look = self._next_look_at_files = 0.0
        self.peak_memory_bytes = 0
        self.processor_seconds = 0.0

    def look(self) -> None:
        """Look, unless that was only just done.

        Raises:
            MemoryExceededError: it holds more memory than its limit.
            StageError: it uses more than another limit.
        """
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        processes = list(self._processes())
        self._check_memory(processes)
        self._check_processor(processes)
        self._check_count(processes)
        self._bound_log()
        if now >= self._next_look_at_files:
            self._next_look_at_files = now + _LOOK_AT_FILES_SECONDS
            self._check_files(processes)

    def _processes(self) -> Iterator[psutil.Process]:
        with suppress(*_NO_PROCESS):
            yield psutil.Process(self._hello.process_id)
        if self._hello.may_start:
            for process_id in _below(self._hello.process_id):
                with suppress(*_NO_PROCESS):
                    yield psutil.Process(process_id)

    def _check_memory(self, processes: list[psutil.Process]) -> None:
        used = sum(_resident(process) for process in processes)
        if used > self._limits.memory_bytes and len(processes) > 1:
            used = sum(_proportional(process) for process in processes)
        self.peak_memory_bytes = max(self.peak_memory_bytes, used)
        if used > self._limits.memory_bytes:
            raise MemoryExceededError(
                f"The stage used {used / 2**30:.1f} GiB of memory, more than its limit of "
                f"{self._limits.memory_bytes / 2**30:.1f} GiB. Try a smaller batch size or a "
                "smaller model."
            )

    def _check_processor(self, processes: list[psutil.Process]) -> None:
        seconds = 0.0
        for process in processes:
            with suppress(*_NO_PROCESS):
                times = process.cpu_times()
                seconds += times.user + times.system
                seconds += times.children_user + times.children_system
        self.processor_seconds = max(self.processor_seconds, seconds)
        if seconds > self._limits.processor_seconds:
            raise StageError(processor_sentence(self._limits))

    def _check_count(self, processes: list[psutil.Process]) -> None:
        if len(processes) - 1 > self._limits.processes:
            raise StageError(
                f"The stage started more than {self._limits.processes} processes and was ended. "
                "The file it read may be a hostile one; do not use it."
            )
        for process in processes:
            with suppress(*_NO_PROCESS):
                if process.num_threads() > self._limits.threads:
                    raise StageError(
                        f"The stage started more than {self._limits.threads:,} threads and was "
                        "ended. The file it read may be a hostile one; do not use it."
                    )

    def _bound_log(self) -> None:
        size = os.fstat(self._log).st_size
        if size > self._limits.log_bytes:
            end = os.pread(self._log, _KEPT_LOG_BYTES, size - _KEPT_LOG_BYTES)
            os.ftruncate(self._log, 0)  # it is opened to append, so the stage goes on from there
            os.write(self._log, b"(The log became too long; its beginning is left out.)\n" + end)

    def _check_files(self, processes: list[psutil.Process]) -> None:
        limits = self._limits
        used = measure(self._folder, limits.scratch_files)
        if used.files > limits.scratch_files:
            raise StageError(
                f"The stage made more than {limits.scratch_files:,} files in its private folder "
                "and was ended. Use a model or dataset of fewer files."
            )
        size = used.size_bytes + sum(_deleted_bytes(process, self._log) for process in processes)
        if size > limits.scratch_bytes:
            raise StageError(
                f"The stage wrote more than {limits.scratch_bytes / 2**30:.3g} GiB of temporary "
                "files and was ended. Use a smaller model or dataset."
            )
        if size > _RESERVE_BYTES and shutil.disk_usage(self._folder).free < _RESERVE_BYTES:
            raise StageError(
                f"The stage wrote {size / 2**30:.1f} GiB of temporary files, and the disk of "
                f"{self._folder.parent.parent} is full. Free some space there, or point TMPDIR to "
                "a larger disk and restart the engine."
            )


def _below(process_id: int) -> list[int]:
    """The processes that one started, and those that these did; a few hundred at most.

    Linux lists them for each thread, which costs far less than a look at all processes.
    """
    found: list[int] = []
    waiting = [process_id]
    while waiting and len(found) < _MOST_COUNTED:
        folder = Path(f"/proc/{waiting.pop()}/task")
        with suppress(OSError):
            for task in folder.iterdir():
                children = [int(text) for text in (task / "children").read_text().split()]
                waiting += children
                found += children
    if not found and not Path("/proc/self/task").exists():
        with suppress(*_NO_PROCESS):
            found = [p.pid for p in psutil.Process(process_id).children(recursive=True)]
    return found


def _resident(process: psutil.Process) -> int:
    with suppress(*_NO_PROCESS):
        return int(process.memory_info().rss)
    return 0


def _proportional(process: psutil.Process) -> int:
    """Resident bytes, of which those that several processes share are divided by their number."""
    with suppress(*_NO_PROCESS):
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.uss))
    return 0


def _deleted_bytes(process: psutil.Process, log: int) -> int:
    """What files take on the disk that are open and have no name any more."""
    size, counted = 0, {os.fstat(log).st_ino}
    with suppress(OSError):
        for entry in Path(f"/proc/{process.pid}/fd").iterdir():
            with suppress(OSError):
                facts = entry.stat()
                if stat.S_ISREG(facts.st_mode) and not facts.st_nlink:
                    size += 0 if facts.st_ino in counted else 512 * facts.st_blocks
                    counted.add(facts.st_ino)
    return size
