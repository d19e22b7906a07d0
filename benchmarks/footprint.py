"""What a process holds: memory, files, threads; and what is left of the processes of a store."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Footprint:
    """What a process holds at a moment.

    Attributes:
        memory_mb: resident memory, in millions of bytes.
        handles: open file descriptors, sockets among them.
        threads: of the process.
        children: processes below it, of all generations.
    """

    memory_mb: float
    handles: int
    threads: int
    children: int


def footprint(pid: int) -> Footprint:
    """What a process holds now."""
    process = psutil.Process(pid)
    with process.oneshot():
        return Footprint(
            process.memory_info().rss / 1e6,
            process.num_fds(),
            process.num_threads(),
            len(process.children(recursive=True)),
        )


def processes_of(home: Path) -> list[psutil.Process]:
    """Processes that work on a store, by the environment they were started with."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            ours = process.environ().get("FEATHERWEIGHT_HOME") == str(home)
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def files_below(folder: Path) -> list[Path]:
    """Files and folders that lie directly in a folder for temporary ones."""
    return sorted(folder.iterdir()) if folder.is_dir() else []
