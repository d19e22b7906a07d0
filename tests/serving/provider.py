"""A small OpenID Connect provider on loopback: discovery, authorization code with PKCE, keys."""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "featherweight-tests"
PEOPLE = {
    "ada": {
        "sub": "1001",
        "name": "Ada Lovelace",
        "email": "ada@example.org",
        "email_verified": True,
    },
    "bob": {"sub": "1002", "name": "Bob", "email": "bob@example.org", "email_verified": True},
    "eve": {"sub": "1003", "name": "Eve", "email": "eve@elsewhere.net", "email_verified": True},
}


class Provider:
    """The provider; its page asks who signs in, and checks no password.

    Attributes:
        issuer: its address.
        secret: of the one client.
        issued: every secret that it gave out: codes and tokens.
    """

    def __init__(self):
        self.secret = secrets.token_urlsafe(24)
        self.issued = []
        self.key = RSAKey.generate_key(2048, {"kid": "tests", "use": "sig"})
        self.codes = {}
        handler = type("Handler", (_Handler,), {"provider": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def discovery(self):
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/end",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def authorize(self, asked):
        """Remember a request for ``who`` and return where the browser goes with its code."""
        code = secrets.token_urlsafe(24)
        self.issued.append(code)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def exchange(self, form, client):
        """Tokens for a code, once, for the client that asked and proves it."""
        asked = self.codes.pop(form["code"])
        assert client == (CLIENT, self.secret)
        assert form["redirect_uri"] == asked["redirect_uri"]
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 600,
            "nonce": asked["nonce"],
            **PEOPLE[asked["who"]],
        }
        token = jwt.encode({"alg": "RS256", "kid": "tests"}, claims, self.key)
        access = secrets.token_urlsafe(24)
        self.issued += [token, access]
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": 600,
            "id_token": token,
        }


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self):
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            self._json(self.provider.discovery())
        elif parts.path == "/keys":
            self._json({"keys": [self.provider.key.as_dict(private=False)]})
        elif parts.path == "/authorize" and "who" in asked:
            self._redirect(self.provider.authorize(asked))
        elif parts.path == "/authorize":
            links = "".join(
                f'<p><a href="/authorize?{urlencode({**asked, "who": who})}">{who}</a></p>'
                for who in PEOPLE
            )
            self._send(200, "text/html", f"<h1>Who are you?</h1>{links}".encode())
        elif parts.path == "/end":
            self._redirect(asked["post_logout_redirect_uri"])
        else:
            self._send(404, "text/plain", b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        client = tuple(base64.b64decode(given).decode().split(":", 1))
        self._json(self.provider.exchange(form, client))

    def _json(self, value):
        self._send(200, "application/json", json.dumps(value).encode())

    def _redirect(self, place):
        self.send_response(302)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
