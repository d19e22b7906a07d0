"""Any number of variants side by side: measures, and where their recipes differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from optimizer.comparison import NOT_MEASURED
from optimizer.explore.table import Table
from optimizer.explore.words import by_chance, shown, to_baseline
from optimizer.recipe import Recipe

_NO_FIELD = "–"


def side_by_side(table: Table, places: Sequence[int]) -> pd.DataFrame:
    """Measures as rows, variants as columns; each cell with its difference to the baseline.

    The best of a row says so, unless all are equal or the two fastest differ by noise only.

    Args:
        places: of the variants in the table, different ones.
    """
    rows = []
    for key, measure in table.measures.items():
        best = _best(table, key, places)
        cells = {table.names[place]: _cell(table, key, place, best) for place in places}
        rows.append({"Measure": measure.name, **cells})
    return pd.DataFrame(rows)


def recipe_differences(table: Table, places: Sequence[int]) -> pd.DataFrame:
    """The recipes' fields in which the variants differ, with the names of the recipe's JSON.

    Where only some have a part (``prune``, ``cluster``) there is a row for the part, and of its
    fields those that are not at their defaults.
    """
    recipes = [table.variants[place].recipe for place in places]
    every = [dict(_flat(recipe.model_dump(mode="json"))) for recipe in recipes]
    unusual = {
        name
        for recipe in recipes
        for name, _ in _flat(recipe.model_dump(mode="json", exclude_defaults=True))
    }
    names = [table.names[place] for place in places]
    rows = []
    for field in dict.fromkeys(name for fields in every for name in fields):
        texts = [_text(fields.get(field)) for fields in every]
        told = len({text for text in texts if text != _NO_FIELD}) > 1 or field in unusual
        if len(set(texts)) > 1 and told:
            rows.append({"Field": field, **dict(zip(names, texts, strict=True))})
    return pd.DataFrame([*_parts(recipes, names), *rows])


def _parts(recipes: Sequence[Recipe], names: Sequence[str]) -> list[dict[str, str]]:
    """A row for each part that some of the recipes have and others have not, in short words."""
    rows = []
    for part in ("prune", "cluster"):
        has = [getattr(recipe, part) for recipe in recipes]
        if None in has and any(has):
            short = [
                Recipe.parse({part: own.model_dump()}).name if own else _NO_FIELD for own in has
            ]
            rows.append({"Field": part, **dict(zip(names, short, strict=True))})
    return rows


def _best(table: Table, key: str, places: Sequence[int]) -> float | None:
    """The lowest cost among the variants; ``None`` where it would say nothing.

    That the baseline agrees with itself is no merit.
    """
    rivals = [place for place in places if key != "agreement" or place != table.baseline]
    costs = table.costs(key)[rivals]
    known = costs[np.isfinite(costs)]
    if len(known) < 2 or np.ptp(known) == 0:
        return None
    return None if key in ("latency", "ratio") and _is_noise(table, places) else float(known.min())


def _is_noise(table: Table, places: Sequence[int]) -> bool:
    """Whether the two fastest cannot be told apart: their ratios' intervals overlap."""
    ratios = table.values.get("ratio", np.full(len(table), np.nan))
    timed = [place for place in places if np.isfinite(ratios[place])]
    if len(timed) < 2:
        return False
    first, second = sorted(timed, key=lambda place: float(ratios[place]))[:2]
    return bool(table.intervals["ratio"][second][0] <= table.intervals["ratio"][first][1])


def _cell(table: Table, key: str, place: int, best: float | None) -> str:
    text = shown(table, key, place)
    if text == NOT_MEASURED:
        return text
    words = to_baseline(table, key, place)
    if key == "metric" and words and by_chance(table, place):
        words += ", may be chance"
    is_best = table.costs(key)[place] == best
    parts = ["★ best" if is_best else "", text, words]
    return " · ".join(part for part in parts if part)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names of the fields of nested dicts; a part that is absent has no fields."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flat(item, f"{path}.{name}" if path else str(name))
    elif value is not None:
        yield path, value


def _text(value: Any) -> str:
    if value is None:
        return _NO_FIELD
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
