"""What keeps a process from doing harm, applied before it sees a byte that was uploaded.

Each protection is set where the kernel has it; :mod:`optimizer.engine.protections` says which
hold on this machine, by trying what is forbidden.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optimizer.confinement import filter, kernel, landlock
from optimizer.confinement.limits import Limits, apply_limits

__all__ = ["Limits", "confine"]


problems: dict[str, str] = {}
"""Protection → why this process could not have it."""


def confine(limits: Limits, folder: Path) -> None:
    """Confine this process and all it starts, for good, as far as the kernel can.

    Args:
        limits: what it may use; where ``processes`` is 0 it can start none.
        folder: the only one it may write to.
    """
    apply_limits(limits)
    if sys.platform != "linux":
        return
    with _if_possible("privileges"):
        kernel.control(kernel.SET_NO_NEW_PRIVILEGES, 1)
    if not kernel.is_known():
        problems["filter"] = f"system calls of {kernel.machine()} are not known here"
        return
    starts = limits.processes > 0
    with _if_possible("landlock"):
        landlock.restrict(folder, measures=starts)
    with _if_possible("privileges"):
        kernel.drop_capabilities()
    with _if_possible("filter"):
        filter.restrict_calls(may_start_processes=starts)


@contextmanager
def _if_possible(protection: str) -> Iterator[None]:
    """A stage runs without what the kernel does not have, and remembers why."""
    try:
        yield
    except OSError as error:
        problems[protection] = error.strerror or str(error)
