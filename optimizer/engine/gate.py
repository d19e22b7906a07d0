"""A gate between what may run side by side and what has to have a machine to itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from optimizer.errors import CancelledError

_POLL_SECONDS = 0.05


class Gate:
    """Lets any number through together, or one alone.

    Who wants to be alone is let in when those inside have left; nobody else enters meanwhile,
    so that a stream of others cannot keep it waiting for ever.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._alone_wanted = 0
        self._alone = False

    @contextmanager
    def together(self, cancelled: threading.Event) -> Iterator[None]:
        """Be inside beside others.

        Raises:
            CancelledError: ``cancelled`` was set while waiting.
        """
        with self._changed:
            self._wait(cancelled, lambda: not (self._alone or self._alone_wanted))
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self, cancelled: threading.Event) -> Iterator[None]:
        """Be inside with nobody else.

        Raises:
            CancelledError: ``cancelled`` was set while waiting.
        """
        with self._changed:
            self._alone_wanted += 1
            try:
                self._wait(cancelled, lambda: not (self._alone or self._inside))
                self._alone = True
            finally:
                self._alone_wanted -= 1
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()

    def _wait(self, cancelled: threading.Event, free: Callable[[], bool]) -> None:
        while not free():
            if cancelled.is_set():
                raise CancelledError("Cancelled.")
            self._changed.wait(_POLL_SECONDS)
