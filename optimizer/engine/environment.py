"""The machine and the versions that a study's numbers come from."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from optimizer import __version__
from optimizer.keys import library_versions


def describe_environment(threads: int) -> dict[str, Any]:
    """Versions and hardware, for a report: nothing that names a person, a host or a path.

    Args:
        threads: processor threads that each stage had.
    """
    return {
        "featherweight": __version__,
        "python": platform.python_version(),
        **library_versions(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "cores": psutil.cpu_count(),
        "threads": threads,
        "memory_bytes": psutil.virtual_memory().total,
        "date": datetime.now(UTC).date().isoformat(),
    }


def processor_name() -> str:
    """The processor's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
