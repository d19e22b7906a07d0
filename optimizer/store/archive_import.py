"""Reading a study's archive into the store; see :mod:`optimizer.store.archive`."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

from optimizer.errors import InputError
from optimizer.recipe import Recipe
from optimizer.store import Store
from optimizer.store.archive_json import checked, parse_json
from optimizer.store.archive_reader import ArchiveReader, check_content
from optimizer.store.archive_scans import scan_run
from optimizer.store.archive_shapes import StudyEntry, VariantEntry
from optimizer.store.base import clean_name, new_id
from optimizer.store.records import Dataset, Model, Study, StudyReport, Variant


def import_study(
    store: Store,
    source: Path | BinaryIO,
    origin: Literal["imported", "sample"] = "imported",
) -> Study:
    """Add the study in an archive to the store, beside whatever is there.

    Everything is checked before anything is written. The results are kept under artifact keys
    of their own, never under the content keys they had: an archive cannot put a wrong result
    where the engine would find it as its own.

    Args:
        store: where to.
        source: a path, or a seekable binary file.
        origin: ``sample`` for studies that ship with the product: importing one again gives
            the study that is there.

    Raises:
        InputError: the archive cannot be used, in one or two sentences; the store is unchanged.
        QuotaError: there is no room for another study or for its files; the store is unchanged.
        StoreError: the disk is full or not writable.
    """
    with _opened(source) as file:
        reader = ArchiveReader(file)
        if origin == "sample" and (known := store.study_of_archive(reader.manifest_sha256)):
            return known
        store.check_room_for_study()
        entry = _checked_study(reader)
        for name, size in (
            (entry.model.file_name, entry.model.size_bytes),
            (entry.dataset.file_name, entry.dataset.size_bytes),
        ):
            store.limits().check_upload(clean_name(name, "upload"), size)
        for name in reader.names:
            check_content(name, reader.read(name))
        with store.writing():
            return _Import(store, reader, entry, origin).write()


def _checked_study(reader: ArchiveReader) -> StudyEntry:
    """``study.json``, agreeing with itself and with the members of the archive."""
    entry = checked(StudyEntry, parse_json(reader.read("study.json"), "study.json"), "study.json")
    for name, upload in (("files/model", entry.model), ("files/dataset", entry.dataset)):
        if reader.listed(name) != (upload.sha256, upload.size_bytes):
            raise InputError(f"The archive contradicts itself about {name!r}. Export it again.")
    recipes = [_recipe(variant) for variant in entry.variants]
    hashes = [recipe.hash for recipe in recipes]
    if len(set(hashes)) != len(hashes) or sum(recipe.is_baseline for recipe in recipes) > 1:
        raise InputError("The archive has the same variant twice. Export the study again.")
    wanted = {key for variant in entry.variants for key in variant.stages.values()}
    there = {name.split("/")[1] for name in reader.names if name.startswith("artifacts/")}
    if wanted != there:
        odd = sorted(wanted ^ there)[0][:12]
        raise InputError(
            f"The archive is not whole: its variants and its results disagree about {odd}. "
            "Export the study again."
        )
    return entry


def _recipe(variant: VariantEntry) -> Recipe:
    return Recipe.parse(variant.recipe, source=f"recipe of variant {variant.name!r} in the archive")


class _Import:
    """One archive, found sound, on its way into the store."""

    def __init__(self, store: Store, reader: ArchiveReader, entry: StudyEntry, origin: str) -> None:
        self._store, self._reader, self._entry = store, reader, entry
        self._origin: Any = origin
        self._id = new_id()
        self._keys: dict[str, str] = {}
        self._folders: dict[str, list[str]] = defaultdict(list)
        for name in reader.names:
            self._folders[name.rpartition("/")[0]].append(name)

    def write(self) -> Study:
        """Files and artifacts first, unseen; then all records in one transaction."""
        entry = self._entry
        uploads = {entry.model.sha256, entry.dataset.sha256}
        try:
            for name in ("files/model", "files/dataset"):
                self._store.files.write(self._reader.read(name))
            for key in sorted({k for v in entry.variants for k in v.stages.values()}):
                self._write_artifact(key, self._files(f"artifacts/{key}"))
            model, dataset = self._model(), self._dataset()
            study = Study(
                id=self._id,
                name=clean_name(entry.name, "study"),
                model_id=model.id,
                dataset_id=dataset.id,
                task=entry.task,
                created_at=entry.created_at,
                origin=self._origin,
                environment=entry.environment,
                objective=entry.objective.model_dump(exclude_none=True),
            )
            variants = [self._variant(variant) for variant in entry.variants]
            report = StudyReport(self._id, **entry.report.model_dump())
            scans = [scan_run(scan, self._id) for scan in reversed(entry.scans)]
            return self._store.adopt_study(
                study, model, dataset, variants, self._reader.manifest_sha256, report, scans
            )
        finally:
            self._store.withdraw(set(self._keys.values()), uploads)

    def _files(self, folder: str) -> dict[str, bytes]:
        names = self._folders[folder]
        return {name.rpartition("/")[2]: self._reader.read(name) for name in names}

    def _write_artifact(self, key: str, files: dict[str, bytes]) -> str:
        own = hashlib.sha256(f"imported:{self._id}:{key}".encode()).hexdigest()
        self._keys[key] = own
        self._store.artifacts.write(own, files, {"imported_key": key})
        return own

    def _facts_artifact(self, what: str, facts: Any, files: dict[str, bytes]) -> str | None:
        if facts is None:
            return None
        encoded = json.dumps(facts, allow_nan=False).encode()
        return self._write_artifact(what, {**files, "facts.json": encoded})

    def _model(self) -> Model:
        upload = self._entry.model
        facts = upload.facts.model_dump(mode="json", exclude_unset=True) if upload.facts else None
        return Model(
            id=new_id(),
            name=clean_name(upload.name, "model"),
            file_name=clean_name(upload.file_name, "model"),
            sha256=upload.sha256,
            size_bytes=upload.size_bytes,
            created_at=self._entry.created_at,
            origin=self._origin,
            facts=facts,
            facts_key=self._facts_artifact("model", facts, {}),
        )

    def _dataset(self) -> Dataset:
        upload = self._entry.dataset
        facts = upload.facts.model_dump(mode="json", exclude_unset=True) if upload.facts else None
        return Dataset(
            id=new_id(),
            name=clean_name(upload.name, "data"),
            file_name=clean_name(upload.file_name, "data"),
            sha256=upload.sha256,
            size_bytes=upload.size_bytes,
            created_at=self._entry.created_at,
            test_share=upload.test_share,
            split_seed=upload.split_seed,
            options=upload.options,
            origin=self._origin,
            facts=facts,
            facts_key=self._facts_artifact("dataset", facts, self._files("dataset")),
        )

    def _variant(self, entry: VariantEntry) -> Variant:
        recipe = _recipe(entry)
        return Variant(
            id=new_id(),
            study_id=self._id,
            recipe=recipe,
            name=clean_name(entry.name, recipe.name),
            is_baseline=recipe.is_baseline,
            state="done",
            error=None,
            results=entry.results.model_dump(mode="json", exclude_unset=True),
            stages={stage: self._keys[key] for stage, key in entry.stages.items()},
            created_at=entry.created_at,
        )


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    if not isinstance(source, Path):
        yield source
        return
    try:
        file = open(source, "rb")  # noqa: SIM115 - closed below; reading must not be caught here
    except OSError as error:
        raise InputError(f"Cannot read {source}: {error.strerror}.") from None
    with file:
        yield file
