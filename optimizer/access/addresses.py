"""Which network addresses are this machine's own, where nobody else can knock."""

from __future__ import annotations

import ipaddress
import socket

from optimizer.errors import InputError

LOCAL_NAMES = ("localhost",)


def is_loopback(address: str) -> bool:
    """Whether an address is reached from this machine alone.

    Args:
        address: an IP address, in brackets or not, or a name, of which every address counts.
            A name that has none is not loopback.
    """
    text = address.strip().removeprefix("[").removesuffix("]")
    found = _ip(text)
    if found is not None:
        return found.is_loopback
    try:
        known = {str(entry[4][0]) for entry in socket.getaddrinfo(text, None)}
    except (OSError, UnicodeError):
        return False
    return bool(known) and all((ip := _ip(one)) is not None and ip.is_loopback for one in known)


def is_local_name(host: str) -> bool:
    """Whether a ``Host`` without its port names this machine itself, whatever a resolver says.

    A page elsewhere can make its own name resolve to 127.0.0.1 (DNS rebinding); it cannot make
    the browser send one of these.
    """
    name = host.lower().rstrip(".").removeprefix("[").removesuffix("]")
    found = _ip(name)
    if found is not None:
        return found.is_loopback
    return name in LOCAL_NAMES or name.endswith(".localhost")


def is_own_name(host: str) -> bool:
    """Whether a ``Host`` without its port is an IP address or this machine's name in its network.

    Neither can be made to lead elsewhere by whoever owns some other name.
    """
    name = host.lower().rstrip(".").removeprefix("[").removesuffix("]")
    own = socket.gethostname().lower()
    return _ip(name) is not None or (bool(own) and name in (own, f"{own}.local"))


def refuse_unless_guarded(address: str | None, *, guarded: bool, opened: bool) -> None:
    """Refuse to serve an address that others reach, when nobody has to sign in there.

    Args:
        address: to listen on; ``None`` is every address of this machine.
        guarded: whether people sign in, or the server shows shared studies alone.
        opened: whether it was said explicitly that everybody may come in.

    Raises:
        InputError: in words, with what to do.
    """
    if guarded or opened:
        return
    if address and not address.startswith("unix:") and is_loopback(address):
        return
    raise InputError(
        f"Featherweight does not listen on {address or 'every address of this machine'}: nobody "
        "has to sign in, so whoever reaches it could read and delete every study. Leave "
        "--server.address at 127.0.0.1, or configure sign-in in .streamlit/secrets.toml (the "
        "README says how), or set FEATHERWEIGHT_SHARED_ONLY=1 to show shared studies alone, or "
        "FEATHERWEIGHT_ALLOW_OPEN=1 if everybody on this network may do everything."
    )


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found
