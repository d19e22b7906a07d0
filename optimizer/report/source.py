"""What a report is made from: a study in the store, or a folder that the command line wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optimizer.deploy.fit import Footprint, footprint
from optimizer.errors import FeatherweightError, InputError
from optimizer.export import RESULTS_SCHEMA
from optimizer.recipe import Recipe
from optimizer.store import Store
from optimizer.store.records import Study, Variant

_LARGEST_FILE = 200_000_000
"""Files beyond this are no candidates for a microcontroller, and take long to read."""


@dataclass(frozen=True, eq=False)
class ReportSource:
    """One study's finished variants and everything a report says about them.

    Attributes:
        name: of the study or model.
        model, dataset: facts, as in ``results.json``.
        environment: versions, hardware and date, where known.
        variants: those with results, the baseline among them.
        layers_of: a variant's layer table; empty where it is not at hand.
        footprint_of: what a variant's file needs on a microcontroller, where it can be read.
        search: the ``search`` of ``results.json``, where one made the variants.
    """

    name: str
    model: Mapping[str, Any]
    dataset: Mapping[str, Any]
    environment: Mapping[str, Any]
    variants: tuple[Variant, ...]
    layers_of: Callable[[Variant], Sequence[Mapping[str, Any]]]
    footprint_of: Callable[[Variant], Footprint | None]
    search: Mapping[str, Any] | None = None

    @property
    def baseline(self) -> Variant | None:
        """The float32 baseline, where it was measured."""
        return next((variant for variant in self.variants if variant.is_baseline), None)

    def variant(self, variant_id: str) -> Variant:
        """One of the variants.

        Raises:
            InputError: it is not among them.
        """
        for variant in self.variants:
            if variant.id == variant_id:
                return variant
        raise InputError(f"The variant {variant_id!r:.60} has no results in this study.")

    def named(self, name: str) -> Variant:
        """The variant of a name.

        Raises:
            InputError: none or several have it.
        """
        found = [variant for variant in self.variants if variant.name == name]
        if len(found) != 1:
            known = ", ".join(repr(variant.name) for variant in self.variants[:20])
            problem = "Several variants have" if found else "No variant with results has"
            raise InputError(f"{problem} the name {name!r:.80}. Names are {known}.")
        return found[0]


def from_store(store: Store, study: Study) -> ReportSource:
    """A study's finished variants.

    Raises:
        InputError: none of them has results.
    """
    model, dataset = store.get_model(study.model_id), store.get_dataset(study.dataset_id)

    def layers_of(variant: Variant) -> Sequence[Mapping[str, Any]]:
        try:
            content = store.artifacts.read(variant.stages["convert"], "layers.json")
        except (FeatherweightError, KeyError):
            return ()
        layers: list[dict[str, Any]] = json.loads(content)["layers"]
        return layers

    def footprint_of(variant: Variant) -> Footprint | None:
        try:
            return footprint(store.artifacts.read(variant.stages["convert"], "model.tflite"))
        except (FeatherweightError, KeyError):
            return None

    variants = tuple(variant for variant in store.list_variants(study.id) if variant.results)
    return _checked(
        ReportSource(
            study.name,
            {"file_name": model.file_name, "sha256": model.sha256, **(model.facts or {})},
            {
                "file_name": dataset.file_name,
                "sha256": dataset.sha256,
                **(dataset.facts or {}),
                "task": study.task,
            },
            study.environment or {},
            variants,
            layers_of,
            footprint_of,
        )
    )


def from_folder(folder: Path) -> ReportSource:
    """What ``run``, ``sweep`` or ``search`` wrote.

    Raises:
        InputError: there is no ``results.json``, or not one that can be used.
    """
    results = _results(folder / "results.json")
    records = [record for record in [results.get("baseline"), *results["variants"]] if record]
    variants: list[Variant] = []
    by_id: dict[str, Mapping[str, Any]] = {}
    for record in records:
        if not str(record.get("state", "")).startswith("done"):
            continue
        variant = _variant(record, f"v{len(variants)}", is_baseline=record is records[0])
        variants.append(variant)
        by_id[variant.id] = record

    def footprint_of(variant: Variant) -> Footprint | None:
        path = folder / Path(str(by_id[variant.id].get("file") or "missing")).name
        try:
            if path.stat().st_size > _LARGEST_FILE:
                return None
            return footprint(path.read_bytes())
        except (OSError, FeatherweightError):
            return None

    return _checked(
        ReportSource(
            str(results["model"].get("name") or folder.name),
            results["model"],
            results["dataset"],
            results.get("environment") or {},
            tuple(variants),
            lambda variant: by_id[variant.id].get("layers") or (),
            footprint_of,
            results.get("search"),
        )
    )


def today() -> str:
    """The date of a report, ``2026-11-25``, in UTC."""
    return datetime.now(UTC).date().isoformat()


def _checked(source: ReportSource) -> ReportSource:
    if not source.variants:
        raise InputError(
            "There is nothing to report yet: no variant has results. Measure the baseline and run "
            "a recipe first."
        )
    return source


def _results(path: Path) -> dict[str, Any]:
    try:
        results = json.loads(path.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"Cannot read {str(path)!r}: {reason}. Give the folder that run, sweep or search wrote."
        ) from None
    except ValueError:
        raise InputError(f"{str(path)!r} is not valid JSON. Run the command again.") from None
    sound = (
        isinstance(results, dict)
        and isinstance(results.get("model"), dict)
        and isinstance(results.get("dataset"), dict)
        and isinstance(results.get("variants"), list)
    )
    if not sound or results.get("schema") != RESULTS_SCHEMA:
        raise InputError(
            f"{str(path)!r} is not a results.json of schema {RESULTS_SCHEMA}. Give the folder that "
            "run, sweep or search wrote."
        )
    found: dict[str, Any] = results
    return found


def _variant(record: Mapping[str, Any], variant_id: str, *, is_baseline: bool) -> Variant:
    """A VARIANT of ``results.json`` as the value that charts and tables read."""
    conditions = record.get("conditions") or {}
    latency = record.get("latency_ms")
    results = {
        **record,
        **{name: value for name, value in conditions.items() if name != "latency"},
        "latency_ms": {**latency, **(conditions.get("latency") or {})} if latency else None,
    }
    recipe = Recipe.parse(record.get("recipe") or {}, source="recipe in results.json")
    return Variant(
        id=variant_id,
        study_id="",
        recipe=recipe,
        name=str(record.get("name") or recipe.name),
        is_baseline=is_baseline and recipe.is_baseline,
        state="done",
        error=None,
        results=results,
        stages={},
        created_at="",
    )
