"""``python -m supply_chain.audit``: are known vulnerabilities in the locked dependencies?

pip-audit asks an advisory service about every pinned version. It says "no known vulnerabilities"
also of packages that the service could not be asked about; here those are counted, and an audit
that did not happen is never called clean.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from supply_chain import exceptions
from supply_chain.exceptions import ExceptionsError, Exemption, expired

CLEAN, VULNERABLE, NOT_AUDITED = 0, 1, 3
FILES = ("requirements.txt", "requirements-dev.txt", "requirements-tools.txt")
SERVICES = ("pypi", "osv")
_SECONDS = 600


@dataclass(frozen=True)
class Vulnerability:
    """A known vulnerability of a pinned version.

    Attributes:
        names: its id and its aliases.
        fixed_in: versions without it; empty when there is none yet.
    """

    package: str
    version: str
    names: tuple[str, ...]
    fixed_in: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """What a service said of one file.

    Attributes:
        file: of the requirements.
        service: that was asked.
        audited: how many packages it answered for.
        skipped: packages it could not be asked about.
        found: what it knows against the others.
        fault: why it did not answer at all, or nothing.
    """

    file: str
    service: str
    audited: int = 0
    skipped: tuple[str, ...] = ()
    found: tuple[Vulnerability, ...] = ()
    fault: str = ""

    @property
    def whole(self) -> bool:
        """Whether every package was looked up."""
        return not self.fault and not self.skipped and self.audited > 0


def parse(text: str, file: str, service: str) -> Audit:
    """What pip-audit's JSON says."""
    entries: list[dict[str, Any]] = json.loads(text)["dependencies"]
    skipped = tuple(entry["name"] for entry in entries if "skip_reason" in entry)
    found = tuple(
        Vulnerability(
            entry["name"],
            entry["version"],
            (known["id"], *known["aliases"]),
            tuple(known["fix_versions"]),
        )
        for entry in entries
        for known in entry.get("vulns", ())
    )
    return Audit(file, service, len(entries) - len(skipped), skipped, found)


def ask(file: str, service: str) -> Audit:
    """Ask a service about every version that a file pins; installs and resolves nothing."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "audit.json"
        command = [
            *(sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes"),
            *("-r", file, "-s", service, "-f", "json", "-o", str(answer)),
            *("--progress-spinner", "off"),
        ]
        done = subprocess.run(  # noqa: S603 - our own interpreter, fixed arguments
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        if not answer.is_file():
            lines = done.stderr.strip().splitlines() or ["no answer"]
            return Audit(file, service, fault=lines[-1][:300])
        return parse(answer.read_text(), file, service)


def ask_any(file: str, services: Sequence[str] = SERVICES) -> Audit:
    """The first service's answer that covers every package, else the fullest one."""
    answers = []
    for service in services:
        answers.append(ask(file, service))
        if answers[-1].whole:
            break
    return max(answers, key=lambda answer: answer.audited)


def judge(
    audits: Sequence[Audit], exemptions: Sequence[Exemption], today: date
) -> tuple[int, list[str]]:
    """The exit code and what to say.

    Args:
        audits: one per file.
        exemptions: what is let pass.
        today: for the dates of the exemptions, which only warn.
    """
    lines: list[str] = []
    used: set[Exemption] = set()
    code = CLEAN
    for audit in audits:
        for flaw in audit.found:
            passing = next(
                (e for e in exemptions if e.package == flaw.package and e.id in flaw.names), None
            )
            if passing:
                used.add(passing)
                lines.append(f"let pass: {_said(flaw)}. {passing.reason}")
            else:
                code = VULNERABLE
                lines.append(f"VULNERABLE: {_said(flaw)}.")
    whole = all(audit.whole for audit in audits)
    idle = sorted(set(exemptions) - used, key=lambda item: item.id) if whole else []
    lines += [
        *(
            f"warning: the exception {item.id} was to be looked at by {item.until}."
            for item in expired(exemptions, today)
        ),
        *(f"warning: the exception {item.id} is not needed any more." for item in idle),
        *map(_summary, audits),
    ]
    if code == CLEAN and not whole:
        code = NOT_AUDITED
        lines.append(
            "NOT AUDITED: the advisory services did not answer for every package, so nothing is "
            "known about the others. Run this where pypi.org or api.osv.dev can be reached."
        )
    return code, lines


def _summary(audit: Audit) -> str:
    if audit.fault:
        return f"{audit.file}: {audit.service} did not answer ({audit.fault})"
    asked = audit.audited + len(audit.skipped)
    return (
        f"{audit.file}: {audit.audited} of {asked} packages looked up at {audit.service}, "
        f"{len(audit.found)} known vulnerabilities"
    )


def _said(flaw: Vulnerability) -> str:
    mend = f"fixed in {', '.join(flaw.fixed_in)}" if flaw.fixed_in else "no fixed version yet"
    return f"{flaw.package} {flaw.version}: {' = '.join(flaw.names)} ({mend})"


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 clean, 1 vulnerable, 2 the exceptions cannot be read, 3 not audited."""
    parser = argparse.ArgumentParser(prog="python -m supply_chain.audit", description=__doc__)
    parser.add_argument("files", nargs="*", default=FILES, help="of pinned, hashed requirements")
    options = parser.parse_args(arguments)
    try:
        exemptions = exceptions.read()
    except ExceptionsError as error:
        print(error, file=sys.stderr)
        return 2
    audits = [ask_any(file) for file in options.files]
    code, lines = judge(audits, exemptions, datetime.now(UTC).date())
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
