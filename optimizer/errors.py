"""Errors that are meant for a person: what was wrong, what was received, what to do next."""

from __future__ import annotations


class FeatherweightError(Exception):
    """Base of every error whose text may be shown to a person as it is."""


class InputError(FeatherweightError, ValueError):
    """Something a person uploaded, typed or passed cannot be used.

    The text is one or two plain sentences: what is wrong, the value received, and the next
    step. The command line prints it and exits with code 2; pages show it as an error box.
    """


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
