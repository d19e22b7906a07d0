"""Saying that something happened, with what it is about."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

FIELDS = "featherweight_fields"
"""The attribute of a log record that holds an event's fields."""

_about: ContextVar[Mapping[str, Any] | None] = ContextVar("about", default=None)

# Without this, Python writes warnings of a process that set up no logging to its stderr.
logging.getLogger("optimizer").addHandler(logging.NullHandler())


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """What every line is about that is logged inside, also in tasks that begin there.

    Args:
        fields: such as ``run`` and ``study``; ``None`` is left out.
    """
    token = _about.set({**current(), **_known(fields)})
    try:
        yield
    finally:
        _about.reset(token)


def current() -> dict[str, Any]:
    """What the present task's lines are about."""
    return dict(_about.get() or {})


def event(
    logger: logging.Logger,
    name: str,
    *,
    level: int = logging.INFO,
    error: BaseException | None = None,
    **fields: Any,
) -> None:
    """Log that something happened.

    Args:
        logger: of the module that says so.
        name: what, in a word or two: ``stage_done``.
        level: of :mod:`logging`.
        error: an exception whose traceback belongs to it.
        fields: JSON-able values; ``None`` is left out. They go over what :func:`about` says.
    """
    if logger.isEnabledFor(level):
        logger.log(level, name, extra={FIELDS: {**current(), **_known(fields)}}, exc_info=error)


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
