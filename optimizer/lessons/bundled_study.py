"""What the bundled sample study measured: results and files by recipe.

Read from the archive that ships with the product and not from a store, where a person may have
deleted the sample study.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from functools import cache
from typing import Any

from optimizer.bundled import STUDY_FILE
from optimizer.errors import InputError
from optimizer.measured import Measured, measured
from optimizer.recipe import Recipe
from optimizer.store.records import Variant

PRUNED: dict[str, Any] = {"prune": {}}
CLUSTERED: dict[str, Any] = {"cluster": {}}
INT8: dict[str, Any] = {"quantize": {"mode": "int8"}}
AWARE: dict[str, Any] = {"quantize": {"mode": "int8", "aware": True}}
"""Recipes of the study that lessons speak of: 80 % zeros, 16 clusters, int8 without and with
quantization-aware training."""


@cache
def _study() -> tuple[Mapping[str, Any], Mapping[str, Variant]]:
    """Facts of the study, and its variants by their recipes' hashes."""
    with zipfile.ZipFile(STUDY_FILE) as archive:
        study = json.loads(archive.read("study.json"))
    variants = {}
    for entry in study["variants"]:
        recipe = Recipe.parse(entry["recipe"])
        variants[recipe.hash] = Variant(
            id=recipe.hash,
            study_id="bundled",
            recipe=recipe,
            name=entry["name"],
            is_baseline=recipe.is_baseline,
            state="done",
            error=None,
            results=entry["results"],
            stages=entry["stages"],
            created_at=entry["created_at"],
        )
    return study, variants


def bundled_variants() -> list[Variant]:
    """All variants of the study, in its order."""
    return list(_study()[1].values())


def bundled_variant(recipe: Mapping[str, Any] | None = None) -> Variant:
    """The variant of a recipe, in its plain form; ``None``: the float32 baseline.

    Raises:
        InputError: the study has no such variant.
    """
    wanted = Recipe.parse(dict(recipe or {}))
    found = _study()[1].get(wanted.hash)
    if found is None:
        raise InputError(f"The bundled sample study has no variant {wanted.name!r}.")
    return found


def bundled_result(recipe: Mapping[str, Any] | None = None) -> Measured:
    """What was measured of the variant of a recipe; see :func:`bundled_variant`."""
    found = measured(bundled_variant(recipe))
    assert found is not None, "every variant of the bundled study was measured"
    return found


@cache
def _file(key: str) -> bytes:
    with zipfile.ZipFile(STUDY_FILE) as archive:
        return archive.read(f"artifacts/{key}/model.tflite")


def bundled_file(recipe: Mapping[str, Any] | None = None) -> bytes:
    """The ``.tflite`` of the variant of a recipe; see :func:`bundled_variant`."""
    return _file(bundled_variant(recipe).stages["convert"])


def measured_on() -> str:
    """Where and when the study was measured, for a caption."""
    variant = bundled_variant()
    found = bundled_result()
    device = found.latency.device if found.latency else None
    return f"the bundled sample study, {variant.created_at[:10]}, {device or 'unknown processor'}"
