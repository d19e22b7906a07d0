"""What this server was told about who gets in, read once, so that it cannot fall open later."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from streamlit import config
from streamlit.errors import StreamlitSecretNotFoundError

from optimizer.access.identity import Rules
from optimizer.errors import InputError

DEFAULT_PROVIDER = "default"
_SHORTEST_SECRET = 32
_OF_CLIENT = ("client_id", "client_secret", "server_metadata_url")
_AUTHLIB = (1, 3, 2)


@dataclass(frozen=True)
class Policy:
    """Who gets into this server.

    Attributes:
        providers: the identity providers' names as ``st.login`` takes them; none: nobody signs in.
        rules: who of those who sign in may stay.
        origin: scheme and host of the redirect address, where browsers reach the server.
        shared_only: whether it shows shared studies and nothing else.
        allow_open: whether it was said explicitly that everybody may do everything.
        secrets: values that no log may show.
    """

    providers: tuple[str, ...] = ()
    rules: Rules = field(default_factory=Rules)
    origin: str = ""
    shared_only: bool = False
    allow_open: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def sign_in(self) -> bool:
        """Whether people have to sign in. A server of shared studies shows them to everybody."""
        return bool(self.providers) and not self.shared_only

    @property
    def guarded(self) -> bool:
        """Whether the server may be reached by others as it is."""
        return self.sign_in or self.shared_only


_frozen: list[Policy] = []


def freeze() -> Policy:
    """Read the policy and keep it: a file that changes or goes cannot let anybody in later.

    Raises:
        InputError: sign-in is configured, and not so that it works.
    """
    _frozen[:] = [read_policy()]
    return _frozen[0]


def frozen() -> Policy | None:
    """The policy that this process keeps, once it serves."""
    return _frozen[0] if _frozen else None


def policy() -> Policy:
    """The policy that this process keeps, or, where no server runs, what it would be."""
    return frozen() or read_policy()


def read_policy() -> Policy:
    """The policy that the environment and ``secrets.toml`` say now; see :func:`freeze`."""
    shared, opened = _flag("FEATHERWEIGHT_SHARED_ONLY"), _flag("FEATHERWEIGHT_ALLOW_OPEN")
    secrets = _secrets()
    hidden = [str(config.get_option("server.cookieSecret") or "")]
    auth = secrets.get("auth")
    if auth is None:
        if "access" in secrets:
            raise InputError(
                "secrets.toml has [access] and no [auth]: nobody could sign in to be on a list. "
                "Add [auth] as the README shows, or remove [access]."
            )
        return Policy(shared_only=shared, allow_open=opened, secrets=tuple(hidden))
    if not isinstance(auth, Mapping):
        raise InputError("auth in secrets.toml is a section, [auth]; the README shows one.")
    providers = _providers(auth)
    _check_environment()
    sections = [auth, *(auth[name] for name in providers if name != DEFAULT_PROVIDER)]
    hidden += [str(part.get(key, "")) for part in sections for key in _HIDDEN]
    return Policy(
        providers,
        Rules.parse(secrets.get("access", {})),
        _origin(str(auth["redirect_uri"])),
        shared_only=shared,
        allow_open=opened,
        secrets=tuple(text for text in hidden if text),
    )


_HIDDEN = ("cookie_secret", "client_secret")


def _flag(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


def _secrets() -> Mapping[str, Any]:
    """What ``secrets.toml`` holds; a file that cannot be read must not mean that all come in."""
    try:
        return st.secrets.to_dict()
    except StreamlitSecretNotFoundError as error:
        if getattr(error, "error_id", "") == "no-secrets-found":
            return {}
        raise InputError(
            "secrets.toml cannot be read, so it is not known who may come in. Mend the file: it "
            "has to be valid TOML and readable for this user."
        ) from None


def _providers(auth: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the providers, each complete."""
    for key in ("redirect_uri", "cookie_secret"):
        if not auth.get(key):
            raise InputError(f"[auth] in secrets.toml lacks {key}; the README shows a whole one.")
    if len(str(auth["cookie_secret"])) < _SHORTEST_SECRET:
        raise InputError(
            f"cookie_secret in [auth] of secrets.toml has fewer than {_SHORTEST_SECRET} "
            "characters, and who guesses it can be anybody. Make one with: python3 -c "
            "'import secrets; print(secrets.token_urlsafe(32))'"
        )
    named = {name: part for name, part in auth.items() if isinstance(part, Mapping)}
    named.pop("client_kwargs", None)
    if any(key in auth for key in _OF_CLIENT):
        named = {DEFAULT_PROVIDER: auth} | named
    if not named:
        raise InputError(
            f"[auth] in secrets.toml names no identity provider: it lacks {', '.join(_OF_CLIENT)}."
        )
    for name, part in named.items():
        missing = [key for key in _OF_CLIENT if not part.get(key)]
        if missing:
            section = "[auth]" if name == DEFAULT_PROVIDER else f"[auth.{name}]"
            raise InputError(f"{section} in secrets.toml lacks {', '.join(missing)}.")
    return tuple(named)


def _origin(redirect_uri: str) -> str:
    address = redirect_uri.replace("{port}", str(config.get_option("server.port")))
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(
            "redirect_uri in [auth] of secrets.toml is the address of this workbench with "
            f"/oauth2callback, such as https://lab.example.org/oauth2callback; received "
            f"{redirect_uri!r:.120}."
        )
    if not parts.path.endswith("/oauth2callback"):
        raise InputError(
            "redirect_uri in [auth] of secrets.toml ends with /oauth2callback; received "
            f"{redirect_uri!r:.120}."
        )
    return f"{parts.scheme}://{parts.netloc}"


def _check_environment() -> None:
    """What else would make sign-in fail, or worth nothing."""
    if config.get_option("server.trustedUserHeaders"):
        raise InputError(
            "server.trustedUserHeaders lets whoever reaches this server say who they are. Remove "
            "it from the configuration when people sign in."
        )
    if not config.get_option("server.enableXsrfProtection"):
        raise InputError("Sign-in needs server.enableXsrfProtection; set it to true again.")
    try:
        found = tuple(int(part) for part in version("authlib").split(".")[:3])
    except (PackageNotFoundError, ValueError):
        found = (0,)
    if found < _AUTHLIB:
        raise InputError(
            "Sign-in needs Authlib 1.3.2 or newer, which is not installed. Run make install."
        )
