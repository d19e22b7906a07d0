"""Taking in a study that was made elsewhere, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from typing import TypeVar

from optimizer.store.records import Dataset, Model, Run, Study, StudyReport, Variant
from optimizer.store.rows import from_row
from optimizer.store.sharing import Sharing

U = TypeVar("U", Model, Dataset)


class Adoption(Sharing):
    """What :mod:`optimizer.store.archive` needs of the store."""

    def study_of_archive(self, archive_sha256: str) -> Study | None:
        """The sample study that came from this archive, or ``None``."""
        row = self._db.row(
            "SELECT id FROM studies WHERE archive_sha256 = ? AND origin = 'sample' AND owner IS ?",
            (archive_sha256, self._owner),
        )
        return self.get_study(row["id"]) if row else None

    def adopt_study(
        self,
        study: Study,
        model: Model,
        dataset: Dataset,
        variants: Sequence[Variant],
        archive_sha256: str,
        report: StudyReport | None = None,
        scans: Sequence[Run] = (),
    ) -> Study:
        """List a study whose files and artifacts are already stored.

        A model or dataset that is there with the same bytes, name and facts is used; one with
        other facts is left as it is, and a record of its own is made. A sample that another
        process adopted meanwhile is returned instead. ``scans`` are finished runs, the oldest
        first.

        Raises:
            QuotaError: there are as many studies as there may be.
        """
        with self._db.write():
            known = self.study_of_archive(archive_sha256) if study.origin == "sample" else None
            if known is not None:
                return known
            self.check_room_for_study()
            adopted = replace(
                study,
                model_id=self._same_or_new(model, "models"),
                dataset_id=self._same_or_new(dataset, "datasets"),
            )
            self._insert_study(adopted, archive_sha256)
            for variant in variants:
                self._insert_variant(variant)
            if report is not None:
                self.put_report(report)
            for scan in scans:
                self._insert("runs", {n: getattr(scan, n) for n in scan.__dataclass_fields__})
            return self.get_study(study.id)

    def writing(self) -> AbstractContextManager[None]:
        """While inside, files that no record refers to yet are not taken for garbage."""
        return self._workspace.writing()

    def withdraw(self, keys: set[str], sha256s: set[str]) -> int:
        """Delete those of these artifacts and files that nothing refers to; bytes freed."""
        return self._sweep(keys, sha256s)

    def _same_or_new(self, upload: U, table: str) -> str:
        rows = self._db.rows(
            f"SELECT * FROM {table} "  # noqa: S608
            "WHERE sha256 = ? AND file_name = ? AND owner IS ?",
            (upload.sha256, upload.file_name, self._owner),
        )
        for row in rows:
            known = from_row(type(upload), row)
            if _content(known) == _content(upload):
                return known.id
        self._insert(table, asdict(upload))
        return upload.id


def _content(upload: Model | Dataset) -> dict[str, object]:
    """What makes two records the same, whatever they are called and wherever they came from."""
    own = ("id", "name", "created_at", "origin", "facts_key")
    return {name: value for name, value in asdict(upload).items() if name not in own}
