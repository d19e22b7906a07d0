"""The queue: runs, their stages, their logs, and the engine's sign of life."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from optimizer.logs.events import event
from optimizer.quotas import QuotaError
from optimizer.store.base import StoreBase, new_id, utc_now
from optimizer.store.records import (
    FINISHED,
    EngineState,
    Run,
    RunKind,
    RunStage,
    State,
    Variant,
    VariantCounts,
)
from optimizer.store.rows import from_row, from_rows, to_columns

_CHANGEABLE = frozenset(
    {"title", "state", "error", "started_at", "finished_at", "variant_ids", "result"}
)
_STAGE_COLUMNS = tuple(RunStage.__dataclass_fields__)
_log = logging.getLogger(__name__)


class Runs(StoreBase):
    """What was asked for and how far it is."""

    def queue_run(
        self,
        kind: RunKind,
        title: str,
        *,
        model_id: str | None = None,
        dataset_id: str | None = None,
        study_id: str | None = None,
        variant_ids: Sequence[str] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Run:
        """Ask the engine for something; it starts queued.

        Variants named here that had failed or been cancelled are queued again.

        Raises:
            InputError: a record it names is not in the store.
            QuotaError: it has too many variants, or as many runs wait as may.
        """
        run = Run(
            id=new_id(),
            kind=kind,
            title=title,
            model_id=model_id,
            dataset_id=dataset_id,
            study_id=study_id,
            variant_ids=tuple(variant_ids),
            options=dict(options or {}),
            state="queued",
            error=None,
            created_at=utc_now(),
            started_at=None,
            finished_at=None,
            cancel_requested=False,
        )
        try:
            self._add_run(run)
        except QuotaError:
            self._forget_never_asked(run.variant_ids)
            raise
        event(_log, "run_queued", run=run.id, study=study_id, kind=kind, text=title)
        return run

    def _add_run(self, run: Run) -> None:
        with self._db.write() as connection:
            named = (
                ("models", run.model_id),
                ("datasets", run.dataset_id),
                ("studies", run.study_id),
            )
            wanted = [(table, record_id) for table, record_id in named if record_id is not None]
            for table, record_id in (*wanted, *(("variants", v) for v in run.variant_ids)):
                self._require(table, record_id)
            active = self._db.row(
                "SELECT count(*) FROM main.runs WHERE state IN ('queued', 'running')"
            )
            self.limits().check_run(int(active[0]) if active else 0, len(run.variant_ids))
            self._insert("runs", {n: getattr(run, n) for n in run.__dataclass_fields__})
            connection.executemany(
                "UPDATE main.variants SET state = 'queued', error = NULL "
                "WHERE id = ? AND state IN ('failed', 'cancelled')",
                [(variant_id,) for variant_id in run.variant_ids],
            )

    def _forget_never_asked(self, variant_ids: Sequence[str]) -> None:
        """Delete those variants that were added for a run which was then refused."""
        with self._db.write() as connection:
            connection.execute(
                "DELETE FROM main.variants WHERE state = 'queued' AND results IS NULL "
                "AND id IN (SELECT value FROM json_each(?)) AND id NOT IN "
                "(SELECT each.value FROM main.runs, json_each(main.runs.variant_ids) AS each)",
                (to_columns({"variant_ids": variant_ids})["variant_ids"],),
            )

    def get_run(self, run_id: str) -> Run:
        """One run. Raises :class:`InputError` when there is none."""
        return self._get(Run, "runs", run_id)

    def list_runs(
        self,
        study_id: str | None = None,
        states: Iterable[State] | None = None,
        limit: int | None = 100,
    ) -> list[Run]:
        """Runs, the newest first; of one study, in some states, when given."""
        conditions, values = ["1"], []
        if study_id is not None:
            conditions.append("study_id = ?")
            values.append(study_id)
        if states is not None:
            wanted = list(states)
            conditions.append(f"state IN ({', '.join('?' * len(wanted))})")
            values += wanted
        sql = f"SELECT * FROM runs WHERE {' AND '.join(conditions)} "  # noqa: S608
        rows = self._db.rows(
            sql + "ORDER BY seq DESC LIMIT ?", (*values, -1 if limit is None else limit)
        )
        return from_rows(Run, rows)

    def next_queued_runs(self, limit: int = 1) -> list[Run]:
        """Queued runs, the oldest first."""
        rows = self._db.rows(
            "SELECT * FROM runs WHERE state = 'queued' ORDER BY seq LIMIT ?", (limit,)
        )
        return from_rows(Run, rows)

    def claim_run(self, run_id: str) -> Run | None:
        """Turn a queued run into a running one; ``None`` when it is queued no more.

        Of several callers exactly one receives it.
        """
        with self._db.write() as connection:
            claimed = connection.execute(
                "UPDATE runs SET state = 'running', started_at = ? "
                "WHERE id = ? AND state = 'queued'",
                (utc_now(), run_id),
            )
            return self.get_run(run_id) if claimed.rowcount else None

    def running_runs(self) -> list[Run]:
        """Runs marked running, the oldest first: at engine start, those that a death left."""
        rows = self._db.rows("SELECT * FROM runs WHERE state = 'running' ORDER BY seq")
        return from_rows(Run, rows)

    def update_run(self, run_id: str, **changes: Any) -> None:
        """Change ``title``, ``state``, ``error``, ``variant_ids``, ``result`` or times of a run.

        A finished state sets ``finished_at`` unless it is given.
        """
        if changes.get("state") in FINISHED:
            changes.setdefault("finished_at", utc_now())
        self._update("runs", run_id, changes, _CHANGEABLE)

    def request_cancel(self, run_id: str) -> Run:
        """Cancel a queued run at once, with its variants that no other run asks for; ask the
        engine to cancel a running one. A finished run stays as it is.
        """
        with self._db.write() as connection:
            run = self.get_run(run_id)
            if run.state == "queued":
                connection.execute(
                    "UPDATE main.runs SET state = 'cancelled', cancel_requested = 1, "
                    "finished_at = ? WHERE id = ?",
                    (utc_now(), run_id),
                )
                connection.execute(
                    "UPDATE main.variants SET state = 'cancelled' WHERE state = 'queued' "
                    "AND id IN (SELECT value FROM json_each(?)) AND id NOT IN "
                    "(SELECT each.value FROM runs, json_each(runs.variant_ids) AS each "
                    "WHERE runs.state IN ('queued', 'running'))",
                    (to_columns({"variant_ids": run.variant_ids})["variant_ids"],),
                )
            elif run.state == "running":
                connection.execute(
                    "UPDATE main.runs SET cancel_requested = 1 WHERE id = ?", (run_id,)
                )
            asked = self.get_run(run_id)
        event(_log, "cancel_asked", run=run_id, study=run.study_id, state=run.state)
        return asked

    def put_stage(self, stage: RunStage) -> None:
        """Record a stage as it stands now, replacing what was said of it before.

        A stage recorded for a queued or running run keeps the artifact of its key from being
        deleted, so record it before asking whether the artifact is there.
        """
        self.put_stages([stage])

    def put_stages(self, stages: Sequence[RunStage]) -> None:
        """Record several stages in one transaction; see :meth:`put_stage`."""
        names = ", ".join(_STAGE_COLUMNS)
        marks = ", ".join("?" * len(_STAGE_COLUMNS))
        changes = ", ".join(f"{n} = excluded.{n}" for n in _STAGE_COLUMNS[2:])
        sql = (
            f"INSERT INTO run_stages ({names}) VALUES ({marks}) "  # noqa: S608
            f"ON CONFLICT (run_id, key) DO UPDATE SET {changes}"
        )
        values = [tuple(to_columns(asdict(stage)).values()) for stage in stages]
        with self._db.write(durable=False) as connection:
            for run_id in {stage.run_id for stage in stages}:
                self._require("runs", run_id)
            connection.executemany(sql, values)

    def list_stages(self, run_id: str) -> list[RunStage]:
        """A run's stages in the order they were first recorded."""
        rows = self._db.rows("SELECT * FROM run_stages WHERE run_id = ? ORDER BY seq", (run_id,))
        return from_rows(RunStage, rows)

    def count_variants(self, run_id: str) -> VariantCounts:
        """How far the variants of a run are, in one query that reads no results."""
        row = self._db.row(
            "SELECT count(*) AS variants, count(results) AS measured, "
            "count(*) FILTER (WHERE state = 'done') AS done, "
            "count(*) FILTER (WHERE state = 'failed') AS failed "
            "FROM variants WHERE id IN (SELECT value FROM json_each("
            "(SELECT variant_ids FROM runs WHERE id = ?)))",
            (run_id,),
        )
        assert row is not None
        return from_row(VariantCounts, row)

    def broken_variants(self, run_id: str) -> list[Variant]:
        """The variants of a run whose files do not keep a promise of their recipes."""
        rows = self._db.rows(
            "SELECT * FROM variants WHERE id IN (SELECT value FROM json_each("
            "(SELECT variant_ids FROM runs WHERE id = ?))) AND EXISTS (SELECT 1 FROM "
            "json_each(variants.results, '$.promises') AS promise "
            "WHERE json_extract(promise.value, '$.kept') = 0) ORDER BY seq",
            (run_id,),
        )
        return from_rows(Variant, rows)

    def append_log(self, run_id: str, text: str) -> None:
        """Add text to a run's log, which keeps its last mebibyte."""
        self._require_own(run_id)
        self._logs.append(run_id, text)

    def read_log(self, run_id: str, tail_lines: int | None = None) -> str:
        """A run's log, or its last lines; empty when there is none."""
        self._require_own(run_id)
        return self._logs.read(run_id, tail_lines)

    def _require_own(self, run_id: str) -> None:
        """Within a scope: a log is a file, which no view hides."""
        if self.scope is not None:
            self._require("runs", run_id)

    def engine_state(self) -> EngineState | None:
        """What the engine last said of itself; ``None`` when none ever started."""
        row = self._db.row("SELECT * FROM engine")
        return from_row(EngineState, row) if row else None

    def set_engine_state(self, state: EngineState | None) -> None:
        """Say how the engine is; only a change other than the heartbeat counts as a change."""
        before = self.engine_state()
        said = {**asdict(state), "heartbeat_at": ""} if state else None
        known = {**asdict(before), "heartbeat_at": ""} if before else None
        with self._db.write(durable=False, counted=said != known) as connection:
            connection.execute("DELETE FROM engine")
            if state is not None:
                self._insert("engine", {"only_row": 1, **asdict(state)})
