"""Examining this installation: what the checks are given."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from optimizer.engine import protections
from optimizer.errors import FeatherweightError, InputError
from optimizer.operations.doctor import engine, installation, machine, store
from optimizer.operations.doctor.finding import Check, finding
from optimizer.operations.health import health
from optimizer.settings import Settings, available_cores, capacity

ROOT = Path(__file__).parents[3]
CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_ANSWER_SECONDS = 3.0
_BROKEN = "This check itself failed. Please report it with this text."

Say = Callable[[str], None]


def examine(home: Path, port: int, say: Say = lambda text: None) -> Iterator[Check]:
    """Every check, each as soon as it is done; about half a minute in all.

    Args:
        home: the store's folder. Nothing in it is changed, and a store that is not there is not
            made.
        port: that the app is to listen on.
        say: told what takes long.
    """
    yield installation.check_python((sys.version_info[0], sys.version_info[1]))
    yield _tried("packages", _packages)
    settings = _settings(home)
    yield from _machine(home, port, settings)
    yield engine.check_settings(home, os.environ)
    yield _tried("store", lambda: store.check_database(home))
    if _readable(home):
        say("Reading every result and upload of the store …")
        yield _tried("results", lambda: store.check_results(home))
        yield _tried("stray files", lambda: store.check_stray(home))
        yield _tried("permissions", lambda: store.check_permissions(home, os.getuid()))
        yield _tried("engine", lambda: engine.check_engine(health(home)))
    yield _tried("scheduler", lambda: engine.check_scheduler(settings, engine.reach(settings)))
    yield _tried("certificates", lambda: engine.check_certificates(settings, datetime.now(UTC)))
    say("Importing TensorFlow in a process of its own, some 10 to 60 seconds …")
    libraries = installation.check_libraries(installation.import_libraries())
    yield libraries
    if libraries.level == "ok":
        say("Starting a stage process …")
        yield _tried("stage processes", _stage_processes)
    yield _tried("confinement", _confinement)
    yield installation.check_chromium(shutil.which("chromium"))


def examine_quickly(home: Path) -> Iterator[Check]:
    """What changes from one minute to the next; within a second, for whoever asks often."""
    yield _tried("disk", lambda: _disk(home))
    found = health(home)
    if found.status == "failing":
        yield store.check_database(home) if not _readable(home) else engine.check_engine(found)
    else:
        yield engine.check_engine(found)


def _machine(home: Path, port: int, settings: Settings) -> Iterator[Check]:
    total = psutil.virtual_memory().total
    slots = capacity(settings).slots
    yield machine.check_memory(total, container_limit(), slots)
    yield machine.check_cores(available_cores())
    yield _tried("disk", lambda: _disk(home))
    yield _tried("clock", lambda: _clock(home))
    yield machine.check_port(port, port_state(port))


def _disk(home: Path) -> Check:
    there = _nearest(home)
    return machine.check_disk(shutil.disk_usage(there).free, str(there))


def _clock(home: Path) -> Check:
    newest = store.newest_time(home) if _readable(home) else None
    probe = _nearest(home) / f".clock-{os.getpid()}"
    try:
        probe.touch(mode=0o600)
        ahead = probe.stat().st_mtime - time.time()
    except OSError:
        ahead = 0.0  # not ours to write to: another check says so
    finally:
        probe.unlink(missing_ok=True)
    parsed = datetime.fromisoformat(newest) if newest else None
    return machine.check_clock(datetime.now(UTC), parsed, ahead)


def _packages() -> Check:
    file = ROOT / "requirements.txt"
    pins = installation.pinned(file.read_text()) if file.is_file() else {}
    installed = {}
    for name in pins:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installation.check_packages(pins, installed)


def _settings(home: Path) -> Settings:
    """The settings, or the usual ones when they cannot be used, which another check says."""
    try:
        return Settings.load(home)
    except InputError:
        return Settings()


def _stage_processes() -> Check:
    from optimizer.engine.process import preload

    started = time.monotonic()
    try:
        with _without_greetings():
            preload()
    except FeatherweightError as error:
        return installation.check_stage_processes(None, str(error))
    return installation.check_stage_processes(time.monotonic() - started, "")


@contextmanager
def _without_greetings() -> Iterator[None]:
    """TensorFlow says on stderr what it found and did not find, which is nothing to mend."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _confinement() -> Check:
    try:
        return installation.check_confinement(protections.report())
    except FeatherweightError as error:
        return installation.check_confinement(None, str(error))


def _readable(home: Path) -> bool:
    """Whether there is a store whose records this version can look at."""
    try:
        with store.opened(home) as database:
            database.execute("SELECT heartbeat_at FROM engine").fetchall()
    except sqlite3.Error:
        return False
    return True


def _nearest(folder: Path) -> Path:
    """The folder, or the one above it that is there."""
    while not folder.is_dir():
        folder = folder.parent
    return folder


def container_limit() -> int | None:
    """The memory that the container may use, where there is a limit."""
    for path in CONTAINER_LIMITS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < 2**60:
            return int(text)
    return None


def port_state(port: int) -> machine.Port:
    """Whether a port of loopback is free, or an app of ours answers there."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return "free"
    except OSError:
        pass
    try:
        address = f"http://127.0.0.1:{port}/_stcore/health"
        with urllib.request.urlopen(address, timeout=_ANSWER_SECONDS) as answer:
            return "ours" if answer.read(2) == b"ok" else "taken"
    except (OSError, ValueError):
        return "taken"


def _tried(name: str, check: Callable[[], Check]) -> Check:
    """A check that must not end the others."""
    try:
        return check()
    except Exception as error:
        return finding(name, f"{type(error).__name__}: {error}", _BROKEN)
