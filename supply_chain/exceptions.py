"""Known vulnerabilities that are let pass: which, why, and until when."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

FILE = Path(__file__).with_name("exceptions.toml")
_SHORTEST_REASON = 40


class ExceptionsError(ValueError):
    """The file of exceptions cannot be used; the text says where."""


@dataclass(frozen=True)
class Exemption:
    """One vulnerability that is let pass.

    Attributes:
        id: as pip-audit names it, for example ``GHSA-…``, ``PYSEC-…`` or ``CVE-…``.
        package: the distribution it is in.
        reason: why it does not apply.
        until: when to look again.
    """

    id: str
    package: str
    reason: str
    until: date


def read(path: Path = FILE) -> list[Exemption]:
    """The exceptions of a file.

    Raises:
        ExceptionsError: it is not TOML, or an entry lacks something.
    """
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ExceptionsError(f"{path.name} cannot be read: {error}.") from None
    unknown = set(content) - {"exception"}
    if unknown:
        raise ExceptionsError(f"{path.name} has {sorted(unknown)}; it takes [[exception]] only.")
    return [_exemption(entry, path.name) for entry in content.get("exception", [])]


def expired(exemptions: Sequence[Exemption], today: date) -> list[Exemption]:
    """Those whose date has passed: somebody has to look at them again."""
    return [item for item in exemptions if item.until < today]


def _exemption(entry: dict[str, object], file: str) -> Exemption:
    kinds = {"id": str, "package": str, "reason": str, "until": date}
    if set(entry) != set(kinds):
        raise ExceptionsError(
            f"An exception in {file} has the keys {sorted(entry)}; it needs {sorted(kinds)}."
        )
    for name, kind in kinds.items():
        value = entry[name]
        if not isinstance(value, kind) or not str(value).strip():
            raise ExceptionsError(
                f"An exception in {file} has {name} = {value!r}; a {kind.__name__} was expected."
            )
    made = Exemption(**entry)  # type: ignore[arg-type]
    if len(made.reason.strip()) < _SHORTEST_REASON:
        raise ExceptionsError(
            f"The exception {made.id} in {file} needs a reason in a sentence; received "
            f"{made.reason!r}."
        )
    return made
