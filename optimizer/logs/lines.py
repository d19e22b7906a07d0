"""Between log records, JSON lines, and what a person reads."""

from __future__ import annotations

import json
import logging
import os
import traceback
from datetime import UTC, datetime
from typing import Any

from optimizer.logs.events import FIELDS
from optimizer.logs.secrets import HIDDEN, is_secret_name, without_secrets

TEXT_CHARACTERS = 16_000
"""Of a longer text, its end is kept: that of a traceback says what was wrong."""
_MOST_CHARACTERS = 200_000
_FIRST = ("time", "level", "event", "run", "study", "stage", "key", "seconds", "text")
_LAST = ("process", "pid", "logger", "traceback")


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, event, what it is about, and the rest.

    Args:
        process: ``engine`` or ``app``.
    """

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line, without its end."""
        return json.dumps(self.entry(record), ensure_ascii=False, separators=(",", ":"))

    def entry(self, record: logging.LogRecord) -> dict[str, Any]:
        """The line's fields."""
        own = getattr(record, FIELDS, None)
        said = record.getMessage()
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            **({"event": "message", "text": said} if own is None else {"event": said, **own}),
            "process": self._process,
            "pid": os.getpid(),
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            # Who hides secrets in records leaves this text, without them.
            trace = record.exc_text or "".join(traceback.format_exception(error))
            said = f"{type(error).__name__}: {error}"
            fields["error"] = said if said in trace else trace.rstrip().rpartition("\n")[2]
            fields["traceback"] = trace
        middle = sorted(set(fields) - set(_FIRST) - set(_LAST))
        order = (*_FIRST, *middle, *_LAST)
        return {name: _clean(name, fields[name]) for name in order if name in fields}


class Readable(logging.Formatter):
    """A record as a person reads it, for a terminal or the system's journal."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = JsonLines("")

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback below it."""
        return in_words(self._lines.entry(record))


def readable(text: str) -> str:
    """The lines of a log as a person reads them; what is not JSON stays as it is."""
    return "\n".join(_read(line) for line in text.splitlines())


def in_words(entry: dict[str, Any]) -> str:
    """``2026-11-26 10:00:00 INFO stage_done run=… stage=prune seconds=3.2``."""
    head = f"{str(entry.get('time', ''))[:19].replace('T', ' ')} {entry.get('level', '')}"
    said = str(entry.get("text") or entry.get("event") or "")
    named = {"time", "level", "text", "process", "pid", "logger", "traceback"}
    if "text" not in entry or entry.get("event") == "message":
        named.add("event")
    rest = " ".join(
        f"{name}={value}" for name, value in entry.items() if name not in named and value != ""
    )
    line = _printable(" ".join(part for part in (head, said, rest) if part))
    return f"{line}\n{_below(entry['traceback'])}" if entry.get("traceback") else line


def _printable(text: str) -> str:
    """Without what moves a terminal's cursor; further lines cannot pass for entries."""
    kept = "".join(c if c in "\n\t" or c.isprintable() else "\ufffd" for c in text.rstrip())
    return kept.replace("\n", "\n    ")


def _below(text: Any) -> str:
    return "    " + _printable(str(text))


def _read(line: str) -> str:
    if line.startswith("{"):
        try:
            entry = json.loads(line)
        except ValueError:
            return line
        if isinstance(entry, dict):
            return in_words(entry)
    return line


def _clean(name: str, value: Any) -> Any:
    """A value that JSON has, without secrets, of bounded size."""
    if is_secret_name(name):
        return HIDDEN
    if isinstance(value, dict):
        return {str(key): _clean(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", item) for item in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6) if value - value == 0 else str(value)
    text = without_secrets(str(value)[-_MOST_CHARACTERS:])
    if len(text) > TEXT_CHARACTERS:
        text = "…" + text[-TEXT_CHARACTERS:]
    return text.encode(errors="replace").decode()
