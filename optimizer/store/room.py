"""Whether there is room for more bytes in a store: its own limit, and what its disk has left."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from optimizer.quotas import QuotaError, Quotas
from optimizer.store.durable import storage_faults

_AGE_SECONDS = 10.0
_SHARE = 0.02
"""Of the time, at most so much goes into measuring the store."""


class Room:
    """The door that every file passes on its way into a store.

    How large the store is, is measured again when the last measure is ten seconds old, or older
    where measuring takes long; meanwhile what this process keeps is added. So processes that
    write at the same time can exceed the limit by what they write in that time, and no refusal
    rests on an old measure.

    Args:
        home: the store's folder.
        measure: the bytes that the store has now.
        limits: those that hold now.
    """

    def __init__(
        self, home: Path, measure: Callable[[], int], limits: Callable[[], Quotas]
    ) -> None:
        self._home, self._measure, self._limits = home, measure, limits
        self._lock = threading.Lock()
        self._held_bytes = 0
        self._good_until = 0.0

    def admit(self, size_bytes: int) -> None:
        """Make room for so many bytes more.

        Raises:
            QuotaError: there is none; says what to do.
            StoreError: the store's folder is not there any more.
        """
        limits = self._limits()
        with storage_faults(self._home):
            disk = os.statvfs(self._home)
        limits.check_free(self._home, disk.f_bavail * disk.f_frsize, size_bytes)
        with self._lock:
            if time.monotonic() >= self._good_until:
                self._measure_now()
            try:
                limits.check_store(self._held_bytes, size_bytes)
            except QuotaError:
                self._measure_now()
                limits.check_store(self._held_bytes, size_bytes)
            self._held_bytes += size_bytes

    def _measure_now(self) -> None:
        started = time.monotonic()
        self._held_bytes = self._measure()
        ended = time.monotonic()
        self._good_until = ended + max(_AGE_SECONDS, (ended - started) / _SHARE)
