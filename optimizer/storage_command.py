"""``python -m optimizer storage``: what takes space in the store, and freeing it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from optimizer.errors import InputError
from optimizer.format import format_bytes
from optimizer.quotas import LIMITS, Quotas
from optimizer.store import SpaceUse, Store

DAY_SECONDS = 24 * 3600.0
USUAL_AGE_DAYS = 1.0
"""Younger uploads may be somebody's study in the making, younger results of a run that ended."""
_MOST_DAYS = 10_000
PARTS = ("cache", "uploads", "logs", "temporary", "database")
"""What can be freed without deleting a study."""


def storage(free: str | None, older_than_days: float, *, as_json: bool) -> int:
    """Print what takes space; free a part of it first, where asked for. Exit code 0.

    Args:
        free: one of :data:`PARTS`, or ``None``.
        older_than_days: of cached results and uploads, only those that are older.
        as_json: print JSON.

    Raises:
        InputError: the age is no number of days.
        QuotaError: the disk has no room for compacting the database.
    """
    if not 0 <= older_than_days <= _MOST_DAYS:
        raise InputError(
            f"--older-than is a number of days from 0 to {_MOST_DAYS:,}; received "
            f"{older_than_days!r}."
        )
    store = Store.open()
    freed = None
    if free is not None:
        expected, release = freeing(store, free, DAY_SECONDS * older_than_days)
        print(f"{free}: {format_bytes(expected)} to be freed", file=sys.stderr, flush=True)
        freed = release()
    use = store.space_use()
    if as_json:
        print(json.dumps(as_record(store.home, use, store.limits(), freed), indent=2))
        return 0
    if freed is not None:
        print(f"Freed {format_bytes(freed)}.\n")
    print(space_text(store.home, use, store.limits()))
    return 0


def freeing(
    store: Store, part: str, older_than_seconds: float, use: SpaceUse | None = None
) -> tuple[int, Callable[[], int]]:
    """How many bytes freeing a part would give back, and what frees it and says how many it did.

    Args:
        store: whose space it is.
        part: one of :data:`PARTS`.
        older_than_seconds: of cached results and uploads, only those that are older.
        use: what takes space now, where it is known already.
    """
    if part == "cache":
        return store.freed_by_cache(older_than_seconds), lambda: store.free_cache(
            older_than_seconds
        )
    if part == "uploads":
        old = [item for item in store.unused_uploads(older_than_seconds) if not item.busy]
        return store.freed_by_uploads(old), lambda: store.delete_uploads(old)
    use = use or store.space_use()
    if part == "logs":
        return use.dead_logs_bytes, store.free_logs
    if part == "temporary":
        return use.stray_bytes, store.free_temporary
    return use.database_spare_bytes, store.compact_database


def as_record(home: Path, use: SpaceUse, limits: Quotas, freed: int | None) -> dict[str, Any]:
    """What ``--json`` prints: sizes in bytes, limits as :class:`Quotas` has them."""
    known = asdict(use)
    return {
        "schema": 1,
        "home": str(home),
        "total_bytes": use.total_bytes,
        **known,
        "limits": asdict(limits),
        "freed_bytes": freed,
    }


def space_text(home: Path, use: SpaceUse, limits: Quotas) -> str:
    """What takes space, in a table for a terminal."""
    lines = [
        f"{home}: {format_bytes(use.total_bytes)} of {format_bytes(limits.store_bytes)}; "
        f"{format_bytes(use.disk_free_bytes)} free on the disk, of which "
        f"{format_bytes(limits.free_bytes)} have to stay",
        "",
        *(f"{name:30} {format_bytes(size):>10}" for name, size in use.kinds.items()),
        "",
        f"{'study':40} {'variants':>8} {'its own':>10} {'shared':>10} {'uploads':>10}",
    ]
    lines += [
        f"{item.name[:40]:40} {item.variant_count:>8,} {format_bytes(item.own_bytes):>10} "
        f"{format_bytes(item.shared_bytes):>10} {format_bytes(item.upload_bytes):>10}"
        f"{'  busy' if item.busy else ''}"
        for item in use.studies
    ]
    counts = {"studies": len(use.studies), "unused_uploads": len(use.unused_uploads)}
    lines += [
        "",
        *(
            f"{LIMITS[name].title}: {count:,} of {getattr(limits, name):,}"
            for name, count in counts.items()
        ),
        f"Can be freed: logs of deleted runs {format_bytes(use.dead_logs_bytes)}, left-over "
        f"temporary files {format_bytes(use.stray_bytes)}, gaps in the database "
        f"{format_bytes(use.database_spare_bytes)}",
    ]
    return "\n".join(lines)
