"""Text that people chose, put on the page as it is."""

from __future__ import annotations

_MARKUP = frozenset(r"\`*_{}[]()#+!|<>$:~")


def plain(text: str) -> str:
    """Text of a person's for a place that takes Markdown: no markup, colours, icons or LaTeX."""
    return "".join(f"\\{char}" if char in _MARKUP else char for char in text)
