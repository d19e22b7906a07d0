"""Has the machine what Featherweight needs?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from optimizer.operations.doctor.finding import Check, finding, note, ok

GIB = 2**30
NEEDED_MEMORY, NEEDED_DISK = 3 * GIB, 2 * GIB
_AHEAD = timedelta(minutes=2)
RELEASED = datetime(2026, 1, 1, tzinfo=UTC)
"""Before the first Featherweight; a clock that says less is not set."""

Port = Literal["free", "ours", "taken"]


def check_memory(total_bytes: int, limit_bytes: int | None, slots: int) -> Check:
    """Whether there is memory for the stages that run at once.

    Args:
        total_bytes: of the machine.
        limit_bytes: of the container, where there is one.
        slots: how many stages run at once.
    """
    usable = min(total_bytes, limit_bytes or total_bytes)
    said = f"{usable / GIB:.1f} GiB for {slots} stage{'s' * (slots != 1)} at once"
    if usable < NEEDED_MEMORY:
        remedy = (
            "Give the machine or the container more. TensorFlow alone takes about 0.7 GiB, a stage "
            "1.5 GiB and more."
        )
        return finding("memory", f"{said}; at least 3 GiB are needed.", remedy)
    if limit_bytes and limit_bytes < 0.8 * total_bytes:
        fitting = max(1, int(0.8 * limit_bytes / (1.5 * GIB)))
        if slots > fitting:
            remedy = (
                f"Set FEATHERWEIGHT_SLOTS={fitting} (or on Settings): the engine counts with the "
                f"machine's {total_bytes / GIB:.0f} GiB."
            )
            return finding("memory", f"{said}, by the container's limit.", remedy)
    return ok("memory", said)


def check_cores(cores: int) -> Check:
    """How many cores this process may use."""
    if cores < 2:
        return note("cores", "1: training and the pages share it, so everything takes longer")
    return ok("cores", str(cores))


def check_disk(free_bytes: int, folder: str) -> Check:
    """Whether there is room for results."""
    said = f"{free_bytes / 1e9:.1f} GB free at {folder}"
    if free_bytes < NEEDED_DISK:
        remedy = (
            "Free some space: delete studies on the Studies page, or move the store to a larger "
            "disk and set FEATHERWEIGHT_HOME."
        )
        return finding("disk", f"{said}; runs fail when it is full.", remedy)
    return ok("disk", said)


def check_clock(now: datetime, newest: datetime | None, file_seconds: float) -> Check:
    """Whether the clock can be right.

    Args:
        now: what it says.
        newest: the newest time in the store.
        file_seconds: how far the disk's clock is ahead of it, for a store on a network disk.
    """
    remedy = "Set the clock, and let it be kept right (`timedatectl set-ntp true`)."
    if now < RELEASED:
        return finding("clock", f"It says {now:%Y-%m-%d}, which is before Featherweight.", remedy)
    if newest is not None and newest > now + _AHEAD:
        said = f"The store has entries of {newest:%Y-%m-%d %H:%M} UTC, but it is {now:%H:%M} UTC"
        more = " A wrong clock shows wrong ages and lets an engine look silent."
        return finding("clock", f"{said} on {now:%Y-%m-%d}.", remedy + more)
    if abs(file_seconds) > _AHEAD.total_seconds():
        said = f"New files are {abs(file_seconds):.0f} s off the clock."
        return finding("clock", said, "Keep the store on a local disk, or set the server's clock.")
    return ok("clock", f"{now:%Y-%m-%d %H:%M} UTC")


def check_port(port: int, state: Port) -> Check:
    """Whether the app can listen where it is to.

    Args:
        port: on loopback.
        state: ``ours`` when a Streamlit app answers there.
    """
    if state == "free":
        return ok("port", f"{port} is free")
    if state == "ours":
        return ok("port", f"an app answers on {port}")
    remedy = f"Take another one: `make run PORT={port + 100}`."
    return finding("port", f"{port} is taken by another program.", remedy)
