"""What a stage process may use at most, set as resource limits of the kernel where it has one."""

from __future__ import annotations

import errno
import resource
import sys
from dataclasses import asdict, dataclass
from typing import Any

from optimizer.settings import DEFAULT_STAGE_MINUTES

_MARGIN_BYTES = 2**30
_CPU_GRACE_SECONDS = 5


@dataclass(frozen=True)
class Limits:
    """What one stage may use.

    Attributes:
        memory_bytes: resident memory of the stage and of what it started. What its process
            asks the kernel for is bounded at 1 GiB more, at once.
        processor_seconds: processor time, of all its threads and processes together.
        file_bytes: of one file that it writes.
        scratch_bytes: of all files in its private folder, and open ones that it deleted.
        scratch_files: how many files and folders it may have there.
        open_files: files and pipes open at once, by one process.
        processes: how many it may start; 0 for none.
        threads: of each process.
        log_bytes: of what it prints; of more, the end is kept.
        result_bytes: of what it returns.
    """

    memory_bytes: int
    processor_seconds: int = DEFAULT_STAGE_MINUTES * 60
    file_bytes: int = 4 * 2**30
    scratch_bytes: int = 8 * 2**30
    scratch_files: int = 20_000
    open_files: int = 1024
    processes: int = 0
    threads: int = 1024
    log_bytes: int = 8 * 2**20
    result_bytes: int = 8 * 2**30

    def dump(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def apply_limits(limits: Limits) -> None:
    """Set the limits that the kernel itself keeps, for this process and all it starts."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, limits.open_files)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    seconds = limits.processor_seconds
    # The first one can be handled and so ignored; the second is a kill.
    _limit(resource.RLIMIT_CPU, seconds + _CPU_GRACE_SECONDS, 2 * _CPU_GRACE_SECONDS + seconds)
    if sys.platform == "linux":
        # Not the address space: TensorFlow reserves many times what it uses.
        _limit(resource.RLIMIT_DATA, limits.memory_bytes + _MARGIN_BYTES)


def _limit(kind: int, soft: int, hard: int | None = None) -> None:
    """Set a limit, or the lower one that holds already."""
    highest = resource.getrlimit(kind)[1]
    values = [soft, soft if hard is None else hard]
    if highest != resource.RLIM_INFINITY:
        values = [min(value, highest) for value in values]
    resource.setrlimit(kind, (values[0], values[1]))


def processor_sentence(limits: Limits) -> str:
    """Why a stage was ended that used too much processor time."""
    seconds = limits.processor_seconds
    amount = f"{seconds / 60:,.0f} minutes" if seconds >= 120 else f"{seconds} seconds"
    return (
        f"The stage used more than its limit of {amount} of processor time and was ended. Use "
        "fewer epochs or less data, or raise the limit on the Settings page "
        "(FEATHERWEIGHT_STAGE_MINUTES)."
    )


def file_sentence(limits: Limits) -> str:
    """Why a stage was ended that wrote a file that is too large."""
    return (
        f"The stage wrote a file of more than {_gib(limits.file_bytes)}, the limit of one file. "
        "Use a smaller model or dataset."
    )


def os_error_sentence(error: OSError, limits: Limits) -> str | None:
    """What a limit did to a stage, when its error comes from one."""
    if error.errno == errno.EFBIG:
        return file_sentence(limits)
    if error.errno == errno.EMFILE:
        return (
            f"The stage had more than {limits.open_files:,} files open at once, which is its "
            "limit. Use a model or dataset of fewer files."
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            "The disk with the folder for temporary files is full. Free some space, or point "
            "TMPDIR to a larger disk and restart the engine."
        )
    return None


def _gib(number: int) -> str:
    return f"{number / 2**30:.3g} GiB"
