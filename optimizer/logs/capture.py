"""What a process prints rather than logs: native libraries, warnings, the stack of a crash.

It goes to a plain file, because a process that crashes can still write there, and from there
into the log: at once while the process lives, with the next start when it does not.
"""

from __future__ import annotations

import atexit
import faulthandler
import logging
import os
import threading
from pathlib import Path

from optimizer.logs.events import event

CAPTURE_SECONDS = 1.0
CAPTURE_BYTES = 1_000_000
_log = logging.getLogger(__name__)


def is_stream(descriptor: int, path: Path) -> bool:
    """Whether a file descriptor of this process writes to this very file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


class Capture:
    """Brings the lines of a file that this process's stderr goes to into the log.

    Args:
        path: the file, opened for appending by whoever started the process.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._one = threading.Lock()

    def start(self) -> None:
        """Log what an earlier process left, then what this one prints, until its end."""
        self.fold("left_on_stderr", logging.WARNING)
        self._empty()
        faulthandler.enable()
        threading.Thread(target=self._keep_folding, name="captured stderr", daemon=True).start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Log the rest."""
        self.fold()
        self._empty()

    def fold(self, name: str = "stderr", level: int = logging.INFO) -> None:
        """Log what is new in the file."""
        with self._one:
            try:
                with open(self.path, "rb") as file:
                    file.seek(self._read)
                    new = file.read(CAPTURE_BYTES)
            except OSError:
                return
            self._read += len(new)
        text = new.decode(errors="replace").strip()
        if text:
            event(_log, name, level=level, text=text)

    def _keep_folding(self) -> None:
        pause = threading.Event()
        while not pause.wait(CAPTURE_SECONDS):
            self.fold()
            if self._read > CAPTURE_BYTES:
                self._empty()  # bounded; what is printed in this very moment is lost

    def _empty(self) -> None:
        with self._one:
            try:
                os.truncate(self.path, 0)
            except OSError:
                return
            self._read = 0
