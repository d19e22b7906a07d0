"""Between the rows of the database and the values that the store hands out."""

from __future__ import annotations

import gc
import json
import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import cache, lru_cache
from typing import Any, TypeVar

from pydantic import ValidationError

from optimizer.recipe import Recipe
from optimizer.store.database import RESTORE, StoreError

_JSON = frozenset(
    {
        *("facts", "environment", "results", "stages", "options", "numbers", "objective"),
        *("workers", "result", "choices", "figures", "violations", "intermediate"),
        "alternatives",
    }
)
_TUPLES = frozenset({"variant_ids"})
_BOOLEANS = frozenset({"is_baseline", "cancel_requested", "cached"})

R = TypeVar("R")


def from_row(kind: type[R], row: sqlite3.Row) -> R:
    """The record of type ``kind`` that a row with the same column names holds."""
    return from_rows(kind, [row])[0]


def from_rows(kind: type[R], rows: Sequence[sqlite3.Row]) -> list[R]:
    """The records of type ``kind`` that the rows of one SELECT hold."""
    if not rows:
        return []
    columns = rows[0].keys()
    plan = [(columns.index(name), decode) for name, decode in _decoders(kind)]  # type: ignore[arg-type]
    try:
        with _without_collection():
            return [kind(*[decode(row[index]) for index, decode in plan]) for row in rows]
    except (ValueError, TypeError) as error:
        raise StoreError(
            f"The store's database is damaged: a record of a {kind.__name__.lower()} cannot be "
            f"read. {RESTORE}",
            damaged=True,
        ) from error


@contextmanager
def _without_collection() -> Iterator[None]:
    """Reading makes no garbage; among thousands of new objects, looking for it takes longest."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def to_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Field values as SQLite stores them."""
    return {name: _encode(name, value) for name, value in values.items()}


def to_json(value: Any) -> str:
    """Compact JSON text; NaN and infinities, which diverged training gives, become null."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


@cache
def _decoders(kind: type) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """Each field's name and what turns its column into its value, in the fields' order."""
    return tuple((item.name, _decoder(item.name)) for item in fields(kind))


def _decoder(name: str) -> Callable[[Any], Any]:
    if name in _JSON:
        return _from_json
    if name in _TUPLES:
        return _tuple
    if name in _BOOLEANS:
        return bool
    return _recipe if name == "recipe" else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


_scan_json = json.JSONDecoder().raw_decode


def _from_json(text: str | None) -> Any:
    """Our own compact text; a third faster than ``json.loads``, which looks for white space."""
    return None if text is None else _scan_json(text)[0]


def _tuple(text: str) -> tuple[Any, ...]:
    return tuple(_from_json(text))


@lru_cache(maxsize=20_000)
def _recipe(text: str) -> Recipe:
    """Recipes are immutable, so that each is parsed once and not at every listing.

    Nothing in our own text has to be looked for as in a stranger's.
    """
    try:
        return Recipe.model_validate_json(text)
    except ValidationError:
        return Recipe.parse(text)  # which says what is wrong


def _encode(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _JSON or name in _TUPLES:
        return to_json(value)
    if name in _BOOLEANS:
        return int(value)
    return value.canonical_json() if name == "recipe" else value
