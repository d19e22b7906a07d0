"""Keeping secrets out of logs: of every log record of a process, whoever writes it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from optimizer.logs.secrets import redactor

_TAKEN_APART = "uvicorn.access"
"""Its formatter wants the five arguments; a request's address, with all it holds, is one."""


def hide_in_logs(values: Iterable[str] = ()) -> None:
    """Take secrets out of every log record that this process makes from now on.

    Args:
        values: of this installation, hidden wherever they stand.
    """
    redact, make = redactor(values), logging.getLogRecordFactory()
    base = getattr(make, "featherweight_base", make)

    def make_redacted(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = base(*args, **kwargs)
        if isinstance(record.args, tuple):
            record.args = tuple(_redacted(item, redact) for item in record.args)
        elif isinstance(record.args, Mapping):
            record.args = {key: _redacted(item, redact) for key, item in record.args.items()}
        _redact_message(record, redact)
        if record.exc_info and record.exc_info[0] is not None:
            # A formatter uses this text when it is there, and so never writes its own.
            record.exc_text = redact("".join(traceback.format_exception(*record.exc_info)).strip())
        return record

    make_redacted.featherweight_base = base  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make_redacted)


def _redact_message(record: logging.LogRecord, redact: Callable[[str], str]) -> None:
    """Hide what only the whole message shows to be a secret; else its arguments stay apart."""
    if record.name == _TAKEN_APART:
        return
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):  # arguments that do not fit, as logging will say
        record.msg = redact(str(record.msg))
        return
    shown = redact(message)
    if shown != message:
        record.msg, record.args = shown, ()


def _redacted(item: Any, redact: Callable[[str], str]) -> Any:
    """The same object, unless its text has a secret."""
    if isinstance(item, bool | int | float | None):
        return item
    text = str(item)
    shown = redact(text)
    return item if shown == text else shown
