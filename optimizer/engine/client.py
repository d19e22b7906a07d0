"""The app's side of the engine: is one alive, and start one when not."""

from __future__ import annotations

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

from optimizer.store import Store
from optimizer.store.base import utc_now
from optimizer.store.records import EngineState

_RETRY_SECONDS = 20.0
_SILENT_SECONDS = 15.0
_LOG_TAIL = 4000
LOG_FILE = "engine.log"
_last_start: dict[Path, float] = {}


@dataclass(frozen=True)
class EngineStatus:
    """How the engine is, for a person.

    Attributes:
        status: ``ready`` takes work at once; ``warming`` is importing TensorFlow (some 15 s);
            ``failed`` did not start; ``off`` is switched off by ``FEATHERWEIGHT_NO_ENGINE=1``;
            ``absent``: none is alive, and nobody tried to start one.
        detail: a short phrase, or the end of the engine's log when it failed.
    """

    status: Literal["starting", "warming", "ready", "stopping", "failed", "off", "absent"]
    detail: str = ""


def ensure_engine(store: Store) -> EngineStatus:
    """The engine's status; starts one, detached from this process, when none is alive.

    Cheap when one is alive: one read of the store and one look at its process.
    """
    known = engine_status(store)
    if known.status != "absent":
        return known
    waited = time.monotonic() - _last_start.get(store.home, -_RETRY_SECONDS)
    if waited < _RETRY_SECONDS:
        return EngineStatus("failed", _log_tail(store.home))
    return _start(store)


def engine_status(store: Store) -> EngineStatus:
    """The engine's status, as it is: none is started."""
    if os.environ.get("FEATHERWEIGHT_NO_ENGINE") == "1":
        return EngineStatus("off")
    state = store.engine_state()
    if state is not None and _is_alive(state):
        return EngineStatus(state.status, state.detail)
    return EngineStatus("absent")


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
    with (store.home / LOG_FILE).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "optimizer.engine"],
            cwd=Path(__file__).parents[2],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
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
    with suppress(OSError):
        return (home / LOG_FILE).read_bytes()[-_LOG_TAIL:].decode(errors="replace")
    return ""
