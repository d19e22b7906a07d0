"""Files of the command line: what it reads, and the folder it writes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optimizer import samples
from optimizer.errors import InputError
from optimizer.export import file_stem, results_csv, study_results
from optimizer.store import Store, StoreError
from optimizer.store.records import Study, Variant
from optimizer.takeaway.bundle import bundle
from optimizer.takeaway.collect import arrays, flat_model, takeaway


def read_model_file(text: str) -> tuple[str, bytes]:
    """Name and content of a model file, or of a bundled model.

    Raises:
        InputError: it cannot be read.
    """
    if text in samples.MODELS:
        return samples.MODELS[text].path.name, samples.load_sample_model(text)
    return _file(text, f"the bundled models {', '.join(samples.MODELS)}")


def read_data_file(text: str) -> tuple[str, bytes]:
    """Name and content of a data file, or of a bundled dataset.

    Raises:
        InputError: it cannot be read.
    """
    if text in samples.DATASETS:
        return samples.DATASETS[text].path.name, samples.DATASETS[text].path.read_bytes()
    return _file(text, f"the bundled datasets {', '.join(samples.DATASETS)}")


def _file(text: str, bundled: str) -> tuple[str, bytes]:
    path = Path(text)
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"Cannot read {text!r}: {reason}. Give a path, or one of {bundled}."
        ) from None


def output_folder(out: Path) -> Path:
    """The folder for results, made when it is missing.

    Raises:
        InputError: it cannot be made, or not be written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the output folder {out}: {error.strerror}.") from None
    if not os.access(out, os.W_OK):
        raise InputError(f"Cannot write into the output folder {out}.")
    return out


def write_results(
    store: Store,
    study: Study,
    variants: Sequence[Variant],
    out: Path,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """Write ``results.json``, ``results.csv``, and a ``.tflite``, recipe and zip per variant.

    ``model.keras`` and ``data.npz`` are what the plain scripts in the zips read.

    Args:
        store, study: where the variants are.
        variants: the baseline and others; files are written of those that are done.
        out: the folder.
        more: keys that ``results.json`` has besides.

    Returns:
        The content of ``results.json``, which is written last.

    Raises:
        StoreError: a stored file is missing or damaged, or the folder's disk is full.
    """
    try:
        return _write_results(store, study, variants, out, more)
    except OSError as error:
        raise StoreError(
            f"Cannot write the results into {out}: {error.strerror or error}. Free some space, or "
            "give another folder, and run the same command again: what is computed is kept."
        ) from None


def _write_results(
    store: Store,
    study: Study,
    variants: Sequence[Variant],
    out: Path,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    def layers_of(variant: Variant) -> list[dict[str, Any]]:
        content = store.artifacts.read(variant.stages["convert"], "layers.json")
        return json.loads(content)["layers"]

    found = study_results(
        study,
        store.get_model(study.model_id),
        store.get_dataset(study.dataset_id),
        variants,
        study.environment,
        layers_of,
    )
    results = {**found, **more}
    for variant in variants:
        stem = file_stem(variant)
        (out / f"{stem}.recipe.json").write_text(variant.recipe.canonical_json(indent=2) + "\n")
        if variant.state == "done":
            tflite = store.artifacts.read(variant.stages["convert"], "model.tflite")
            (out / f"{stem}.tflite").write_bytes(tflite)
            (out / f"{stem}.zip").write_bytes(bundle(takeaway(store, variant)))
    for name, path in (
        ("model.keras", flat_model(store, study)),
        ("data.npz", arrays(store, study)),
    ):
        if path is not None:
            shutil.copyfile(path, out / name)
    (out / "results.csv").write_text(results_csv(variants))
    (out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    return results
