"""Is what Featherweight needs installed, and does it start?"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from optimizer.operations.doctor.finding import Check, finding, note, ok, some

OLDEST, NEWEST = (3, 11), (3, 12)
LIBRARIES = (
    "tensorflow",
    "tf_keras",
    "keras",
    "tensorflow_model_optimization",
    "ai_edge_litert.interpreter",
)
IMPORT_SECONDS = 300
_INSTALL = "Run `make install`; if that does not help, `make clean` before it (studies stay)."
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_IMPORTS = """
import importlib, json, sys, time
from optimizer.tf_environment import configure
configure()
found = {}
for name in sys.argv[1:]:
    started = time.monotonic()
    try:
        importlib.import_module(name)
        found[name] = round(time.monotonic() - started, 1)
    except BaseException as error:
        found[name] = f"{type(error).__name__}: {error}".splitlines()[0]
print(json.dumps(found))
"""


class Protection(Protocol):
    """What is known of one protection of stage processes."""

    @property
    def name(self) -> str:
        """A word or two."""

    @property
    def holds(self) -> bool:
        """Whether stage processes have it here."""

    @property
    def detail(self) -> str:
        """What it is, or why it is not there."""


def check_python(version: tuple[int, int]) -> Check:
    """Whether this Python is one that the pinned packages are made for."""
    said = f"Python {version[0]}.{version[1]}"
    if OLDEST <= version <= NEWEST:
        return ok("Python", said)
    remedy = "Run `make clean`, then `make install PYTHON=python3.11`."
    return finding("Python", f"{said}; 3.11 or 3.12 is needed.", remedy)


def pinned(requirements: str) -> dict[str, str]:
    """Package → version, of the text of ``requirements.txt``."""
    return dict(_PIN.findall(requirements))


def check_packages(pins: Mapping[str, str], installed: Mapping[str, str]) -> Check:
    """Whether what is pinned is what is installed.

    Args:
        pins: package → version.
        installed: the same; without those that are missing.
    """
    if not pins:
        return note("packages", "There is no requirements.txt to compare with.")
    wrong = [
        f"{name} {installed[name]} (not {pin})" if name in installed else f"{name} is missing"
        for name, pin in pins.items()
        if installed.get(name) != pin
    ]
    if wrong:
        return finding("packages", f"{some(wrong)}.", _INSTALL)
    return ok("packages", f"all {len(pins)} are those that are pinned")


def check_libraries(found: Mapping[str, float | str]) -> Check:
    """Whether TensorFlow and its kin can be imported.

    Args:
        found: module → seconds that importing it took, or what went wrong.
    """
    broken = [f"{name}: {said}" for name, said in found.items() if isinstance(said, str)]
    if broken:
        remedy = f"{_INSTALL} An “illegal instruction” means a processor without AVX."
        return finding("TensorFlow", f"Cannot be imported: {some(broken, 2)}.", remedy)
    seconds = sum(said for said in found.values() if not isinstance(said, str))
    return ok("TensorFlow", f"imported in {seconds:.0f} s, with the libraries around it")


def import_libraries(libraries: Sequence[str] = LIBRARIES) -> dict[str, float | str]:
    """Import modules in a process of its own; see :func:`check_libraries`."""
    command = [sys.executable, "-c", _IMPORTS, *libraries]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and code
            command, capture_output=True, text=True, timeout=IMPORT_SECONDS, check=False
        )
        found: dict[str, float | str] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {libraries[0]: f"not done after {IMPORT_SECONDS} s"}
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["no output"])[-1][:200]
        return {libraries[0]: f"the process ended with code {done.returncode}: {last}"}
    return found


def check_stage_processes(seconds: float | None, error: str) -> Check:
    """Whether stages can be started as the engine starts them.

    Args:
        seconds: that the first one took.
        error: why it did not start, or nothing.
    """
    if seconds is None:
        remedy = (
            "Mend what the TensorFlow check says. If that is well: stage processes are forked, so "
            "Linux or macOS is needed, enough memory, and a limit on processes that lets them "
            "start (`ulimit -u`)."
        )
        return finding("stage processes", f"Cannot be started: {error}", remedy)
    return ok("stage processes", f"the first one started in {seconds:.0f} s")


def check_confinement(protections: Sequence[Protection] | None, error: str = "") -> Check:
    """Which protections stage processes have on this machine.

    Args:
        protections: ``None`` where they could not be tried.
        error: why not.
    """
    if protections is None:
        remedy = "Mend what the check of stage processes says."
        return finding("confinement", f"Cannot be tried: {error}", remedy)
    missing = [f"{item.name} ({item.detail})" for item in protections if not item.holds]
    if not missing:
        return ok("confinement", f"all {len(protections)} protections of stage processes hold")
    said = f"{len(missing)} of {len(protections)} do not hold here: {some(missing)}."
    return note("confinement", f"{said} SECURITY.md says what that means.")


def check_chromium(path: str | None) -> Check:
    """Whether the browser of the tests is there; only who runs tests needs it."""
    if path:
        return ok("Chromium", path)
    return note("Chromium", "not installed; `make test` needs it (`apt-get install chromium`)")
