"""In front of every request: is it one that this server answers? And what every response says.

Pure ASGI, outermost of all, so that it holds for pages, sockets, uploads, downloads, sign-in and
errors alike, and whatever way the server was started.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from streamlit import config
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from optimizer.access.addresses import is_local_name, is_loopback, is_own_name
from optimizer.errors import FeatherweightError
from serving.cookies import person_from_cookies
from serving.headers import is_media, security_headers
from serving.policy import Policy

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEALTH = "/healthz"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
_SAFE = ("GET", "HEAD", "OPTIONS")
_UPLOADS = "/_stcore/upload_file/"
_METRICS = "/_stcore/metrics"
_QUIET_SECONDS = 60.0
_log = logging.getLogger(__name__)

PROXY = (
    "This Featherweight has no sign-in, and the request came through a proxy, behind which "
    "everybody may be. Configure sign-in, or set FEATHERWEIGHT_ALLOW_OPEN=1 if everybody who "
    "reaches the proxy may do everything."
)
ELSEWHERE = (
    "This Featherweight has no sign-in and answers its own machine only. Configure sign-in, or "
    "set FEATHERWEIGHT_ALLOW_OPEN=1 if everybody on this network may do everything."
)
HOST = (
    "This Featherweight is not known by the name in the address. Open it by the address that it "
    "printed when it started, or add the name to server.allowedHosts."
)
ORIGIN = "The request comes from a page of another site. Open Featherweight itself."
UNKNOWN = "Sign in first: open the workbench's first page."


class Gate:
    """The middleware.

    Args:
        app: what is behind it.
        policy: who gets in.
    """

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app, self._policy = app, policy
        self._said: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, socket or server event."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await self._refuse(scope, send, *refusal)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        started = False
        headers = security_headers(scope["path"], tls=scope["scheme"] == "https")

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = _with(message["headers"], headers)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            if started:
                raise
            _log.exception("A request failed")
            await _answer(sending, 500, "Something went wrong here. Load the page again.")

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and sentence when the request is not answered."""
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        path, host = scope["path"], headers.get("host", "")
        forwarded = any(name in headers for name in _FORWARDED)
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
        needs_person = self._policy.sign_in and (is_media(path) or _UPLOADS in path)
        closed = not self._policy.guarded and not self._policy.allow_open
        checks: tuple[tuple[bool, int, str], ...] = (
            (closed and not _is_local(scope.get("server")), 403, ELSEWHERE),
            (closed and forwarded, 403, PROXY),
            (not path.endswith(HEALTH) and not self._host_is_known(host), 403, HOST),
            (changes and not self._origin_is_own(headers.get("origin"), host), 403, ORIGIN),
            (path.endswith(_METRICS) and (forwarded or not _is_near(scope)), 404, "Not found."),
            (needs_person and not self._is_known(headers), 401, UNKNOWN),
        )
        return next(((status, text) for fails, status, text in checks if fails), None)

    def _host_is_known(self, host: str) -> bool:
        """Against DNS rebinding: a page elsewhere whose name was made to lead here."""
        listed = config.get_option("server.allowedHosts")
        if listed and is_host_allowed(host):
            return True
        own = self._policy
        if own.sign_in:
            return host.lower() == urlsplit(own.origin).netloc.lower() or _names_here(host)
        if own.shared_only:
            return not listed
        return _names_here(host) or (own.allow_open and not listed and is_own_name(_name(host)))

    def _origin_is_own(self, origin: str | None, host: str) -> bool:
        """Whether no browser sent the request, or a page of this server did."""
        if origin is None:
            return True
        if origin == self._policy.origin or origin in config.get_option(
            "server.corsAllowedOrigins"
        ):
            return True
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()

    def _is_known(self, headers: Mapping[str, str]) -> bool:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
            values = {name: morsel.value for name, morsel in cookies.items()}
            return person_from_cookies(values, self._policy) is not None
        except (CookieError, FeatherweightError):
            return False

    async def _refuse(self, scope: Scope, send: Send, status: int, sentence: str) -> None:
        if time.monotonic() - self._said.get(sentence, -_QUIET_SECONDS) >= _QUIET_SECONDS:
            self._said[sentence] = time.monotonic()
            client = scope["client"][0] if scope.get("client") else "a socket"
            _log.warning("Refused %.200r from %s: %s", scope["path"], client, sentence)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = security_headers(scope["path"], tls=scope["scheme"] == "https")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with(message["headers"], headers)
            await send(message)

        await _answer(sending, status, sentence)


def _is_local(server: tuple[str, int | None] | None) -> bool:
    """Whether the address that was called is loopback; a Unix socket has no port, and is not."""
    return server is not None and server[1] is not None and is_loopback(server[0])


def _is_near(scope: Scope) -> bool:
    """Whether who asks sits on this machine."""
    client = scope.get("client")
    return client is not None and is_loopback(client[0])


def _names_here(host: str) -> bool:
    return is_local_name(_name(host))


def _name(host: str) -> str:
    """A ``Host`` without its port; an empty text when it is none."""
    try:
        return "" if "@" in host else urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _with(
    given: list[tuple[bytes, bytes]], headers: Mapping[str, str]
) -> list[tuple[bytes, bytes]]:
    """The response's headers with ours, which go over those of the same name."""
    secure = "strict-transport-security" in headers
    ours = [(name.encode(), value.encode()) for name, value in headers.items()]
    names = {name for name, _ in ours}
    kept = [(name, value) for name, value in given if name.lower() not in names]
    if secure:
        kept = [
            (name, value + b"; Secure")
            if name.lower() == b"set-cookie" and b"; secure" not in value.lower()
            else (name, value)
            for name, value in kept
        ]
    return kept + ours


async def _answer(send: Any, status: int, sentence: str) -> None:
    body = sentence.encode()
    start = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
