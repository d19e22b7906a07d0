"""Keeping secrets out of logs: of every log record of a process, whoever writes it."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

HIDDEN = "[hidden]"
_PARAMETERS = re.compile(
    r"(?i)((?:[?&](?:code|state|nonce|provider)|\b(?:token|id_token|id_token_hint|access_token|"
    r"refresh_token|client_secret|cookie_secret|code_verifier))(?:=|%3D|['\"]?\s*:\s*['\"]))"
    r"[^\s&'\"#;,)>\]]+"
)
"""What follows the names of secrets in addresses, forms and JSON."""
_SHORTEST = 8
"""Shorter secrets would hide parts of ordinary words."""


def redactor(secrets: Iterable[str] = ()) -> Callable[[str], str]:
    """A function that takes secrets out of a text.

    Args:
        secrets: values to hide wherever they stand, such as the key that signs cookies.
    """
    known = sorted({text for text in secrets if len(text) >= _SHORTEST}, key=len, reverse=True)
    values = re.compile("|".join(re.escape(text) for text in known)) if known else None

    def redact(text: str) -> str:
        shown = _PARAMETERS.sub(rf"\1{HIDDEN}", text)
        return values.sub(HIDDEN, shown) if values else shown

    return redact


def hide_in_logs(secrets: Iterable[str] = ()) -> None:
    """Take secrets out of every log record that this process makes from now on."""
    redact, make = redactor(secrets), logging.getLogRecordFactory()
    base = getattr(make, "featherweight_base", make)

    def make_redacted(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = base(*args, **kwargs)
        record.msg = redact(record.msg) if isinstance(record.msg, str) else record.msg
        if isinstance(record.args, tuple):
            record.args = tuple(_redacted(item, redact) for item in record.args)
        elif isinstance(record.args, Mapping):
            record.args = {key: _redacted(item, redact) for key, item in record.args.items()}
        if record.exc_info and record.exc_info[0] is not None:
            # A formatter uses this text when it is there, and so never writes its own.
            record.exc_text = redact("".join(traceback.format_exception(*record.exc_info)).strip())
        return record

    make_redacted.featherweight_base = base  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make_redacted)


def _redacted(item: Any, redact: Callable[[str], str]) -> Any:
    """The same object, unless its text has a secret."""
    if isinstance(item, bool | int | float | None):
        return item
    text = str(item)
    shown = redact(text)
    return item if shown == text else shown
