"""What takes space in a store, what freeing each part would give back, and freeing it.

Sizes are those of the files; a filesystem takes a little more, in whole blocks. Nothing that a
study, an upload's record, or a queued or running run refers to is ever freed but by deleting it.
What is shared is counted over all studies, whoever owns them; studies and uploads are listed as
far as the store's scope shows them, and what belongs to nobody in particular is freed through
the whole store alone.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from optimizer.errors import InputError
from optimizer.quotas import QuotaError
from optimizer.store.durable import size_of
from optimizer.store.housekeeping import Housekeeping
from optimizer.store.space_facts import SpaceUse, StudySpace, UploadSpace
from optimizer.store.studies import Studies
from optimizer.store.upload_sizes import UploadSizes
from optimizer.store.uploads import Uploads


class Space(Uploads, Studies, Housekeeping):
    """Seeing and freeing what a store occupies."""

    def space_use(self) -> SpaceUse:
        """What takes space now; seconds the first time in a large store, then well below one."""
        sizes, of_studies = self.artifacts.sizes(), self._keys_of_studies()
        users = Counter(key for keys in of_studies.values() for key in keys)
        facts, referenced = self._facts_keys(), self._referenced_keys()
        uploads = self.unused_uploads()
        unused = {(item.kind, item.upload_id) for item in uploads}
        in_studies = {key for key in users if key in sizes} - facts
        own = sum(sizes[key] for key in in_studies if users[key] == 1)
        use, unused_bytes = self.disk_use(), self._upload_sizes().freed_by(unused)
        all_uploads = use.files_bytes + _total(sizes, facts)
        orphans = sum(
            size_of(self.files.path(sha))
            for sha in set(self.files.all_sha256()) - self._referenced_files()
        )
        cached = _total(sizes, set(sizes) - referenced - in_studies) + orphans
        running = _total(sizes, referenced - facts - in_studies)
        dead = self._dead_logs()
        disk = os.statvfs(self.home)
        return SpaceUse(
            {
                "Results of one study": own,
                "Results that studies share": sum(map(sizes.__getitem__, in_studies)) - own,
                "Results of runs under way": running,
                "Uploads in studies": all_uploads - unused_bytes - orphans,
                "Uploads in no study": unused_bytes,
                "Cached results in no study": cached,
                "Logs": use.logs_bytes,
                "Temporary files": use.temporary_bytes,
                "Database": use.database_bytes,
            },
            self._studies(sizes, of_studies, users, facts),
            uploads,
            self._db.spare_bytes(),
            sum(self._logs.size_bytes(run_id) for run_id in dead),
            self._stray_bytes(),
            disk.f_bavail * disk.f_frsize,
        )

    def freed_by_studies(self, study_ids: Collection[str]) -> int:
        """Bytes that deleting these studies would free: their results and logs, but no upload."""
        study_ids = self._visible("studies", study_ids)
        keys, sizes = self._keys_of_studies(runs=True), self.artifacts.sizes()
        gone: set[str] = set().union(*(keys.get(each, set()) for each in study_ids))
        stays = self._facts_keys() | self._keys_in_runs()
        for study_id, own in self._keys_of_studies().items():
            if study_id not in study_ids:
                stays |= own
        runs = self._runs_of_studies()
        logs = (self._logs.size_bytes(run) for each in study_ids for run in runs.get(each, ()))
        return _total(sizes, gone - stays) + sum(logs)

    def delete_studies(self, study_ids: Iterable[str]) -> int:
        """Delete studies one after the other; returns the bytes freed.

        Raises:
            InputError: a run of one is queued or running. None of them is deleted then.
        """
        wanted = list(study_ids)
        for study_id in wanted:
            name = self.get_study(study_id).name
            self._refuse_while_active("study_id = ?", study_id, f"study “{name}”")
        return sum(self.delete_study(study_id) for study_id in wanted)

    def unused_uploads(self, older_than_seconds: float = 0.0) -> tuple[UploadSpace, ...]:
        """Models and datasets that no study uses, of some age; the largest first."""
        found, known, limit = (
            [],
            self._upload_sizes(),
            datetime.now(UTC) - timedelta(seconds=older_than_seconds),
        )
        for kind, table in (("model", "models"), ("dataset", "datasets")):
            rows = self._db.rows(
                f"SELECT id, file_name, created_at, EXISTS (SELECT 1 FROM runs WHERE "  # noqa: S608
                f"runs.{kind}_id = {table}.id AND state IN ('queued', 'running')) AS busy "
                f"FROM {table} WHERE id NOT IN (SELECT {kind}_id FROM studies)"
            )
            found += [
                UploadSpace(
                    kind,  # type: ignore[arg-type]
                    row["id"],
                    row["file_name"],
                    known.freed_by({(kind, row["id"])}),
                    row["created_at"],
                    bool(row["busy"]),
                )
                for row in rows
                if datetime.fromisoformat(row["created_at"]) <= limit
            ]
        return tuple(sorted(found, key=lambda item: -item.size_bytes))

    def freed_by_uploads(self, uploads: Iterable[UploadSpace]) -> int:
        """Bytes that deleting these uploads would free."""
        wanted = {(item.kind, item.upload_id) for item in uploads}
        models = self._visible("models", (key for kind, key in wanted if kind == "model"))
        data = self._visible("datasets", (key for kind, key in wanted if kind == "dataset"))
        seen = {("model", key) for key in models} | {("dataset", key) for key in data}
        return self._upload_sizes().freed_by(wanted & seen)

    def delete_uploads(self, uploads: Iterable[UploadSpace]) -> int:
        """Delete uploads; one that a study has come to use, or a run, stays. Bytes freed."""
        freed = 0
        for item in uploads:
            delete = self.delete_model if item.kind == "model" else self.delete_dataset
            with suppress(InputError):
                freed += delete(item.upload_id)
        return freed

    def freed_by_cache(self, older_than_seconds: float) -> int:
        """Bytes of results and files that nothing refers to and that are older than that."""
        keys, files = self._unreferenced(older_than_seconds)
        sizes = self.artifacts.sizes()
        return _total(sizes, keys) + sum(size_of(self.files.path(sha)) for sha in files)

    def free_cache(self, older_than_seconds: float) -> int:
        """Delete what :meth:`freed_by_cache` counts; returns the bytes freed.

        What is deleted is computed again when a run needs it.
        """
        self._require_whole()
        return self._sweep(*self._unreferenced(older_than_seconds))

    def free_logs(self) -> int:
        """Delete the logs of runs that were deleted; returns the bytes freed."""
        self._require_whole()
        return sum(self._logs.delete(run_id) for run_id in self._dead_logs())

    def free_temporary(self) -> int:
        """Delete what killed processes left behind; bytes freed."""
        self._require_whole()
        before = self._stray_bytes()
        self._workspace.remove_stray()
        return before - self._stray_bytes()

    def _stray_bytes(self) -> int:
        return sum(map(size_of, self._workspace.strays()))

    def compact_database(self) -> int:
        """Write the database anew without its gaps; returns the bytes freed.

        Raises:
            QuotaError: the disk has no room for the copy that this makes.
            StoreError: another process keeps the database busy.
        """
        self._require_whole()
        disk = os.statvfs(self.home)
        needed, free = size_of(self._db.path), disk.f_bavail * disk.f_frsize
        if free < 2 * needed:
            raise QuotaError(
                f"Compacting needs {2 * needed / 1e6:.1f} MB for the time it takes, and the disk "
                f"has {free / 1e6:.1f} MB. Free something else first."
            )
        before = self.disk_use().database_bytes
        self._db.compact()
        return before - self.disk_use().database_bytes

    def _visible(self, table: str, ids: Iterable[str]) -> set[str]:
        """Those of the records that the store's scope shows."""
        rows = self._db.rows(
            f"SELECT id FROM {table} WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608
            (json.dumps(sorted(ids)),),
        )
        return {row[0] for row in rows}

    def _studies(
        self,
        sizes: dict[str, int],
        of_studies: dict[str, set[str]],
        users: Counter[str],
        facts: set[str],
    ) -> tuple[StudySpace, ...]:
        busy = {
            row[0]
            for row in self._db.rows(
                "SELECT DISTINCT study_id FROM runs WHERE state IN ('queued', 'running')"
            )
        }
        found, known, runs = [], self._upload_sizes(), self._runs_of_studies()
        for study in self.list_studies():
            keys = of_studies.get(study.id, set()) - facts
            own = {key for key in keys if users[key] == 1}
            logs = (self._logs.size_bytes(run_id) for run_id in runs.get(study.id, ()))
            found.append(
                StudySpace(
                    study.id,
                    study.name,
                    study.variant_count,
                    _total(sizes, own) + sum(logs),
                    _total(sizes, keys - own),
                    known.of({("model", study.model_id), ("dataset", study.dataset_id)}),
                    study.id in busy,
                )
            )
        return tuple(sorted(found, key=lambda item: -item.own_bytes))

    def _keys_of_studies(self, runs: bool = False) -> dict[str, set[str]]:
        """Study → artifacts that its variants refer to, and those of its runs where asked for."""
        sql = (
            "SELECT study_id, each.value FROM main.variants AS v, json_each(v.stages) AS each "
            "GROUP BY study_id, each.value"
        )
        if runs:
            sql += (
                " UNION SELECT r.study_id, s.key FROM main.run_stages AS s "
                "JOIN main.runs AS r ON r.id = s.run_id WHERE r.study_id IS NOT NULL"
            )
        found: dict[str, set[str]] = defaultdict(set)
        for study_id, key in self._db.rows(sql):
            found[study_id].add(key)
        return found

    def _facts_keys(self) -> set[str]:
        rows = self._db.rows(
            "SELECT facts_key FROM main.models UNION SELECT facts_key FROM main.datasets"
        )
        return {row[0] for row in rows if row[0] is not None}

    def _keys_in_runs(self) -> set[str]:
        rows = self._db.rows(
            "SELECT DISTINCT key FROM main.run_stages AS s JOIN main.runs AS r ON r.id = s.run_id "
            "WHERE r.state IN ('queued', 'running')"
        )
        return {row[0] for row in rows}

    def _runs_of_studies(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for study_id, run_id in self._db.rows("SELECT study_id, id FROM runs"):
            found[study_id].append(run_id)
        return found

    def _upload_sizes(self) -> UploadSizes:
        rows = self._db.rows(
            "SELECT 'model' AS kind, id, sha256, facts_key FROM main.models "
            "UNION ALL SELECT 'dataset', id, sha256, facts_key FROM main.datasets"
        )
        return UploadSizes(
            {(row["kind"], row["id"]): (row["sha256"], row["facts_key"]) for row in rows},
            lambda sha256: size_of(self.files.path(sha256)),
            self.artifacts.bytes_of,
            self._keys_in_runs(),
        )

    def _unreferenced(self, older_than_seconds: float) -> tuple[set[str], set[str]]:
        """Artifacts and files that nothing refers to, of some age."""
        limit = time.time() - older_than_seconds
        keys = set(self.artifacts.keys()) - self._referenced_keys()
        files = set(self.files.all_sha256()) - self._referenced_files()
        return (
            {key for key in keys if self.artifacts.modified_at(key) <= limit},
            {sha for sha in files if self.files.modified_at(sha) <= limit},
        )

    def _dead_logs(self) -> list[str]:
        known = {row[0] for row in self._db.rows("SELECT id FROM main.runs")}
        return [run_id for run_id in self._logs.run_ids() if run_id not in known]


def _total(sizes: dict[str, int], keys: Iterable[str]) -> int:
    return sum(sizes.get(key, 0) for key in keys)
