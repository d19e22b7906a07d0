"""What opens a door, in texts: tokens, passwords, cookies, private keys; and hiding it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

HIDDEN = "[hidden]"
_NAMES = (
    r"(?:access_|id_|refresh_|xsrf_?|_streamlit_)?token|id_token_hint|client_secret|cookie_secret"
    r"|code_verifier|secret|password|passwd|api[_-]?key|authorization|(?:set-)?cookie|credentials?"
)
_SHORTEST = 8
"""Shorter values would hide parts of ordinary words."""
SECRET_NAME = re.compile(rf"(?:.*[_-])?(?:{_NAMES})", re.IGNORECASE)
_PATTERNS = (
    # A PEM private key, also when its end was cut off.
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
        ),
        HIDDEN,
    ),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # JSON web tokens, which sign-in uses.
    (re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), HIDDEN),
    # What a sign-in sends back in the address.
    (
        re.compile(r"([?&](?:code|state|nonce|provider)(?:=|%3D))[^\s&'\"#;,)>\]]+", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?<!\w)(\w{1,20}://)[^/\s:@\"']+:[^/\s@\"']+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"((?:set-)?cookie[\"']?\s*[:=]\s*)[^\r\n]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # name=value, name: value, "name": "value"; the value of a header may have two words.
    (
        re.compile(
            rf"((?:{_NAMES})(?:[\"']?\s*[:=]\s*|%3D))(?:(?:Bearer|Basic)\s+)?(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"'}})]+)",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
)


def without_secrets(text: str) -> str:
    """``text`` with whatever looks like a secret made unreadable."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def redactor(values: Iterable[str] = ()) -> Callable[[str], str]:
    """A function that takes secrets out of a text.

    Args:
        values: to hide wherever they stand, such as the key that signs cookies, beside whatever
            looks like a secret.
    """
    known = sorted({text for text in values if len(text) >= _SHORTEST}, key=len, reverse=True)
    any_of = re.compile("|".join(re.escape(text) for text in known)) if known else None

    def redact(text: str) -> str:
        shown = without_secrets(text)
        return any_of.sub(HIDDEN, shown) if any_of else shown

    return redact


def is_secret_name(name: str) -> bool:
    """Whether a field of this name is not to be written at all."""
    return SECRET_NAME.fullmatch(name) is not None
