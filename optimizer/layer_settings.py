"""A recipe's settings for single layers as the rows of a table, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import pandas as pd

Field = Literal["final_sparsity", "number_of_clusters", "quantize"]
Settings = dict[str, dict[str, Any]]
"""Layer name → field → value, as a recipe's ``layers``."""


def settable(recipe: Mapping[str, Any]) -> tuple[Field, ...]:
    """What a recipe, as plain data, lets single layers have of their own."""
    prune = recipe["prune"]
    fields: list[Field] = []
    if prune and prune["structure"]["kind"] != "n_m":
        fields.append("final_sparsity")
    if recipe["cluster"]:
        fields.append("number_of_clusters")
    if recipe["quantize"].get("aware"):
        fields.append("quantize")
    return tuple(fields)


def setting_rows(
    recipe: Mapping[str, Any], layers: Iterable[Mapping[str, Any]], settings: Settings
) -> list[dict[str, Any]]:
    """One row per layer that something can be set for: its facts, and the value of each field.

    Args:
        recipe: as plain data.
        layers: of the model's facts.
        settings: what is set already; sparsity becomes percent, ``None`` is the recipe's value.
    """
    fields = settable(recipe)
    techniques = {_technique(recipe, field) for field in fields}
    return [
        {
            "name": layer["name"],
            "type": layer["type"],
            "parameters": layer["parameters"],
            **{field: _shown(field, settings.get(layer["name"], {})) for field in fields},
        }
        for layer in layers
        if layer["parameters"]
        and any(layer["techniques"].get(name, "unknown") is None for name in techniques)
    ]


def settings_of(rows: Iterable[Mapping[Any, Any]], fields: Sequence[Field]) -> Settings:
    """What the rows of an edited table set; the reverse of :func:`setting_rows`."""
    settings: Settings = {}
    for row in rows:
        for field in fields:
            value = row[field]
            if pd.isna(value):  # an empty cell
                continue
            if field == "quantize":
                value = bool(value)
                if value:
                    continue
            elif field == "final_sparsity":
                value = round(float(value) / 100, 10)
            else:
                value = int(value)
            settings.setdefault(str(row["name"]), {})[field] = value
    return settings


def with_hidden(settings: Settings, earlier: Settings, fields: Sequence[Field]) -> Settings:
    """Settings, and those of earlier ones whose field is not in the table now."""
    kept = {
        name: {field: value for field, value in values.items() if field not in fields}
        for name, values in earlier.items()
    }
    names = sorted({*kept, *settings})
    merged = {name: {**kept.get(name, {}), **settings.get(name, {})} for name in names}
    return {name: values for name, values in merged.items() if values}


def misplaced(
    settings: Settings, rows: Sequence[Mapping[str, Any]], fields: Sequence[Field]
) -> list[str]:
    """Names of layers that have settings for fields of a table but no row in it."""
    known = {row["name"] for row in rows}
    return sorted(
        name
        for name, values in settings.items()
        if name not in known and any(values.get(field) is not None for field in fields)
    )


def _technique(recipe: Mapping[str, Any], field: Field) -> str:
    if field == "final_sparsity":
        return "channels" if recipe["prune"]["structure"]["kind"] == "channels" else "prune"
    return "cluster" if field == "number_of_clusters" else "quantize_aware"


def _shown(field: Field, values: Mapping[str, Any]) -> Any:
    value = values.get(field)
    if field == "quantize":
        return value is not False
    if field == "final_sparsity" and value is not None:
        return round(100 * value, 8)
    return value
