"""After signing in, back to the address that was asked for; Streamlit leads to the first page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_COOKIE = "featherweight_return"
_SECONDS = 600
_PLACE = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,1000}")
"""A path on this server: never another host, no line ends, no backslash."""


class ReturnAfterSignIn:
    """The middleware: keeps the page's address in a cookie while the provider is asked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; all but the two of a sign-in pass as they are."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.endswith(("/auth/login", "/oauth2callback")):
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message["headers"])
                if path.endswith("/auth/login"):
                    message["headers"] = given + _remember(headers)
                else:
                    message["headers"] = _lead_back(message["status"], given, headers)
            await send(message)

        await self._app(scope, receive, sending)


def _remember(headers: dict[bytes, str]) -> list[tuple[bytes, bytes]]:
    came = urlsplit(headers.get(b"referer", ""))
    place = came.path + (f"?{came.query}" if came.query else "")
    if came.netloc != headers.get(b"host") or not _PLACE.fullmatch(place):
        return []
    return [_cookie(quote(place, safe=""), _SECONDS)]


def _lead_back(
    status: int, given: list[tuple[bytes, bytes]], headers: dict[bytes, str]
) -> list[tuple[bytes, bytes]]:
    found = re.search(rf"(?:^|;\s*){_COOKIE}=([^;\s]*)", headers.get(b"cookie", ""))
    if found is None:
        return given
    place = unquote(found[1])
    if status == 302 and _PLACE.fullmatch(place):
        given = [
            (name, place.encode() if name.lower() == b"location" else value)
            for name, value in given
        ]
    return [*given, _cookie("", 0)]


def _cookie(value: str, seconds: int) -> tuple[bytes, bytes]:
    text = f"{_COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"
    return b"set-cookie", text.encode()
