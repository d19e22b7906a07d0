"""How and where the engine works: what a person set, and what this machine has.

``settings.json`` in the store's folder, over which environment variables go.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import psutil

from optimizer.errors import InputError
from optimizer.quotas import LIMITS_KEY, Quotas

SETTINGS_FILE = "settings.json"
VARIABLES = {
    "scheduler": "FEATHERWEIGHT_SCHEDULER",
    "tls": "FEATHERWEIGHT_TLS",
    "slots": "FEATHERWEIGHT_SLOTS",
    "threads": "FEATHERWEIGHT_THREADS",
    "stage_minutes": "FEATHERWEIGHT_STAGE_MINUTES",
}
"""Setting → the environment variable that goes over it."""
TLS_FILES = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
"""What a folder of certificates holds; see :mod:`optimizer.engine.certificates`."""
DEFAULT_STAGE_MINUTES, MOST_STAGE_MINUTES = 24 * 60, 30 * 24 * 60
"""Processor time of a stage: a day, and a month at most."""

_MEMORY_SHARE = 0.8
_MEMORY_PER_SLOT = 1.5 * 2**30
"""Less than this per slot, and a usual training would not fit."""


@dataclass(frozen=True)
class Settings:
    """What a person set; ``None`` is decided by the machine.

    Attributes:
        scheduler: address of a Dask scheduler, ``tls://host:8786``; ``None`` runs stages here.
        tls: folder with ``ca.pem``, ``cert.pem`` and ``key.pem`` for a scheduler.
        slots: how many training stages may run at once on this machine.
        threads: processor threads of each stage. Another count gives other bytes, so results
            are kept apart by it.
        stage_minutes: processor time after which a stage is ended, in minutes, of all its threads
            together.
        limits: how much the store may take and how much may wait.
    """

    scheduler: str | None = None
    tls: str | None = None
    slots: int | None = None
    threads: int | None = None
    stage_minutes: int | None = None
    limits: Quotas = field(default_factory=Quotas)

    def __post_init__(self) -> None:
        for name, most in (("slots", 256), ("threads", 64), ("stage_minutes", MOST_STAGE_MINUTES)):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int) and 1 <= value <= most):
                raise InputError(
                    f"The setting {name} is a whole number from 1 to {most}; received {value!r}."
                )
        for name in ("scheduler", "tls"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise InputError(f"The setting {name} is a text; received {value!r:.80}.")
        if self.scheduler is not None:
            check_address(self.scheduler)

    @classmethod
    def load(cls, home: Path) -> Settings:
        """The settings that hold for a store: its file, and over it the environment.

        Raises:
            InputError: one of them cannot be used; names it, and where it was set.
        """
        saved = _from_file(home / SETTINGS_FILE)
        limits = Quotas.of(saved.pop(LIMITS_KEY, {}))
        return cls(**{**saved, **from_environment()}, limits=limits)

    @classmethod
    def saved(cls, home: Path) -> Settings:
        """What a person set for a store, without the environment. Raises as :meth:`load`."""
        saved = _from_file(home / SETTINGS_FILE)
        return cls(**{**saved, LIMITS_KEY: Quotas.of(saved.get(LIMITS_KEY, {}), {})})

    def save(self, home: Path) -> None:
        """Keep the settings for a store; they are whole after a power cut, the old or the new.

        Raises:
            InputError: the folder cannot be written to.
        """
        kept = {name: value for name, value in asdict(self).items() if value is not None}
        kept[LIMITS_KEY] = self.limits.changed()
        if not kept[LIMITS_KEY]:
            del kept[LIMITS_KEY]
        path = home / SETTINGS_FILE
        draft = home / "tmp" / secrets.token_hex(16)  # the store clears it away if we are killed
        try:
            draft.parent.mkdir(mode=0o700, exist_ok=True)
            with open(home / "writers.lock", "ab") as writers, open(draft, "x") as file:
                fcntl.flock(writers, fcntl.LOCK_SH)
                file.write(json.dumps(kept, indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
                os.replace(draft, path)
            folder = os.open(home, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        except OSError as error:
            raise InputError(
                f"The settings cannot be kept in {path}: {error.strerror or error}. Check the "
                "disk's space and the folder's permissions, then try again."
            ) from None
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)


@dataclass(frozen=True)
class Capacity:
    """What a machine gives to stages.

    Attributes:
        slots: how many training stages may run at once.
        threads: processor threads of each.
        memory_bytes: of all of them together.
    """

    slots: int
    threads: int
    memory_bytes: int

    @property
    def memory_per_slot(self) -> int:
        """A slot's share of the memory, in bytes."""
        return self.memory_bytes // self.slots


def capacity(settings: Settings) -> Capacity:
    """What this machine gives to stages, as far as it is not set.

    One thread per stage on machines of up to four cores, where a second thread makes a small
    model's training a few per cent faster and a second stage twice as much work; two on larger
    ones. As many slots as the cores and the memory allow.
    """
    cores = available_cores()
    memory = int(psutil.virtual_memory().total * _MEMORY_SHARE)
    threads = settings.threads or (1 if cores <= 4 else 2)
    fitting = max(1, int(memory / _MEMORY_PER_SLOT))
    slots = settings.slots or max(1, min(cores // threads, fitting))
    return Capacity(slots, threads, memory)


def load_limits(home: Path) -> Quotas:
    """The limits that hold for a store, whatever its other settings are.

    Raises:
        InputError: one of them cannot be used.
    """
    return Quotas.of(_from_file(home / SETTINGS_FILE).get(LIMITS_KEY, {}))


def available_cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def from_environment() -> dict[str, Any]:
    """What environment variables set.

    Raises:
        InputError: a number is none.
    """
    found: dict[str, Any] = {}
    for name, variable in VARIABLES.items():
        text = os.environ.get(variable, "").strip()
        if not text:
            continue
        if name in ("slots", "threads", "stage_minutes"):
            if not text.isdecimal():
                raise InputError(f"{variable} is a whole number; received {text!r:.80}.")
            found[name] = int(text)
        else:
            found[name] = text
    return found


def check_address(address: str) -> None:
    """Refuse what is no address of a Dask scheduler.

    Raises:
        InputError: with an example.
    """
    scheme, _, rest = address.partition("://")
    host, _, port = rest.rpartition(":")
    if scheme not in ("tls", "tcp") or not host or not port.isdecimal() or "/" in rest:
        raise InputError(
            f"A scheduler's address looks like tls://10.0.0.5:8786; received {address!r:.120}."
        )
    local = host in ("127.0.0.1", "localhost", "[::1]")
    if scheme == "tcp" and not local:
        raise InputError(
            "Whoever reaches a Dask scheduler without TLS runs code on its workers, so tcp:// is "
            f"accepted on this machine only; received {address!r:.120}. Start the scheduler with "
            "TLS and give its tls:// address; the README has the commands."
        )


def _from_file(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        raise InputError(
            f"The file {path} cannot be read as JSON. Mend it, or delete it for the defaults."
        ) from None
    known = {item.name for item in fields(Settings)}
    if not isinstance(content, dict) or set(content) - known:
        raise InputError(
            f"The file {path} has settings that are not known. Known ones are: "
            f"{', '.join(sorted(known))}."
        )
    if not isinstance(content.get(LIMITS_KEY, {}), dict):
        raise InputError(f"In the file {path}, “{LIMITS_KEY}” is an object with a number for each.")
    return content
