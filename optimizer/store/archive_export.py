"""Writing a study as an archive; see :mod:`optimizer.store.archive`."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import optimizer
from optimizer.errors import InputError
from optimizer.store import Store
from optimizer.store.archive_json import checked
from optimizer.store.archive_reader import MAX_MEMBERS, MAX_TOTAL_BYTES, RATIO_FREE_BYTES
from optimizer.store.archive_scans import scan_entries
from optimizer.store.archive_shapes import (
    ARTIFACT_FILES,
    FORMAT,
    PREVIEW,
    SCHEMA,
    StudyEntry,
)
from optimizer.store.database import StoreError
from optimizer.store.durable import flush_folder
from optimizer.store.records import Dataset, Model, Variant

_EPOCH = (1980, 1, 1, 0, 0, 0)
_Source = tuple[str, int, Callable[[], bytes]]  # SHA-256, size in bytes, content


def export_study(store: Store, study_id: str, target: Path | BinaryIO) -> None:
    """Write a study with its finished variants, its model and its dataset as one zip file.

    Args:
        store: where the study is.
        study_id: which one.
        target: a path, replaced only by a whole archive, or a writable binary file.

    Raises:
        InputError: there is no such study, or it is too large for one archive.
        StoreError: a stored file is missing or damaged, or the target cannot be written.
    """
    members = _members(store, study_id)
    if isinstance(target, Path):
        prepared = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            with open(prepared, "xb") as file:
                _write_zip(file, members)
                file.flush()
                os.fsync(file.fileno())
            os.replace(prepared, target)
            flush_folder(target.parent)
        except OSError as error:
            raise StoreError(f"Cannot write {target}: {error.strerror or error}.") from error
        finally:
            prepared.unlink(missing_ok=True)
    else:
        _write_zip(target, members)


def _members(store: Store, study_id: str) -> dict[str, _Source]:
    """Everything that goes in, by member name; contents are read when they are written."""
    study = store.get_study(study_id)
    model, dataset = store.get_model(study.model_id), store.get_dataset(study.dataset_id)
    done = [v for v in store.list_variants(study_id) if v.state == "done"]
    artifacts: dict[str, _Source] = {}
    variants = []
    for variant in done:
        kept = {stage: key for stage, key in variant.stages.items() if _exported(store, key)}
        for key in kept.values():
            artifacts |= _artifact_members(store, key)
        variants.append(_variant_entry(variant, kept))
    outline = {
        "name": study.name,
        "task": study.task,
        "created_at": study.created_at,
        "environment": study.environment,
        "objective": study.objective,
        "report": _report_entry(store, study_id),
        "scans": scan_entries(store.list_scans(study_id)),
        "model": _upload_entry(model),
        "dataset": _upload_entry(dataset)
        | {"test_share": dataset.test_share, "split_seed": dataset.split_seed}
        | {"options": dataset.options},
        "variants": variants,
    }
    checked(StudyEntry, outline, "study.json")
    text = json.dumps(outline, sort_keys=True, indent=1, allow_nan=False).encode()
    members: dict[str, _Source] = {"study.json": _source(text)}
    for name, upload in (("files/model", model), ("files/dataset", dataset)):
        members[name] = _upload_source(store, upload)
    if dataset.facts_key and "preview.npz" in store.artifacts.files(dataset.facts_key):
        members[PREVIEW] = _source(store.artifacts.read(dataset.facts_key, "preview.npz"))
    return members | dict(sorted(artifacts.items()))


def _exported(store: Store, key: str) -> list[str]:
    if not store.artifacts.has(key):
        raise StoreError(
            f"The stored result {key[:12]} of a finished variant is missing. Run it again, or "
            "delete the variant, then export the study."
        )
    return [name for name in store.artifacts.files(key) if name in ARTIFACT_FILES]


def _artifact_members(store: Store, key: str) -> dict[str, _Source]:
    listing = store.artifacts.listing(key)
    return {
        f"artifacts/{key}/{name}": (
            listing[name]["sha256"],
            listing[name]["size_bytes"],
            partial(store.artifacts.read, key, name),
        )
        for name in _exported(store, key)
    }


def _upload_source(store: Store, upload: Model | Dataset) -> _Source:
    return upload.sha256, upload.size_bytes, lambda: store.read_file(upload.sha256)


def _source(data: bytes) -> _Source:
    return hashlib.sha256(data).hexdigest(), len(data), lambda: data


def _upload_entry(upload: Model | Dataset) -> dict[str, Any]:
    names = ("name", "file_name", "sha256", "size_bytes", "facts")
    return {name: getattr(upload, name) for name in names}


def _report_entry(store: Store, study_id: str) -> dict[str, Any]:
    """What a person decided about the report; links stay here."""
    kept = asdict(store.get_report(study_id))
    return {name: value for name, value in kept.items() if name != "study_id"}


def _variant_entry(variant: Variant, stages: dict[str, str]) -> dict[str, Any]:
    return {
        "name": variant.name,
        "recipe": variant.recipe.model_dump(mode="json"),
        "results": variant.results or {},
        "stages": stages,
        "created_at": variant.created_at,
    }


def _write_zip(file: BinaryIO, members: dict[str, _Source]) -> None:
    total = sum(size for _, size, _ in members.values())
    if len(members) >= MAX_MEMBERS or total > MAX_TOTAL_BYTES:
        raise InputError(
            f"The study is too large for one archive: {len(members)} files, {total / 1e9:.1f} GB. "
            "Delete variants that you do not need, then export it again."
        )
    manifest = {
        "format": FORMAT,
        "schema": SCHEMA,
        "featherweight_version": optimizer.__version__,
        "members": {
            name: {"sha256": sha256, "size_bytes": size}
            for name, (sha256, size, _) in members.items()
        },
    }
    encoded = json.dumps(manifest, indent=1).encode()
    try:
        with zipfile.ZipFile(file, "w", allowZip64=False) as archive:
            _add(archive, "manifest.json", encoded)
            for name, (_, _, content) in members.items():
                _add(archive, name, content())
    except zipfile.LargeZipFile:
        raise InputError(
            "The study is too large for one archive, which is at most 2 GB. "
            "Delete variants that you do not need, then export it again."
        ) from None


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.external_attr = 0o600 << 16
    # What shrinks this well looks like a zip bomb to whoever imports it: stored as it is.
    extreme = len(data) > RATIO_FREE_BYTES and len(zlib.compress(data, 1)) * 20 < len(data)
    info.compress_type = zipfile.ZIP_STORED if extreme else zipfile.ZIP_DEFLATED
    archive.writestr(info, data, compresslevel=6)
