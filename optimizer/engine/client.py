"""The app's side of the engine: is one alive, and start one when not."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from optimizer.engine.lock import holder, is_held, started_at
from optimizer.errors import FeatherweightError
from optimizer.logs.events import event
from optimizer.logs.files import tail
from optimizer.logs.lines import readable
from optimizer.logs.setup import log_path, stderr_path
from optimizer.store import Store
from optimizer.store.base import utc_now
from optimizer.store.records import EngineState

COMMAND = (sys.executable, "-m", "optimizer.engine")
"""What starts an engine."""
_RETRY_SECONDS = 20.0
_SILENT_SECONDS = 60.0
_LOG_TAIL = 4000
_last_start: dict[Path, float] = {}
_last_beat: dict[Path, tuple[str, float]] = {}
"""Home → the engine's last sign of life, and when this process first saw it by its own clock."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineStatus:
    """How the engine is, for a person.

    Attributes:
        status: ``ready`` takes work at once; ``warming`` is importing TensorFlow (some 15 s);
            ``failed`` did not start, or does nothing any more; ``off`` is switched off by
            ``FEATHERWEIGHT_NO_ENGINE=1``; ``absent``: none lives, and nobody tried to start one.
        detail: a short phrase, or the end of the engine's log when it failed.
    """

    status: Literal["starting", "warming", "ready", "stopping", "failed", "off", "absent"]
    detail: str = ""


def ensure_engine(store: Store) -> EngineStatus:
    """The engine's status; starts one, detached from this process, when none is alive.

    Cheap when one is alive: one read of the store and one look at its lock. A store that cannot
    be written is no error here, since what is in it can still be looked at: ``failed`` says so.

    Raises:
        StoreError: the store cannot be read.
    """
    known = engine_status(store)
    if known.status != "absent":
        return known
    waited = time.monotonic() - _last_start.get(store.home, -_RETRY_SECONDS)
    if waited < _RETRY_SECONDS:
        return EngineStatus("failed", _log_tail(store.home))
    try:
        return _start(store)
    except (FeatherweightError, OSError) as error:
        reason = f"{error.strerror or error}." if isinstance(error, OSError) else str(error)
        return EngineStatus(
            "failed",
            f"The engine cannot be started in {store.home}: {reason} What is stored can be looked "
            "at; nothing new is computed until the folder can be written to.",
        )


def engine_status(store: Store) -> EngineStatus:
    """The engine's status, as it is: none is started."""
    found = _status(store)
    if found is not None:
        return found
    return EngineStatus("off" if os.environ.get("FEATHERWEIGHT_NO_ENGINE") == "1" else "absent")


def stop_engine(store: Store, timeout_seconds: float = 10.0) -> bool:
    """Ask the engine to end, wait for it, and kill it when it does not.

    Returns:
        Whether one was alive.
    """
    _last_start.pop(store.home, None)
    pid = holder(store.home)
    if pid is None:
        state = store.engine_state()
        if state is None or not _is_starting(state):
            return False
        pid = state.pid
    event(_log, "engine_stop_asked", engine=pid)
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.send_signal(signal.SIGTERM)
        if not _ends(process, timeout_seconds):
            process.kill()
            _ends(process, timeout_seconds)
    return True


def _ends(process: psutil.Process, seconds: float) -> bool:
    """Whether a process ends in time, be it that its parent, the app, has yet to notice."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                with suppress(psutil.TimeoutExpired):
                    process.wait(0)  # so that one of our own is gone
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def _status(store: Store) -> EngineStatus | None:
    """What a living engine says of itself; ``None`` when none lives."""
    state = store.engine_state()
    if not is_held(store.home):
        starting = state is not None and _is_starting(state)
        return EngineStatus("starting") if starting else None
    if state is None or state.status == "starting":
        return EngineStatus("starting")
    silent = _silent_seconds(store.home, state)
    if silent > _SILENT_SECONDS:
        return EngineStatus(
            "failed",
            f"The engine (process {holder(store.home)}) lives and has said nothing for "
            f"{silent:.0f} s: it is stopped or hangs. Restart it on the Settings page; runs under "
            "way go on from their last finished stage.",
        )
    return EngineStatus(state.status, state.detail)


def _silent_seconds(home: Path, state: EngineState) -> float:
    """How long the engine's sign of life has been the same, by this process's own clock: times
    of day that two processes read do not agree when the clock is set between them.
    """
    now = time.monotonic()
    seen, since = _last_beat.get(home, ("", now))
    if seen != state.heartbeat_at:
        seen, since = state.heartbeat_at, now
    _last_beat[home] = (seen, since)
    return now - since


def _is_starting(state: EngineState) -> bool:
    """Whether the very process that is said to start still lives, and has no lock yet."""
    with suppress(psutil.Error):
        if psutil.Process(state.pid).status() == psutil.STATUS_ZOMBIE:
            return False
    started = started_at(state.pid)
    same = started > 0 and abs(started - state.process_start) < 1.0
    return state.status == "starting" and same


def _start(store: Store) -> EngineStatus:
    with _one_starter_at_a_time(store.home):
        found = _status(store)  # another process may have been faster
        if found is not None:
            return found
        _last_start[store.home] = time.monotonic()
        environment = {**os.environ, "FEATHERWEIGHT_HOME": str(store.home)}
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        with open(os.open(stderr_path(store.home), flags, 0o600), "wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command
                COMMAND,
                cwd=Path(__file__).parents[2],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        event(_log, "engine_started", engine=process.pid)
        started = started_at(process.pid)
        store.set_engine_state(EngineState(process.pid, started, utc_now(), "starting"))
        return EngineStatus("starting")


@contextmanager
def _one_starter_at_a_time(home: Path) -> Iterator[None]:
    with (home / "engine.start").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _log_tail(home: Path) -> str:
    """The end of the engine's log in words, and what it printed before it could log."""
    logged = readable(tail(log_path(home, "engine"), _LOG_TAIL))
    return "\n".join(part for part in (logged, tail(stderr_path(home), _LOG_TAIL)) if part)
