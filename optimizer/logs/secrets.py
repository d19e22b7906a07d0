"""Keeping out of the logs what opens a door: tokens, passwords, cookies, private keys."""

from __future__ import annotations

import re

HIDDEN = "***"
_NAMES = (
    r"(?:access_|id_|refresh_|xsrf_?|_streamlit_)?token|client_secret|cookie_secret|secret|password"
    r"|passwd|api[_-]?key|authorization|(?:set-)?cookie|credentials?"
)
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
    (re.compile(r"([?&](?:code|state|nonce)=)[^&\s\"']+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(?<!\w)(\w{1,20}://)[^/\s:@\"']+:[^/\s@\"']+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"((?:set-)?cookie[\"']?\s*[:=]\s*)[^\r\n]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # name=value, name: value, "name": "value"; the value of a header may have two words.
    (
        re.compile(
            rf"((?:{_NAMES})[\"']?\s*[:=]\s*)(?:(?:Bearer|Basic)\s+)?(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"'}})]+)",
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


def is_secret_name(name: str) -> bool:
    """Whether a field of this name is not to be written at all."""
    return SECRET_NAME.fullmatch(name) is not None
