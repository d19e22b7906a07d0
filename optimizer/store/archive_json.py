"""JSON from strangers: bounded in depth, numbers and texts, then checked against a shape."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, StringConstraints, ValidationError

from optimizer.errors import InputError

M = TypeVar("M", bound=BaseModel)


def _time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Time = Annotated[str, StringConstraints(max_length=40), AfterValidator(_time)]

_DEEPEST = 16
_LONGEST_TEXT = 20_000


def parse_json(data: bytes, member: str, nan_is_null: bool = False) -> Any:
    """JSON whose depth, numbers and texts are bounded.

    Args:
        data: the text.
        member: its name, for the message.
        nan_is_null: read NaN and infinities, which diverged training gives, as null.

    Raises:
        InputError: it is not such JSON.
    """
    try:
        value = json.loads(data, parse_constant=_null if nan_is_null else _refuse_constant)
        _bounded(value, _DEEPEST)
    except (ValueError, RecursionError):
        raise InputError(
            f"The archive's {member} is not JSON that can be read. Export the study again."
        ) from None
    return value


def checked(shape: type[M], value: Any, member: str) -> M:
    """``value`` as the pydantic model ``shape``.

    Raises:
        InputError: naming the member, the field and what is wrong with it.
    """
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"The archive's {member} cannot be used at {where!r:.120}: {first['msg']}. "
            "Export the study again."
        ) from None


def _null(text: str) -> None:
    return None


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _bounded(value: Any, depth: int) -> None:
    if depth == 0:
        raise ValueError("too deep")
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            raise ValueError("too long a text")
        value.encode()  # half a surrogate pair cannot be stored
    elif isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError("too large a number")
    elif isinstance(value, float) and value in (float("inf"), float("-inf")):
        raise ValueError("too large a number")  # 1e999
    elif isinstance(value, list):
        for item in value:
            _bounded(item, depth - 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            _bounded(key, depth)
            _bounded(item, depth - 1)
