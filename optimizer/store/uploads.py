"""The models and datasets that people brought."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from optimizer.errors import InputError
from optimizer.logs.events import event
from optimizer.quotas import QuotaError
from optimizer.store.base import StoreBase, clean_name, new_id, utc_now
from optimizer.store.records import Dataset, Model
from optimizer.store.rows import from_row, from_rows, to_json

_CHANGEABLE = frozenset({"name", "facts", "facts_key"})
_log = logging.getLogger(__name__)


class Uploads(StoreBase):
    """Models and datasets: their bytes, names and facts."""

    def add_model(self, file_name: str, data: bytes) -> Model:
        """Keep a model file; the same bytes under the same name give the same record.

        Raises:
            QuotaError: it is too large, there is no room, or too many are in no study.
        """
        file_name = _base_name(file_name, "model")
        sha256 = self._take_in(file_name, data)
        with self._new_upload(sha256, data):
            # Facts that came with an archive are its word only: never taken for our own.
            row = self._db.row(
                "SELECT * FROM models WHERE sha256 = ? AND file_name = ? "
                "AND origin != 'imported' AND owner IS ?",
                (sha256, file_name, self._owner),
            )
            if row is not None:
                return from_row(Model, row)
            self.limits().check_unused_uploads(self._count_unused())
            model = Model(new_id(), _stem(file_name), file_name, sha256, len(data), utc_now())
            self._insert("models", asdict(model))
        event(_log, "model_added", model=model.id, bytes=len(data), sha256=sha256)
        return model

    def get_model(self, model_id: str) -> Model:
        """One model. Raises :class:`InputError` when there is none."""
        return self._get(Model, "models", model_id)

    def list_models(self) -> list[Model]:
        """All models, the newest first."""
        return from_rows(Model, self._db.rows("SELECT * FROM models ORDER BY seq DESC"))

    def rename_model(self, model_id: str, name: str) -> None:
        """Give a model another name."""
        self._update("models", model_id, {"name": clean_name(name, "model")}, _CHANGEABLE)

    def set_model_facts(self, model_id: str, facts: dict[str, Any], facts_key: str) -> None:
        """Record what importing the model found, and the artifact that holds it."""
        self._update("models", model_id, {"facts": facts, "facts_key": facts_key}, _CHANGEABLE)

    def delete_model(self, model_id: str) -> int:
        """Delete a model and free its bytes; returns the bytes freed.

        Raises:
            InputError: a study uses it, or a run is working on it.
        """
        model = self.get_model(model_id)
        with self._db.write() as connection:
            self._refuse_while_used("model_id", model_id, f"model “{model.name}”")
            connection.execute("DELETE FROM main.models WHERE id = ?", (model_id,))
        return self._sweep({model.facts_key} if model.facts_key else set(), {model.sha256})

    def add_dataset(
        self,
        file_name: str,
        data: bytes,
        test_share: float = 0.2,
        split_seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> Dataset:
        """Keep a data file; the same bytes, name, split and options give the same record.

        Args:
            file_name: as uploaded.
            data: the file's content.
            test_share: share of the samples to hold out when the file has no test set.
            split_seed: seed of that split.
            options: how else to read it, as :class:`optimizer.data.options.DataOptions` dumps.

        Raises:
            QuotaError: it is too large, there is no room, or too many are in no study.
        """
        file_name = _base_name(file_name, "data")
        sha256 = self._take_in(file_name, data)
        with self._new_upload(sha256, data):
            row = self._db.row(
                "SELECT * FROM datasets WHERE sha256 = ? AND file_name = ? AND test_share = ? "
                "AND split_seed = ? AND options = ? AND origin != 'imported' AND owner IS ?",
                (
                    sha256,
                    file_name,
                    test_share,
                    split_seed,
                    to_json(dict(options or {})),
                    self._owner,
                ),
            )
            if row is not None:
                return from_row(Dataset, row)
            self.limits().check_unused_uploads(self._count_unused())
            dataset = Dataset(
                new_id(),
                _stem(file_name),
                file_name,
                sha256,
                len(data),
                utc_now(),
                test_share=test_share,
                split_seed=split_seed,
                options=dict(options or {}),
            )
            self._insert("datasets", asdict(dataset))
        event(_log, "dataset_added", dataset=dataset.id, bytes=len(data), sha256=sha256)
        return dataset

    def get_dataset(self, dataset_id: str) -> Dataset:
        """One dataset. Raises :class:`InputError` when there is none."""
        return self._get(Dataset, "datasets", dataset_id)

    def list_datasets(self) -> list[Dataset]:
        """All datasets, the newest first."""
        rows = self._db.rows("SELECT * FROM datasets ORDER BY seq DESC")
        return from_rows(Dataset, rows)

    def rename_dataset(self, dataset_id: str, name: str) -> None:
        """Give a dataset another name."""
        self._update("datasets", dataset_id, {"name": clean_name(name, "data")}, _CHANGEABLE)

    def set_dataset_facts(self, dataset_id: str, facts: dict[str, Any], facts_key: str) -> None:
        """Record what preparing the data found, and the artifact that holds it."""
        self._update("datasets", dataset_id, {"facts": facts, "facts_key": facts_key}, _CHANGEABLE)

    def delete_dataset(self, dataset_id: str) -> int:
        """Delete a dataset and free its bytes; returns the bytes freed.

        Raises:
            InputError: a study uses it, or a run is working on it.
        """
        data = self.get_dataset(dataset_id)
        with self._db.write() as connection:
            self._refuse_while_used("dataset_id", dataset_id, f"dataset “{data.name}”")
            connection.execute("DELETE FROM main.datasets WHERE id = ?", (dataset_id,))
        return self._sweep({data.facts_key} if data.facts_key else set(), {data.sha256})

    def file_path(self, sha256: str) -> Path:
        """Where uploaded bytes are; see :meth:`read_file` for their checked content."""
        self._require_upload(sha256)
        return self.files.path(sha256)

    def read_file(self, sha256: str) -> bytes:
        """Uploaded bytes, checked against their hash.

        Raises:
            StoreError: they are missing or damaged.
        """
        self._require_upload(sha256)
        return self.files.read(sha256)

    def _require_upload(self, sha256: str) -> None:
        """Within a scope: bytes of somebody else's upload are not there."""
        if self.scope is None:
            return
        sql = "SELECT 1 FROM models WHERE sha256 = ? UNION SELECT 1 FROM datasets WHERE sha256 = ?"
        if self._db.row(sql, (sha256, sha256)) is None:
            raise InputError(f"There is no uploaded file {sha256!r:.60} here. Upload it first.")

    def _still_there(self, sha256: str, data: bytes) -> None:
        """Under the write lock: a deletion may have swept the bytes since they were written."""
        if not self.files.has(sha256):
            self.files.write(data)

    def _take_in(self, file_name: str, data: bytes) -> str:
        self.limits().check_upload(file_name, len(data))
        return self.files.write(data)

    @contextmanager
    def _new_upload(self, sha256: str, data: bytes) -> Iterator[None]:
        """Under the write lock; bytes whose record is refused do not stay."""
        try:
            with self._db.write():
                # A deletion may have swept the bytes since they were written.
                if not self.files.has(sha256):
                    self.files.write(data)
                yield
        except QuotaError:
            self._sweep(set(), {sha256})
            raise

    def _count_unused(self) -> int:
        """Models and datasets that no study uses, whoever owns them."""
        row = self._db.row(
            "SELECT (SELECT count(*) FROM main.models "
            "WHERE id NOT IN (SELECT model_id FROM main.studies)) "
            "+ (SELECT count(*) FROM main.datasets "
            "WHERE id NOT IN (SELECT dataset_id FROM main.studies))"
        )
        return int(row[0]) if row else 0

    def _refuse_while_used(self, column: str, record_id: str, what: str) -> None:
        rows = self._db.rows(
            f"SELECT name FROM studies WHERE {column} = ? ORDER BY seq",  # noqa: S608
            (record_id,),
        )
        if rows:
            more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
            raise InputError(
                f"The {what} cannot be deleted: the study “{rows[0]['name']}”{more} uses it. "
                "Delete the study first."
            )
        self._refuse_while_active(f"{column} = ?", record_id, what)


def _base_name(file_name: str, fallback: str) -> str:
    """The last part of an uploaded file's name, made printable; kept as text only."""
    return clean_name(PurePosixPath(file_name.replace("\\", "/")).name, fallback)


def _stem(file_name: str) -> str:
    return PurePosixPath(file_name).stem or file_name
