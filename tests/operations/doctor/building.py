"""Findings, and stores that are broken on purpose."""

from __future__ import annotations

import sqlite3
from pathlib import Path

ROOT = Path(__file__).parents[3]

GIB = 2**30


def says(check, text, remedy=""):
    """A finding with this in its text and in its remedy."""
    assert check.level == "finding", check
    assert check.remedy, check
    return text in check.text and remedy in check.remedy


def change(home, statement, *values):
    with sqlite3.connect(home / "featherweight.db") as database:
        database.execute(statement, values)
    database.close()
