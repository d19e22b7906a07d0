"""Errors that are meant for a person: what was wrong, what was received, what to do next."""

from __future__ import annotations

import re

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_BREAKING = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line breaks, marks of direction, and halves of surrogate pairs."""
_LONGEST = 1_500
_BEFORE, _ABOVE = "Exception encountered: ", "Exception encountered when calling"
"""What Keras writes in front of the reason, and on the line above it."""


class FeatherweightError(Exception):
    """Base of every error whose text may be shown to a person as it is."""


class InputError(FeatherweightError, ValueError):
    """Something a person uploaded, typed or passed cannot be used.

    The text is one or two plain sentences: what is wrong, the value received, and the next
    step. The command line prints it and exits with code 2; pages show it as an error box.

    Args:
        message: may quote what a stranger named; what would break the line, move a terminal's
            cursor or turn the text around is written as an escape.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_one_line(message))


class StageError(FeatherweightError, RuntimeError):
    """A stage ended without a result: it raised, crashed, was killed or ran out of memory.

    Args:
        message: one sentence for a person.
        log: technical detail (a traceback), shown behind a click.
    """

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class CancelledError(FeatherweightError):
    """The person cancelled what was running."""


def _one_line(message: str) -> str:
    text = _BREAKING.sub(lambda match: repr(match.group())[1:-1], message)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def reason_of(error: Exception) -> str:
    """The line of a library's message that says what is wrong, without a full stop.

    That is the first line; where Keras wrapped it in messages of its own, the innermost one.
    """
    lines = [line.strip() for line in _COLOURS.sub("", str(error)).splitlines()]
    lines = [line for line in lines if line] or [type(error).__name__]
    reason = lines[0]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        text = line.removeprefix(_BEFORE)
        if text.startswith(_ABOVE) and following:
            reason = following
        elif text != line:
            reason = text
    return reason[:200].rstrip(".")
