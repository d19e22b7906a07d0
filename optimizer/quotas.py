"""How much a store may take and how much may wait, each with a refusal in words.

The limits are for the whole store, whoever uses it, and hold for the app and the command line
alike. They are generous for one person; a class sets its own, on the Settings page, in
``settings.json`` under ``"limits"``, or by environment variables, which go over both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from optimizer.errors import InputError
from optimizer.format import format_bytes

LIMITS_KEY = "limits"
"""Where ``settings.json`` has them."""
_FREE = "Free space on the Storage page or with `python -m optimizer storage`"
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?B)?", re.ASCII | re.IGNORECASE)


class QuotaError(InputError):
    """A limit of the store would be exceeded; space can be freed, or the limit raised."""


@dataclass(frozen=True)
class Limit:
    """One limit, for a person who sets it.

    Attributes:
        title: its name on the screen.
        variable: the environment variable that sets it.
        unit: bytes, or a number of things.
        least, most: what may be set.
        explanation: what it counts.
    """

    title: str
    variable: str
    unit: Literal["bytes", "count"]
    least: int
    most: int
    explanation: str

    def show(self, value: float) -> str:
        """A value with its unit."""
        return format_bytes(value) if self.unit == "bytes" else f"{value:,.0f}"


LIMITS: dict[str, Limit] = {
    "upload_bytes": Limit(
        "Largest upload",
        "FEATHERWEIGHT_MAX_UPLOAD",
        "bytes",
        10**6,
        10**12,
        "One model or data file. The browser takes 600 MB at most, whatever is set here.",
    ),
    "store_bytes": Limit(
        "Whole store",
        "FEATHERWEIGHT_MAX_STORE",
        "bytes",
        10**8,
        10**15,
        "Uploads, results, logs and the database together.",
    ),
    "free_bytes": Limit(
        "Stays free on the disk",
        "FEATHERWEIGHT_MIN_FREE",
        "bytes",
        0,
        10**15,
        "Nothing is stored that would leave less than this on the disk of the store.",
    ),
    "studies": Limit(
        "Studies", "FEATHERWEIGHT_MAX_STUDIES", "count", 1, 100_000, "All of them together."
    ),
    "unused_uploads": Limit(
        "Uploads in no study",
        "FEATHERWEIGHT_MAX_UNUSED_UPLOADS",
        "count",
        2,
        100_000,
        "Models and datasets that were brought and that no study uses.",
    ),
    "runs": Limit(
        "Runs in the queue",
        "FEATHERWEIGHT_MAX_RUNS",
        "count",
        1,
        100_000,
        "Runs that wait or are under way, of all studies.",
    ),
    "variants": Limit(
        "Variants in a run",
        "FEATHERWEIGHT_MAX_VARIANTS",
        "count",
        2,
        100_000,
        "Variants that one run may make or measure, the baseline counted.",
    ),
}
"""Field of :class:`Quotas` → what it limits."""


@dataclass(frozen=True)
class Quotas:
    """The limits that hold for a store; see :data:`LIMITS` for what each counts.

    Raises:
        InputError: a limit is no whole number in its range.
    """

    upload_bytes: int = 2 * 2**30
    store_bytes: int = 50 * 10**9
    free_bytes: int = 10**9
    studies: int = 500
    unused_uploads: int = 200
    runs: int = 200
    variants: int = 2_500

    def __post_init__(self) -> None:
        for name, limit in LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not limit.least <= value <= limit.most:
                raise InputError(
                    f"The limit “{limit.title}” ({name}, {limit.variable}) is from "
                    f"{limit.show(limit.least)} to {limit.show(limit.most)}; received {value!r}."
                )

    @classmethod
    def of(cls, saved: Mapping[str, Any], environment: Mapping[str, int] | None = None) -> Quotas:
        """The limits that hold: those that were saved, and over them the environment.

        Args:
            saved: as ``settings.json`` has them.
            environment: in place of what :func:`from_environment` finds.

        Raises:
            InputError: one is not known, or cannot be used.
        """
        unknown = set(saved) - set(LIMITS)
        if unknown:
            raise InputError(
                f"The settings limit {sorted(unknown)[0]!r:.60}, which is not known. Known limits "
                f"are: {', '.join(LIMITS)}."
            )
        over = from_environment() if environment is None else environment
        return cls(**{**saved, **over})

    def changed(self) -> dict[str, int]:
        """The limits that are not the default ones."""
        usual = asdict(Quotas())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    def check_upload(self, file_name: str, size_bytes: int) -> None:
        """Refuse a file that is too large. Raises :class:`QuotaError`."""
        if size_bytes > self.upload_bytes:
            raise QuotaError(
                f"The file {file_name} has {format_bytes(size_bytes)}; an upload may have "
                f"{format_bytes(self.upload_bytes)}. Bring a smaller one, or "
                f"{self._raise('upload_bytes')}."
            )

    def check_store(self, held_bytes: int, more_bytes: int) -> None:
        """Refuse what would make the store too large. Raises :class:`QuotaError`."""
        if held_bytes + more_bytes > self.store_bytes:
            raise QuotaError(
                f"The store has {format_bytes(held_bytes)} and {format_bytes(more_bytes)} more are "
                f"to be kept; it may have {format_bytes(self.store_bytes)}. {_FREE}, or "
                f"{self._raise('store_bytes')}."
            )

    def check_free(self, where: object, free_bytes: int, more_bytes: int) -> None:
        """Refuse what would leave too little of the disk. Raises :class:`QuotaError`."""
        if free_bytes - more_bytes < self.free_bytes:
            raise QuotaError(
                f"The disk of {where} has {format_bytes(free_bytes)} free and "
                f"{format_bytes(more_bytes)} more are to be kept; {format_bytes(self.free_bytes)} "
                f"have to stay free. {_FREE}, free some elsewhere on the disk, or lower the limit "
                f"on the Settings page ({LIMITS['free_bytes'].variable})."
            )

    def check_studies(self, count: int) -> None:
        """Refuse a study more than there may be. Raises :class:`QuotaError`."""
        if count >= self.studies:
            raise QuotaError(
                f"The store has {_many(count, 'study', 'studies')} and may have {self.studies:,}. "
                f"Delete those you do not need on the Storage page, or {self._raise('studies')}."
            )

    def check_unused_uploads(self, count: int) -> None:
        """Refuse an upload while too many are in no study. Raises :class:`QuotaError`."""
        if count >= self.unused_uploads:
            raise QuotaError(
                f"The store has {count:,} models and datasets that no study uses; it may have "
                f"{self.unused_uploads:,}. Delete some on the Storage page or with `python -m "
                f"optimizer storage --free uploads`, or {self._raise('unused_uploads')}."
            )

    def check_run(self, active_runs: int, variants: int) -> None:
        """Refuse a run that is too large, or one more than may wait.

        Raises:
            QuotaError: with what to do.
        """
        if variants > self.variants:
            raise QuotaError(
                f"This run asks for {variants:,} variants; a run may have {self.variants:,}. Leave "
                f"some out, or split it into several runs, or {self._raise('variants')}."
            )
        if active_runs >= self.runs:
            raise QuotaError(
                f"The queue has {_many(active_runs, 'run', 'runs')}, waiting or under way, and may "
                f"have {self.runs:,}. Wait until one has ended, or cancel one on the Runs page, or "
                f"{self._raise('runs')}."
            )

    def _raise(self, name: str) -> str:
        return f"raise the limit on the Settings page ({LIMITS[name].variable})"


def _many(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"


def from_environment() -> dict[str, int]:
    """The limits that environment variables set.

    Raises:
        InputError: one is neither a number nor a size.
    """
    found = {}
    for name in (field.name for field in fields(Quotas)):
        text = os.environ.get(LIMITS[name].variable, "").strip()
        if text:
            found[name] = _number(LIMITS[name], text)
    return found


def _number(limit: Limit, text: str) -> int:
    """A whole number, or for sizes also one with a unit: ``750 MB``, ``1.5 GB``."""
    if limit.unit == "count" and text.isdecimal():
        return int(text)
    size = _SIZE.fullmatch(text) if limit.unit == "bytes" else None
    if size is None:
        example = "a size such as 750 MB or 20 GB" if limit.unit == "bytes" else "a whole number"
        raise InputError(f"{limit.variable} is {example}; received {text!r:.80}.")
    return round(float(size[1]) * _UNITS[(size[2] or "").upper()])
