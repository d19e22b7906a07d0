"""Any number of variants side by side: measures, and where their recipes differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from optimizer.comparison import NOT_MEASURED
from optimizer.explore.table import Table
from optimizer.explore.words import shown, to_baseline

_NO_FIELD = "–"


def side_by_side(table: Table, places: Sequence[int]) -> pd.DataFrame:
    """Measures as rows, variants as columns; each cell with its difference to the baseline.

    The best of a row says so, unless all are equal.

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
    """The recipes' fields in which the variants differ, with the names of the recipe's JSON."""
    recipes = [
        dict(_flat(table.variants[place].recipe.model_dump(mode="json"))) for place in places
    ]
    fields = dict.fromkeys(name for recipe in recipes for name in recipe)
    rows = []
    for name in fields:
        texts = [_text(recipe.get(name)) for recipe in recipes]
        if len(set(texts)) > 1:
            names = [table.names[place] for place in places]
            rows.append({"Field": name, **dict(zip(names, texts, strict=True))})
    return pd.DataFrame(rows)


def _best(table: Table, key: str, places: Sequence[int]) -> float | None:
    """The lowest cost among the variants; ``None`` where it would say nothing."""
    costs = table.costs(key)[list(places)]
    known = costs[np.isfinite(costs)]
    return float(known.min()) if len(known) > 1 and np.ptp(known) > 0 else None


def _cell(table: Table, key: str, place: int, best: float | None) -> str:
    text = shown(table, key, place)
    if text == NOT_MEASURED:
        return text
    words = to_baseline(table, key, place)
    parts = ["★ best" if table.costs(key)[place] == best else "", text, words]
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
