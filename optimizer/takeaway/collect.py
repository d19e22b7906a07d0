"""What a variant's take-away is made from, out of the store."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from optimizer.data.arrays import ARRAYS_FILE
from optimizer.errors import InputError
from optimizer.export import file_stem
from optimizer.measured import measured
from optimizer.plan import import_model
from optimizer.store import Store
from optimizer.store.records import Study, Variant
from optimizer.study_plan import data_stage
from optimizer.takeaway.bundle import Takeaway
from optimizer.takeaway.script_values import removes_channels

MODEL_FILE = "model.keras"
_FORMER_THREADS = 2
"""What a stage had at most in studies that do not say; see :mod:`optimizer.settings`."""


def takeaway(store: Store, variant: Variant) -> Takeaway:
    """A finished variant with everything its files are made from.

    Raises:
        InputError: the variant has no results yet.
        StoreError: its file is missing or damaged.
    """
    found = measured(variant)
    if found is None:
        raise InputError(f"The variant {variant.name!r} has not been measured yet.")
    study = store.get_study(variant.study_id)
    facts = store.get_model(study.model_id).facts
    assert facts is not None, "a study is made of a model that was read"
    environment = study.environment or {}
    former = min(_FORMER_THREADS, int(environment.get("cores") or _FORMER_THREADS))
    return Takeaway(
        stem=file_stem(variant),
        recipe=variant.recipe,
        facts=facts,
        task=study.task,
        threads=int(environment.get("threads") or former),
        model_config=_config(flat_model(store, study)),
        measured=found,
        tflite=store.artifacts.read(variant.stages["convert"], "model.tflite"),
        narrowed=_narrowed(store, variant),
        loss=study.objective.get("loss"),
        scaling=_scaling(store, study),
    )


def _scaling(store: Store, study: Study) -> dict[str, Any] | None:
    facts = store.get_dataset(study.dataset_id).facts or {}
    scaling: dict[str, Any] = facts.get("scaling") or {"kind": "none"}
    return None if scaling["kind"] == "none" else scaling


def start_model(store: Store, study: Study, variant: Variant) -> Path | None:
    """The model file that a variant's script reads; ``None`` where it is not at hand."""
    if removes_channels(variant.recipe):
        return _stored(store, [variant.stages.get("prune")], MODEL_FILE)
    return flat_model(store, study)


def _narrowed(store: Store, variant: Variant) -> bytes | None:
    key = variant.stages.get("prune")
    if not removes_channels(variant.recipe) or _stored(store, [key], MODEL_FILE) is None:
        return None
    return store.artifacts.read(str(key), MODEL_FILE)


def flat_model(store: Store, study: Study) -> Path | None:
    """The ``model.keras`` that plain scripts start from; ``None`` until the engine has made it."""
    model = store.get_model(study.model_id)
    return _stored(
        store, [import_model(model.sha256, model.file_name).key, model.facts_key], MODEL_FILE
    )


def arrays(store: Store, study: Study) -> Path | None:
    """The ``data.npz`` that plain scripts train on; ``None`` until the engine has made it."""
    data = store.get_dataset(study.dataset_id)
    stage = data_stage(data)
    return _stored(store, [stage.key, data.facts_key], ARRAYS_FILE)


def _stored(store: Store, keys: list[str | None], file: str) -> Path | None:
    for key in keys:
        if key is not None and file in store.artifacts.files(key):
            return store.artifacts.path(key, file)
    return None


def _config(path: Path | None) -> str | None:
    """The model's configuration alone: the weights may be hundreds of megabytes."""
    if path is None:
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read("config.json").decode()
    except (OSError, KeyError, zipfile.BadZipFile):
        return None
