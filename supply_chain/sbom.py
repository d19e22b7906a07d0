"""``python -m supply_chain.sbom``: the locked dependencies as CycloneDX JSON; needs no network."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_SECONDS = 300


def pins(requirements: str) -> dict[str, str]:
    """Package → version, of the text of a file of pinned requirements."""
    return {name.lower(): version for name, version in _PIN.findall(requirements)}


def hashes_of(component: Mapping[str, Any]) -> set[str]:
    """The SHA-256 of every file that a component may be installed from."""
    places: Iterable[Mapping[str, Any]] = component.get("externalReferences", ())
    found = [entry for place in places for entry in place.get("hashes", ())]
    return {entry["content"] for entry in found if entry["alg"] == "SHA-256"}


def faults(bom: Mapping[str, Any], requirements: str, version: str) -> list[str]:
    """What the list lacks of the requirements it was made from; nothing when it is whole.

    Args:
        bom: CycloneDX JSON.
        requirements: the text of the pinned requirements.
        version: of the product.
    """
    found = []
    if bom.get("bomFormat") != "CycloneDX":
        found.append("it is not CycloneDX")
    own = bom.get("metadata", {}).get("component", {})
    if (own.get("name"), own.get("version")) != ("featherweight", version):
        found.append(f"it does not say that it is of featherweight {version}")
    listed = {item["name"].lower(): item for item in bom.get("components", ())}
    for name, pinned in pins(requirements).items():
        component = listed.get(name)
        if component is None:
            found.append(f"{name} is missing")
        elif component.get("version") != pinned:
            found.append(f"{name} is {component.get('version')}, not {pinned}")
        elif not hashes_of(component):
            found.append(f"{name} has no hashes")
    return found


def make(requirements: Path, project: Path, out: Path) -> list[str]:
    """Write the list; returns its faults."""
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", str(requirements)),
        *("--pyproject", str(project), "--output-reproducible", "--of", "JSON", "-o", str(out)),
    ]
    subprocess.run(command, check=True, timeout=_SECONDS)  # noqa: S603 - our own interpreter
    version = tomllib.loads(project.read_text())["project"]["version"]
    return faults(json.loads(out.read_text()), requirements.read_text(), version)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 when the list is not whole."""
    parser = argparse.ArgumentParser(prog="python -m supply_chain.sbom", description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", default=Path("build/featherweight.cdx.json"))
    out = parser.parse_args(arguments).out
    wrong = make(Path("requirements.txt"), Path("pyproject.toml"), out)
    for fault in wrong:
        print(f"{out}: {fault}", file=sys.stderr)
    count = len(pins(Path("requirements.txt").read_text()))
    print(f"{out}: {count} packages with versions and hashes, CycloneDX JSON")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
