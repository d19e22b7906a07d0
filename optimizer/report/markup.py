"""HTML that cannot be broken out of: every text is escaped, unless it was made here."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any


class Markup(str):
    """A piece of HTML made by :func:`tag`; anything else is text and gets escaped."""

    __slots__ = ()


Piece = str | Iterable["Piece"] | None
_VOID = frozenset({"meta", "br", "hr", "input", "link"})


def escaped(text: object) -> Markup:
    """A text as HTML, for element content and quoted attributes alike."""
    return Markup(html.escape(str(text)))


def tag(name: str, /, *children: Any, **attributes: object) -> Markup:
    """An element.

    Args:
        name: from the code, never from data.
        children: texts (escaped), :class:`Markup`, nested lists of both; ``None`` is left out.
        attributes: ``class_`` and ``for_`` lose their underscore, others turn theirs into
            hyphens; ``True`` gives a bare attribute, ``None`` and ``False`` none.
    """
    shown = "".join(
        f" {_attribute(key)}" + ("" if value is True else f'="{escaped(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{shown}>")
    return Markup(f"<{name}{shown}>{joined(children)}</{name}>")


def joined(pieces: Iterable[Any]) -> Markup:
    """Pieces one after another."""
    parts = []
    for piece in pieces:
        if piece is None:
            continue
        if isinstance(piece, Markup):
            parts.append(str(piece))
        elif isinstance(piece, str):
            parts.append(str(escaped(piece)))
        else:
            parts.append(str(joined(piece)))
    return Markup("".join(parts))


def data_script(element_id: str, value: Any) -> Markup:
    """JSON for the page's script, in an element that no text inside can end."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(f'<script type="application/json" id="{element_id}">{text}</script>')


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
