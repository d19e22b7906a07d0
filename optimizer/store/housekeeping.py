"""How much disk the store takes, and giving back what nothing refers to."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from optimizer.store.base import StoreBase
from optimizer.store.durable import storage_faults

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

    def snapshot(self, path: Path) -> None:
        """Write the database as it is at this moment into a new file, while others go on.

        Without the engine's sign of life, which is of this machine and this moment.

        Raises:
            StoreError: the disk is full or not writable.
            InputError: the store shows one person's records only.
        """
        self._require_whole()
        with storage_faults(path):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        self._db.rows("VACUUM INTO ?", (str(path),))
        copy = sqlite3.connect(path, isolation_level=None)
        try:
            copy.execute("DELETE FROM engine")
        finally:
            copy.close()

    def in_use(self) -> tuple[set[str], set[str]]:
        """Keys of the artifacts and hashes of the files that anything refers to.

        Raises:
            InputError: the store shows one person's records only.
        """
        self._require_whole()
        return self._referenced_keys(), self._referenced_files()

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
