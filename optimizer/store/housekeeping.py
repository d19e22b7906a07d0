"""How much disk the store takes, and giving back what nothing refers to."""

from __future__ import annotations

import time

from optimizer.store.base import StoreBase

RECENT_SECONDS = 3600.0


class Housekeeping(StoreBase):
    """What a study takes, and garbage collection."""

    def study_bytes(self, study_id: str) -> int:
        """Bytes of the stage results that a study's variants refer to, each counted once."""
        rows = self._db.rows(
            "SELECT DISTINCT each.value FROM variants, json_each(variants.stages) AS each "
            "WHERE variants.study_id = ?",
            (study_id,),
        )
        return sum(self.artifacts.size_bytes(row[0]) for row in rows)

    def collect_garbage(self, min_age_seconds: float = RECENT_SECONDS) -> int:
        """Delete results, uploads and logs that nothing refers to; returns the bytes freed.

        Nothing goes while anybody writes to the store, who may be about to refer to it.

        Args:
            min_age_seconds: younger ones stay, since they may be wanted again; by the clock, which
                may have been set meanwhile.
        """
        with self._workspace.nobody_writes() as alone:
            return self._collect(min_age_seconds) if alone else 0

    def _collect(self, min_age_seconds: float) -> int:
        limit = time.time() - min_age_seconds
        keys = {k for k in self.artifacts.keys() if self.artifacts.modified_at(k) <= limit}  # noqa: SIM118
        uploads = {s for s in self.files.all_sha256() if self.files.modified_at(s) <= limit}
        known = {row[0] for row in self._db.rows("SELECT id FROM main.runs")}
        logs = [run_id for run_id in self._logs.run_ids() if run_id not in known]
        return self._sweep(keys, uploads) + sum(self._logs.delete(run_id) for run_id in logs)
