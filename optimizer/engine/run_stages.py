"""The stages of one run: each executed once, with the store kept up to date on how it is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from optimizer.engine.pool import ProgressEvent
from optimizer.engine.runner import StageRunner
from optimizer.errors import FeatherweightError, StageError
from optimizer.keys import Stage
from optimizer.logs.events import current, event
from optimizer.store import Store, StoreError
from optimizer.store.base import utc_now
from optimizer.store.records import RunStage

_RECORD_SECONDS = 0.2
_log = logging.getLogger(__name__)


class RunStages:
    """Executes stages for one run, and records them.

    Args:
        store: where the run is.
        runner: executes single stages.
        run_id: the run.
    """

    def __init__(self, store: Store, runner: StageRunner, run_id: str) -> None:
        self._store, self.runner, self._run_id = store, runner, run_id
        self._about = {**current(), "run": run_id}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._rows: dict[str, RunStage] = {}
        self._recorded: dict[str, float] = {}
        self.on_numbers: Callable[[Stage, Mapping[str, float]], None] = lambda stage, numbers: None
        """Told of the numbers that a stage under way reports."""

    def plan(self, stages: Iterable[tuple[Stage, tuple[str, ...]]]) -> None:
        """List stages as waiting, each with the ids of the variants that need it.

        Listed before anybody asks whether their results are there, so that those results are
        not deleted meanwhile.
        """
        rows = {
            stage.key: RunStage(self._run_id, stage.key, stage.name, stage.label, variant_ids)
            for stage, variant_ids in stages
            if stage.key not in self._rows
        }
        self._rows |= rows
        self._store.put_stages(list(rows.values()))

    def task(self, stage: Stage) -> asyncio.Task[None]:
        """The stage's execution, begun when first asked for, after those it needs.

        Raises:
            InputError, StageError: when awaited; see :meth:`StageRunner.run`.
        """
        known = self._tasks.get(stage.key)
        if known is None or known.cancelled():
            self._tasks[stage.key] = asyncio.create_task(self._stage(stage))
        return self._tasks[stage.key]

    def ran(self, key: str) -> bool:
        """Whether this run has executed the stage, rather than found its result."""
        row = self._rows.get(key)
        return row is not None and row.state == "done" and not row.cached

    def cancel(self) -> None:
        """End whatever this run executes, unless another run waits for it too."""
        for task in self._tasks.values():
            task.cancel()

    def ended(self, stages: Iterable[Stage], message: str) -> None:
        """Record that stages were ended before they were done; they may be begun again."""
        for stage in stages:
            row = self._rows.get(stage.key)
            if row is not None and row.state in ("waiting", "running"):
                changes = {"message": message, "finished_at": utc_now()}
                self._record(stage.key, state="cancelled", **changes)

    def log(self, text: str, name: str = "run_note", **fields: Any) -> None:
        """Add a line to the run's log, and to the engine's; a disk too full for it ends no run.

        Args:
            text: for the person who asked for the run.
            name: of the event in the engine's log.
            fields: of the event; see :func:`optimizer.logs.events.event`.
        """
        event(_log, name, text=text, **{**self._about, **fields})
        self._append(text)

    def _append(self, text: str) -> None:
        try:
            self._store.append_log(self._run_id, f"{utc_now()} {text}\n")
        except StoreError as error:
            event(_log, "run_log_lost", level=logging.ERROR, error=error, **self._about)

    async def _stage(self, stage: Stage) -> None:
        if stage.key not in self._rows:
            self.plan([(stage, ())])
        if self.runner.has(stage):
            self._record(stage.key, state="done", cached=True, fraction=1.0)
            found = {**self._about, "stage": stage.name, "key": stage.key}
            event(_log, "stage_found", level=logging.DEBUG, **found)
            return
        upstream = [self.task(s) for s in stage.inputs.values() if isinstance(s, Stage)]
        try:
            await asyncio.gather(*upstream)
        except FeatherweightError:
            self._record(stage.key, state="cancelled", message="an earlier stage failed")
            raise
        await self._execute(stage)

    async def _execute(self, stage: Stage) -> None:
        started = time.monotonic()
        own = {"stage": stage.name, "key": stage.key}

        def listen(said: ProgressEvent) -> None:
            try:
                hear(said)
            except StoreError as error:  # how far a stage is may be missed; how it ends is not
                event(_log, "progress_lost", level=logging.ERROR, error=error, **self._about)

        def hear(said: ProgressEvent) -> None:
            nonlocal started
            if said.get("started"):
                started = time.monotonic()
                self._record(stage.key, state="running", started_at=utc_now(), message="started")
                where = said.get("where", "")
                self.log(f"{stage.label}: started{where}", "stage_started", **own)
                return
            if "waiting" in said:
                self._record(stage.key, state="waiting", message=said["waiting"])
                self.log(f"{stage.label}: {said['waiting']}", "stage_waits", **own)
                return
            self.on_numbers(stage, said["numbers"])
            due = time.monotonic() - self._recorded.get(stage.key, 0.0) >= _RECORD_SECONDS
            changes = {name: said[name] for name in ("fraction", "message", "numbers")}
            if due or said["fraction"] == 1.0:
                self._record(stage.key, **changes)

        try:
            await self.runner.run(stage, listen)
        except FeatherweightError as error:
            self._record(stage.key, state="failed", message=str(error), finished_at=utc_now())
            detail = error.log if isinstance(error, StageError) else ""
            more = {**own, "level": logging.WARNING, "traceback": detail or None}
            self.log(f"{stage.label}: {error}", "stage_failed", **more)
            if detail:
                self._append(detail)
            raise
        seconds = time.monotonic() - started
        self._record(stage.key, state="done", fraction=1.0, seconds=seconds, finished_at=utc_now())
        self.log(f"{stage.label}: done in {seconds:.1f} s", "stage_done", **own, seconds=seconds)

    def _record(self, key: str, **changes: Any) -> None:
        self._rows[key] = replace(self._rows[key], **changes)
        self._recorded[key] = time.monotonic()
        self._store.put_stage(self._rows[key])
