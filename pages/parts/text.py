"""Text for several pages: what people chose, put there as it is, and how tables are used."""

from __future__ import annotations

TABLE_KEYS = "By keys: arrows move, Shift and Space tick, Escape and Tab leave."
"""How a table whose rows can be ticked is used without a pointer."""
_MARKUP = frozenset(r"\`*_{}[]()#+!|<>$:~")


def plain(text: str) -> str:
    """Text of a person's for a place that takes Markdown: no markup, colours, icons or LaTeX."""
    return "".join(f"\\{char}" if char in _MARKUP else char for char in text)
