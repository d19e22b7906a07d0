"""Which requests pass the gate, and what it adds to the answers."""

import asyncio
import socket

import pytest

from optimizer.access.identity import Rules
from serving import gate
from serving.gate import Gate
from serving.headers import page_policy
from serving.policy import Policy

CLOSED = Policy()
OPEN = Policy(allow_open=True)
SHARED = Policy(shared_only=True)
SIGNED = Policy(("default",), Rules(), "https://lab.example.org")
LAN = ("10.0.0.5", 8501)


def ask(policy, path="/", kind="http", method="GET", server=("127.0.0.1", 8501), **headers):
    """Status, headers and body of the answer; a socket that is let in gives 101."""
    sent = []
    scope = {
        "type": kind,
        "path": path,
        "scheme": headers.pop("scheme", "http"),
        "method": method,
        "server": server,
        "client": headers.pop("client", ("127.0.0.1", 5)),
        "headers": [
            (name.replace("_", "-").encode(), value.encode())
            for name, value in ({"host": "localhost:8501"} | headers).items()
        ],
    }

    async def app(scope, receive, send):
        if scope["path"] == "/fails":
            raise RuntimeError("inside")
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        given = [(b"Set-Cookie", b"a=b; Path=/"), (b"X-Frame-Options", b"ALLOWALL")]
        await send({"type": "http.response.start", "status": 200, "headers": given})
        await send({"type": "http.response.body", "body": b"inside"})

    async def send(message):
        sent.append(message)

    asyncio.run(Gate(app, policy)(scope, None, send))
    if kind == "websocket":
        return 101 if sent[0]["type"] == "websocket.accept" else 403
    return (
        sent[0]["status"],
        [(name.decode().lower(), value.decode()) for name, value in sent[0]["headers"]],
        sent[1]["body"].decode(),
    )


@pytest.mark.parametrize(
    ("policy", "asked", "sentence"),
    [
        (CLOSED, {"server": LAN}, gate.ELSEWHERE),
        (CLOSED, {"server": ("/run/app.sock", None)}, gate.ELSEWHERE),
        (CLOSED, {"server": None}, gate.ELSEWHERE),
        (CLOSED, {"x_forwarded_for": "1.2.3.4"}, gate.PROXY),
        (CLOSED, {"forwarded": "for=1.2.3.4"}, gate.PROXY),
        (CLOSED, {"host": "evil.example"}, gate.HOST),
        (CLOSED, {"host": "evil.example@localhost:8501"}, gate.HOST),
        (CLOSED, {"host": "[::1"}, gate.HOST),
        (CLOSED, {"method": "PUT", "origin": "https://evil.example"}, gate.ORIGIN),
        (CLOSED, {"method": "POST", "origin": "null"}, gate.ORIGIN),
        (SIGNED, {"server": LAN, "host": "evil.example"}, gate.HOST),
        (SIGNED, {"server": LAN, "host": "lab.example.org", "path": "/media/ab.png"}, gate.UNKNOWN),
        (SIGNED, {"path": "/_stcore/upload_file/a/b", "method": "PUT"}, gate.UNKNOWN),
        (SIGNED, {"path": "/media/x", "cookie": "_streamlit_user=forged"}, gate.UNKNOWN),
        (CLOSED, {"path": "/_stcore/metrics", "client": ("10.0.0.9", 5)}, "Not found."),
        (OPEN, {"path": "/_stcore/metrics", "server": LAN, "client": LAN}, "Not found."),
        (CLOSED, {}, None),
        (CLOSED, {"path": "/healthz", "host": "10.0.0.5"}, None),
        (OPEN, {"server": LAN, "host": "10.0.0.5:8501"}, None),
        (OPEN, {"server": LAN, "host": "evil.example"}, gate.HOST),
        (OPEN, {"server": LAN, "host": f"{socket.gethostname()}:8501"}, None),
        (SHARED, {"server": LAN, "host": "show.example.org", "x_forwarded_for": "1.2.3.4"}, None),
        (SIGNED, {"host": "lab.example.org", "x_forwarded_for": "1.2.3.4"}, None),
        (SIGNED, {"host": "LAB.example.org"}, None),
    ],
)
def test_who_passes(policy, asked, sentence):
    status, headers, body = ask(policy, **asked)
    assert body == (sentence or "inside")
    assert (status == 200) == (sentence is None)
    assert dict(headers)["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("policy", "host", "origin", "status"),
    [
        (CLOSED, "localhost:8501", "http://localhost:8501", 101),
        (CLOSED, "localhost:8501", "http://localhost:9999", 403),
        (CLOSED, "localhost:8501", "https://evil.example", 403),
        (CLOSED, "evil.example", "http://evil.example", 403),
        (OPEN, "10.0.0.5", "http://10.0.0.5", 101),
        (OPEN, "10.0.0.5", "http://localhost", 403),
        (SIGNED, "lab.example.org", "https://lab.example.org", 101),
        (SIGNED, "127.0.0.1:8501", "https://lab.example.org", 101),
        (SIGNED, "lab.example.org", "https://evil.example", 403),
    ],
)
def test_sockets_are_for_the_servers_own_pages(policy, host, origin, status):
    assert ask(policy, kind="websocket", host=host, origin=origin) == status


def test_behind_tls_cookies_are_secure_and_tls_stays():
    headers = dict(ask(SIGNED, host="lab.example.org", scheme="https")[1])
    assert headers["set-cookie"] == "a=b; Path=/; Secure"
    assert headers["strict-transport-security"].startswith("max-age=")
    headers = dict(ask(CLOSED)[1])
    assert headers["set-cookie"] == "a=b; Path=/"
    assert "strict-transport-security" not in headers


def test_what_people_brought_runs_nothing():
    headers = dict(ask(OPEN, path="/media/ab.svg")[1])
    assert "sandbox" in headers["content-security-policy"]
    assert headers["cache-control"] == "private, no-store"


def test_a_failure_inside_is_answered_with_the_headers(caplog):
    status, headers, body = ask(CLOSED, path="/fails")
    assert status == 500
    assert "inside" not in body
    assert dict(headers)["content-security-policy"] == page_policy()
    assert "A request failed" in caplog.text


def test_refusals_do_not_fill_the_log(caplog):
    closed = Gate(None, CLOSED)
    sent = []

    async def send(message):
        sent.append(message)

    async def many():
        for _ in range(50):
            await closed._refuse(
                {"type": "http", "path": "/x?y", "scheme": "http", "client": None},
                send,
                403,
                gate.HOST,
            )

    asyncio.run(many())
    assert len(sent) == 100
    assert len(caplog.records) == 1
