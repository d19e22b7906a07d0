"""JSON that people bring as recipes and grids: what is ambiguous or out of bounds is refused.

Python's own reader takes the last of two equal keys, reads NaN, which JSON has not, and turns a
number such as 1e999 into infinity; each would make a recipe mean something else than it says.
"""

from __future__ import annotations

import json
from typing import Any

from optimizer.errors import InputError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 64
MAX_DIGITS = 30


def load_plain(text: str | bytes) -> Any:
    """JSON without repeated keys, NaN, infinities and numbers of more than 30 digits.

    Raises:
        InputError: a sentence that begins with ``It``, for whoever knows what was read.
    """
    if len(text) > MAX_BYTES:
        raise InputError(
            f"It is larger than {MAX_BYTES // 1024} KiB; received {len(text):,} bytes."
        )
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_repetition,
            parse_constant=_no_constant,
            parse_int=_whole,
            parse_float=_real,
        )
    except RecursionError:
        raise InputError("It is nested deeper than any recipe.") from None
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"It is not valid JSON: {error}.") from None
    _bound_depth(value)
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InputError(f"It has the key {key[:80]!r} twice in one object. Keep one of them.")
        found[key] = value
    return found


def _no_constant(text: str) -> Any:
    raise InputError(f"It has the value {text}, which is no number in JSON. Write a number.")


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise InputError(
            f"It has a number of {len(digits):,} digits, {digits[:12]}…; no setting is that large."
        )
    return int(digits)


def _real(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise InputError(f"It has the number {digits[:40]}; no setting is that large.")
    return number


def _bound_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise InputError("It is nested deeper than any recipe.")
