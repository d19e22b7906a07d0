"""How the workbench is, as plain data: for a health endpoint, a load balancer, the doctor."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from optimizer import __version__
from optimizer.engine.lock import is_held
from optimizer.store.schema import MIGRATIONS, schema_version

State = Literal["ok", "idle", "degraded", "failing"]
_OPEN_SECONDS = 2.0
SILENT_SECONDS = 60.0
"""An engine says every two seconds that it lives; one that says nothing so long hangs."""


@dataclass(frozen=True)
class Health:
    """How the workbench is.

    Attributes:
        status: ``ok`` works; ``idle`` has no engine and nothing to do, one starts when it is
            wanted; ``degraded`` serves pages, but no engine takes the work that waits;
            ``failing`` cannot read its store.
        version: of Featherweight.
        store: ``ok``, or one sentence.
        schema: of the store; ``None`` when it cannot be read.
        engine: ``starting``, ``warming``, ``ready``, ``stopping``, ``silent`` or ``none``.
        heartbeat_seconds: since the engine last said so.
        queued, running: runs.
    """

    status: State
    version: str
    store: str
    schema: int | None = None
    engine: str = "none"
    heartbeat_seconds: float | None = None
    queued: int = 0
    running: int = 0

    @property
    def serving(self) -> bool:
        """Whether requests should go here."""
        return self.status in ("ok", "idle")

    def as_dict(self) -> dict[str, Any]:
        """JSON-able. Names nobody, no path, no file."""
        return asdict(self)


def health(home: Path) -> Health:
    """Look at a store's folder. Changes nothing, takes some milliseconds and raises nothing."""
    path = home / "featherweight.db"
    if not path.is_file():
        if (home / "artifacts").exists():
            return Health("failing", __version__, "Its database is gone, results are there.")
        return Health("idle", __version__, "There is none yet; the first visit makes it.")
    try:
        # "rw" and not "ro": a reader of WAL may have to make its side files. Nothing is written.
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=_OPEN_SECONDS)) as database:
            database.execute("PRAGMA query_only = ON")
            return _of(database, home)
    except sqlite3.Error as error:
        return Health("failing", __version__, f"The store cannot be read: {error}.")


def _of(database: sqlite3.Connection, home: Path) -> Health:
    schema = schema_version(database)
    if schema > len(MIGRATIONS):
        said = "The store was made by a newer Featherweight."
        return Health("failing", __version__, said, schema)
    counts = dict(
        database.execute(
            "SELECT state, count(*) FROM runs WHERE state IN ('queued', 'running') GROUP BY state"
        ).fetchall()
    )
    queued, running = int(counts.get("queued", 0)), int(counts.get("running", 0))
    row = database.execute("SELECT status, heartbeat_at FROM engine").fetchone()
    engine, seconds = _engine(*(row or (None, None)), held=is_held(home))
    status: State = "ok"
    if engine in ("none", "silent"):
        status = "degraded" if queued or running or engine == "silent" else "idle"
    return Health(status, __version__, "ok", schema, engine, seconds, queued, running)


def _engine(said: str | None, at: str | None, *, held: bool) -> tuple[str, float | None]:
    """How the engine is, and how long ago it last said so."""
    seconds = None
    if at is not None:
        silent = datetime.now(UTC) - datetime.fromisoformat(at)
        seconds = round(silent.total_seconds(), 1)
    is_new = seconds is not None and seconds < SILENT_SECONDS
    if not held:
        return ("starting" if said == "starting" and is_new else "none"), seconds
    if said is None:
        return "starting", seconds
    return (said if is_new else "silent"), seconds
