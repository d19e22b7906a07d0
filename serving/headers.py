"""What every response tells the browser to refuse."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

import streamlit

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_COMMON = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Links for reading hold their token in the address: no other site may learn it.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "accelerometer=(), camera=(), display-capture=(), geolocation=(), "
    "gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=(), "
    "clipboard-write=(self)",
}
_SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
"""For what people brought or made: shown, it runs nothing and is of no origin."""
_YEAR = 31_536_000


def security_headers(path: str, *, tls: bool) -> dict[str, str]:
    """The headers for a response.

    Args:
        path: of the request, below the base address.
        tls: whether the browser came over TLS; only then may it be told to insist on it.
    """
    headers = dict(_COMMON)
    headers["content-security-policy"] = _SANDBOX if is_media(path) else page_policy()
    if is_media(path):
        headers["cache-control"] = "private, no-store"
    if tls:
        headers["strict-transport-security"] = f"max-age={_YEAR}"
    return headers


def is_media(path: str) -> bool:
    """Whether a path serves what sessions made: charts' images, downloads."""
    return "/media/" in path and "/static/" not in path


@cache
def page_policy() -> str:
    """The content security policy of the pages.

    Scripts come from this server alone; the one inside Streamlit's own page is named by its
    hash. Plotly draws parallel coordinates with code that it writes as it goes (regl), hence
    ``unsafe-eval``: what is injected into a page still does not run, which inline scripts would.
    Styles may stand inline, because Streamlit writes them as it draws. Plotly and the tables make
    pictures as ``blob:`` and ``data:``.
    """
    page = Path(streamlit.__file__).parent / "static" / "index.html"
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in _INLINE.findall(page.read_text())
    ]
    scripts = " ".join(["'self'", "'unsafe-eval'", *(f"'sha256-{found}'" for found in hashes)])
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "media-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-src 'none'",
            "frame-ancestors 'none'",
        )
    )
