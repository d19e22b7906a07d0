"""What the benchmarks found: printed at once, and kept as a page of the docs, part by part."""

from __future__ import annotations

import platform
import re
from datetime import UTC, datetime
from pathlib import Path

from optimizer.engine.environment import processor_name
from optimizer.settings import available_cores

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
_HEAD = """# Benchmarks

Made by `make bench`. Absolute times depend on the machine; ratios are between two things that
were measured in one run. "Asked" is what the project wants of itself.
"""
_rows: list[tuple[str, str, str]] = []


def row(what: str, figure: str, asked: str = "") -> None:
    """One line of the present part's table."""
    print(f"{what:66} {figure}{f'   (asked: {asked})' if asked else ''}", flush=True)
    _rows.append((what, figure, asked))


def keep_part(title: str, seconds: float) -> None:
    """Put the rows since the last part into the page, in place of an earlier part of this title."""
    parts = _parts(PAGE.read_text() if PAGE.exists() else _HEAD)
    lines = [f"| {' | '.join(cells)} |" for cells in _rows]
    when = f"{datetime.now(UTC):%Y-%m-%d}"
    machine = f"{processor_name()}, {available_cores()} cores, {platform.system()}"
    parts[title] = "\n".join(
        (
            f"\n{machine}; {when}; {seconds / 60:.1f} minutes.\n",
            "| measured | figure | asked |\n|---|---|---|",
            *lines,
            "",
        )
    )
    _rows.clear()
    sections = (f"\n## {name}\n{text}" for name, text in parts.items())
    PAGE.write_text(_HEAD + "".join(sections))


def _parts(text: str) -> dict[str, str]:
    """Title → text of each part of the page."""
    pieces = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    return {
        title: body.rstrip("\n") + "\n"
        for title, body in zip(pieces[::2], pieces[1::2], strict=True)
    }
