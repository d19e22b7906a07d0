"""The app's side of the engine: is one alive, and start one when not."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psutil

from optimizer.logs.events import event
from optimizer.logs.files import tail
from optimizer.logs.lines import readable
from optimizer.logs.setup import log_path, stderr_path
from optimizer.store import Store
from optimizer.store.base import utc_now
from optimizer.store.records import EngineState

_RETRY_SECONDS = 20.0
_SILENT_SECONDS = 15.0
_LOG_TAIL = 4000
_last_start: dict[Path, float] = {}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineStatus:
    """How the engine is, for a person.

    Attributes:
        status: ``ready`` takes work at once; ``warming`` is importing TensorFlow (some 15 s);
            ``failed`` did not start; ``off`` is switched off by ``FEATHERWEIGHT_NO_ENGINE=1``.
        detail: a short phrase, or the end of the engine's log when it failed.
    """

    status: Literal["starting", "warming", "ready", "stopping", "failed", "off"]
    detail: str = ""


def ensure_engine(store: Store) -> EngineStatus:
    """The engine's status; starts one, detached from this process, when none is alive.

    Cheap when one is alive: one read of the store and one look at its process.
    """
    state = store.engine_state()
    if state is not None and _is_alive(state):
        return EngineStatus(state.status, state.detail)
    if os.environ.get("FEATHERWEIGHT_NO_ENGINE") == "1":
        return EngineStatus("off")
    waited = time.monotonic() - _last_start.get(store.home, -_RETRY_SECONDS)
    if waited < _RETRY_SECONDS:
        return EngineStatus("failed", _log_tail(store.home))
    return _start(store)


def stop_engine(store: Store, timeout_seconds: float = 10.0) -> bool:
    """Ask the engine to end, wait for it, and kill it when it does not.

    Returns:
        Whether one was alive.
    """
    state = store.engine_state()
    _last_start.pop(store.home, None)
    if state is None or not _is_alive(state):
        return False
    process = psutil.Process(state.pid)
    event(_log, "engine_stop_asked", engine=state.pid)
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout_seconds)
        except psutil.TimeoutExpired:
            process.kill()
    return True


def _start(store: Store) -> EngineStatus:
    _last_start[store.home] = time.monotonic()
    environment = {**os.environ, "FEATHERWEIGHT_HOME": str(store.home)}
    flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
    with open(os.open(stderr_path(store.home), flags, 0o600), "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "optimizer.engine"],
            cwd=Path(__file__).parents[2],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    event(_log, "engine_started", engine=process.pid)
    with suppress(psutil.NoSuchProcess):
        started = psutil.Process(process.pid).create_time()
        store.set_engine_state(EngineState(process.pid, started, utc_now(), "starting"))
    return EngineStatus("starting")


def _is_alive(state: EngineState) -> bool:
    """Whether the very process that wrote the state still runs, and says so."""
    try:
        process = psutil.Process(state.pid)
        same = abs(process.create_time() - state.process_start) < 1.0
        if not same or process.status() == psutil.STATUS_ZOMBIE:
            return False
    except psutil.NoSuchProcess:
        return False
    silent = datetime.now(UTC) - datetime.fromisoformat(state.heartbeat_at)
    return state.status != "ready" or silent.total_seconds() < _SILENT_SECONDS


def _log_tail(home: Path) -> str:
    """The end of the engine's log in words, and what it printed before it could log."""
    logged = readable(tail(log_path(home, "engine"), _LOG_TAIL))
    return "\n".join(part for part in (logged, tail(stderr_path(home), _LOG_TAIL)) if part)
