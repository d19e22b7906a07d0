"""Does the engine work, and can it reach what it needs?"""

from __future__ import annotations

import socket
import ssl
import stat
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from optimizer.errors import InputError
from optimizer.logs.setup import LEVELS, VARIABLE
from optimizer.operations.doctor.finding import Check, finding, note, ok, some
from optimizer.operations.health import Health
from optimizer.settings import TLS_FILES, Settings

_CONNECT_SECONDS = 10.0
_SOON = timedelta(days=30)
_MAKE = (
    "Make new ones (`python -m optimizer.engine.remote certificates FOLDER`), copy the folder to "
    "every machine, and start scheduler, workers and engine again."
)


def check_settings(home: Path, environment: Mapping[str, str]) -> Check:
    """Whether the settings can be used."""
    try:
        settings = Settings.load(home)
    except InputError as error:
        return finding("settings", str(error), f"Mend that variable, or {home / 'settings.json'}.")
    level = environment.get(VARIABLE, "").strip()
    if level and level.upper() not in LEVELS:
        said = f"{VARIABLE} is {level!r:.40}, which is no level; INFO holds."
        return finding("settings", said, f"Set it to one of {', '.join(LEVELS)}, or not at all.")
    where = settings.scheduler or "this machine"
    return ok("settings", f"stages run on {where}")


def check_engine(found: Health) -> Check:
    """Whether an engine takes the work that waits."""
    waits = f"{found.queued} queued and {found.running} running runs"
    if found.status == "failing":
        return finding("engine", found.store, "Mend what the check of the store says.")
    if found.engine == "silent":
        remedy = "`make stop` ends it; the app starts another one, which goes on with the runs."
        said = f"It has said nothing for {found.heartbeat_seconds:.0f} s; {waits}."
        return finding("engine", said, remedy)
    if found.engine == "none":
        if found.queued or found.running:
            remedy = (
                "Open the app, which starts one, or start `python -m optimizer.engine` yourself. "
                "If it ends at once, engine.log in the store's folder says why."
            )
            return finding("engine", f"None is alive for {waits}.", remedy)
        return note("engine", "none is alive; the app starts one when it is opened")
    return ok("engine", f"{found.engine}; {waits}")


def check_scheduler(settings: Settings, error: str | None) -> Check:
    """Whether the Dask scheduler that the settings name answers.

    Args:
        settings: of the store.
        error: why it does not, or ``None``; see :func:`reach`.
    """
    if settings.scheduler is None:
        return ok("scheduler", "inside the engine, on loopback")
    if error:
        remedy = (
            "Check that it runs, that this machine reaches it (address, firewall), and that both "
            "have the same certificates; or run stages on this machine (Settings)."
        )
        return finding("scheduler", f"{settings.scheduler} does not answer: {error}.", remedy)
    return ok("scheduler", f"{settings.scheduler} answers")


def reach(settings: Settings) -> str | None:
    """Connect to the scheduler as the engine does; what went wrong, or ``None``."""
    if settings.scheduler is None:
        return None
    scheme, _, rest = settings.scheduler.partition("://")
    host, _, port = rest.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS) as plain:
            if scheme != "tls":
                return None
            folder = Path(settings.tls or "").expanduser()
            paths = {role: str(folder / name) for role, name in TLS_FILES.items()}
            context = ssl.create_default_context(cafile=paths["ca"])
            context.check_hostname = False  # the cluster's certificates name no host
            context.load_cert_chain(paths["cert"], paths["key"])
            with context.wrap_socket(plain) as secured:
                # Under TLS 1.3 a refusal of our certificate arrives with the first bytes.
                secured.settimeout(_CONNECT_SECONDS)
                secured.recv(1)
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)[:200]
    return None


def check_certificates(settings: Settings, now: datetime) -> Check:
    """Whether the cluster's certificates are there, valid, and closed to others."""
    if settings.scheduler is None or not settings.scheduler.startswith("tls"):
        return ok("certificates", "not needed: stages run on this machine")
    if settings.tls is None:
        remedy = "Set FEATHERWEIGHT_TLS (or on Settings) to the folder of certificates."
        return finding("certificates", "A tls:// scheduler is set, but none are.", remedy)
    folder = Path(settings.tls).expanduser()
    paths = {role: folder / name for role, name in TLS_FILES.items()}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        return finding("certificates", f"{folder} has no {some(missing)}.", _MAKE)
    if stat.S_IMODE(paths["key"].stat().st_mode) & 0o077:
        said = f"Others may read {paths['key']}, and so run code on the cluster."
        return finding("certificates", said, f"`chmod -R go= '{folder}'`. {_MAKE}")
    return _check_dates(paths, now)


def _check_dates(paths: Mapping[str, Path], now: datetime) -> Check:
    from cryptography import x509

    for role in ("ca", "cert"):
        try:
            certificate = x509.load_pem_x509_certificate(paths[role].read_bytes())
        except ValueError:
            return finding("certificates", f"{paths[role]} is not a certificate.", _MAKE)
        ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
        if now >= ends:
            said = f"{paths[role]} has been out of date since {ends:%Y-%m-%d}."
            return finding("certificates", said, _MAKE)
        if now < begins:
            said = f"{paths[role]} is not valid before {begins:%Y-%m-%d %H:%M} UTC."
            return finding("certificates", said, "Check the clocks of both machines.")
        if now >= ends - _SOON:
            return finding("certificates", f"{paths[role]} ends on {ends:%Y-%m-%d}.", _MAKE)
    return ok("certificates", f"valid until {ends:%Y-%m-%d}")
