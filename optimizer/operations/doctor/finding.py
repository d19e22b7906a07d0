"""What a check says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "finding"]


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Attributes:
        name: what was looked at, in a word or two.
        level: ``note`` is worth knowing and needs nothing done; ``finding`` is to be mended.
        text: what was found.
        remedy: of a finding, what to do.
    """

    name: str
    level: Level
    text: str
    remedy: str = ""


def ok(name: str, text: str) -> Check:
    """All is well."""
    return Check(name, "ok", text)


def note(name: str, text: str) -> Check:
    """Worth knowing."""
    return Check(name, "note", text)


def finding(name: str, text: str, remedy: str) -> Check:
    """To be mended."""
    return Check(name, "finding", text, remedy)


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of many, and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
