"""Searches, their trials, from which a search goes on after its engine died, and scans."""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.store.base import StoreBase
from optimizer.store.records import Run, RunKind, Trial
from optimizer.store.rows import from_rows, to_columns

_COLUMNS = tuple(Trial.__dataclass_fields__)


class Searches(StoreBase):
    """What searches tried."""

    def put_trial(self, trial: Trial) -> None:
        """Record a trial as it stands now, replacing what was said of it before.

        Raises:
            InputError: its run is not in the store.
        """
        self.put_trials([trial])

    def put_trials(self, trials: Sequence[Trial]) -> None:
        """Record several trials in one transaction; see :meth:`put_trial`."""
        names, marks = ", ".join(_COLUMNS), ", ".join("?" * len(_COLUMNS))
        changes = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[2:])
        sql = (
            f"INSERT INTO trials ({names}) VALUES ({marks}) "  # noqa: S608
            f"ON CONFLICT (run_id, number) DO UPDATE SET {changes}"
        )
        values = [
            tuple(to_columns({name: getattr(trial, name) for name in _COLUMNS}).values())
            for trial in trials
        ]
        with self._db.write() as connection:
            for run_id in {trial.run_id for trial in trials}:
                self._require("runs", run_id)
            connection.executemany(sql, values)

    def list_trials(self, run_id: str) -> list[Trial]:
        """A search's trials in the order they were begun."""
        rows = self._db.rows("SELECT * FROM trials WHERE run_id = ? ORDER BY number", (run_id,))
        return from_rows(Trial, rows)

    def list_searches(self, study_id: str, limit: int = 100) -> list[Run]:
        """A study's searches, the newest first."""
        return self._of_kind("search", study_id, limit)

    def list_scans(self, study_id: str, limit: int = 100) -> list[Run]:
        """A study's scans of single layers, the newest first."""
        return self._of_kind("sensitivity", study_id, limit)

    def _of_kind(self, kind: RunKind, study_id: str, limit: int) -> list[Run]:
        rows = self._db.rows(
            "SELECT * FROM runs WHERE study_id = ? AND kind = ? ORDER BY seq DESC LIMIT ?",
            (study_id, kind, limit),
        )
        return from_rows(Run, rows)
