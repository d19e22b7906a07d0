"""From what an identity provider says of somebody to a person of this workbench, or a refusal."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.errors import InputError

HOURS = 12.0
"""How long a sign-in counts by default: a working day, so that who leaves is out the next one."""
_LISTS = ("allowed_emails", "allowed_domains", "administrators")


@dataclass(frozen=True)
class Rules:
    """Who may come in; the section ``[access]`` of ``secrets.toml``.

    Attributes:
        allowed_emails: lower-case addresses; with ``allowed_domains`` empty, everybody whom the
            identity provider lets in.
        allowed_domains: lower-case, what follows the ``@``.
        administrators: addresses of those who may change how the engine works.
        require_verified_email: whether an address counts only when the provider says that it
            checked it. Without, whoever can type an address at the provider can be anybody.
        hours: how long a sign-in counts.
    """

    allowed_emails: tuple[str, ...] = ()
    allowed_domains: tuple[str, ...] = ()
    administrators: tuple[str, ...] = ()
    require_verified_email: bool = True
    hours: float = HOURS

    @classmethod
    def parse(cls, section: Mapping[str, Any]) -> Rules:
        """The rules in a section.

        Raises:
            InputError: a key is not known, or a value is of another kind; names it.
        """
        unknown = sorted(set(section) - set(cls.__dataclass_fields__))
        if unknown:
            raise InputError(
                f"[access] in secrets.toml has {', '.join(unknown)}, which is not known. "
                f"Known are {', '.join(cls.__dataclass_fields__)}."
            )
        values: dict[str, Any] = {name: _addresses(name, section.get(name, ())) for name in _LISTS}
        verified = section.get("require_verified_email", True)
        hours = section.get("hours", HOURS)
        if not isinstance(verified, bool):
            raise InputError(
                "require_verified_email in [access] of secrets.toml is true or false; "
                f"received {verified!r:.60}."
            )
        if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= 720:
            raise InputError(
                f"hours in [access] of secrets.toml is a number up to 720; received {hours!r:.60}."
            )
        return cls(**values, require_verified_email=verified, hours=float(hours))

    @property
    def lists_somebody(self) -> bool:
        """Whether only those on a list come in."""
        return bool(self.allowed_emails or self.allowed_domains)


@dataclass(frozen=True)
class Person:
    """Somebody who signed in.

    Attributes:
        owner: what their records carry; see :func:`owner_of`.
        name: for display only; kept nowhere.
        email: as the provider said it, lower-case, or an empty text; kept nowhere.
        administrator: whether they may change how the engine works.
    """

    owner: str
    name: str
    email: str
    administrator: bool


def owner_of(issuer: str, subject: str) -> str:
    """Who owns a record: 32 hexadecimal digits of the SHA-256 of issuer and subject.

    The pair is what OpenID Connect promises to be of one person for good (Core 1.0, section 5.7);
    names and addresses are not, and a store that leaks should not list them.
    """
    return hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest()[:32]


def person_of(claims: Mapping[str, Any], rules: Rules, now: float | None = None) -> Person:
    """The person whom verified claims of an ID token describe.

    Args:
        claims: of the ID token; their signature was checked when they came.
        rules: who may come in.
        now: seconds since the epoch, by default the clock's.

    Raises:
        InputError: they may not come in, or have to sign in anew; says which.
    """
    issuer, subject = claims.get("iss"), claims.get("sub")
    if not (isinstance(issuer, str) and issuer and isinstance(subject, str) and subject):
        raise InputError(
            "The identity provider did not say who you are: its token has no issuer or subject. "
            "Ask whoever runs this workbench to look at the provider's settings."
        )
    issued = claims.get("iat")
    age = (time.time() if now is None else now) - issued if isinstance(issued, int | float) else 0.0
    if age > rules.hours * 3600:
        raise InputError(f"You signed in more than {rules.hours:g} hours ago. Sign in again.")
    email = str(claims.get("email") or "").strip().lower()
    trusted = claims.get("email_verified") is True or not rules.require_verified_email
    if rules.lists_somebody:
        _check_listed(email, rules, trusted=trusted)
    name = str(claims.get("name") or email or "Signed in")
    return Person(
        owner_of(issuer, subject), name[:120], email, trusted and email in rules.administrators
    )


def _check_listed(email: str, rules: Rules, *, trusted: bool) -> None:
    if not email:
        raise InputError(
            "Only listed e-mail addresses may use this workbench, and the identity provider gave "
            "none. Allow it to share your address, or ask whoever runs this workbench."
        )
    if not trusted:
        raise InputError(
            f"The identity provider has not verified the address {email:.120}. Verify it there, "
            "then sign in again."
        )
    domain = email.rpartition("@")[2]
    if email not in rules.allowed_emails and domain not in rules.allowed_domains:
        raise InputError(
            f"{email:.120} may not use this workbench. Sign in with another account, or ask "
            "whoever runs it to add your address."
        )


def _addresses(name: str, value: Any) -> tuple[str, ...]:
    listed = isinstance(value, list | tuple)
    if not listed or not all(isinstance(item, str) for item in value):
        raise InputError(
            f"{name} in [access] of secrets.toml is a list of texts, such as "
            f'["ada@example.org"]; received {value!r:.60}.'
        )
    return tuple(item.strip().lower().removeprefix("@") for item in value)
