"""A stage that tries what stages must not do; see :func:`optimizer.engine.protections.report`."""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from optimizer import confinement
from optimizer.confinement import landlock
from optimizer.confinement.variables import stage_variables
from optimizer.stage import Files, Progress

_LINUX = "Linux only"


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Try everything.

    Args:
        params: ``outside``, a file that is none of a stage's, and ``process_id`` of the engine's
            side.
        inputs: none.
        progress: not used.

    Returns:
        ``found.json``: a list of ``{"name", "holds", "detail"}``.
    """
    tried = (
        _resources,
        lambda: _files(Path(params["outside"])),
        _network,
        lambda: _signals(params["process_id"]),
        _leftovers,
        _programs,
        _privileges,
        _environment,
    )
    found = [attempt() for attempt in tried]
    return {"found.json": json.dumps(found).encode()}


def _found(name: str, holds: bool, yes: str, no: str) -> dict[str, Any]:
    return {"name": name, "holds": holds, "detail": yes if holds else no}


def _why(protection: str) -> str:
    """Why the kernel does not give a protection, for the end of a sentence."""
    if sys.platform != "linux":
        return _LINUX
    return confinement.problems.get(protection) or "not supported here"


def _is_refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return True
    return False


def _resources() -> dict[str, Any]:
    kinds = [resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE]
    kinds += [resource.RLIMIT_DATA] if sys.platform == "linux" else []
    bounded = all(resource.getrlimit(kind)[1] != resource.RLIM_INFINITY for kind in kinds)
    memory = "memory, at once" if sys.platform == "linux" else "memory, every 50 ms"
    return _found(
        "Limits",
        bounded,
        f"Processor time, size of a file, open files, temporary files, {memory}.",
        "The system refused to set them.",
    )


def _files(outside: Path) -> dict[str, Any]:
    read = _is_refused(outside.read_bytes)
    written = _is_refused(lambda: outside.write_bytes(b"changed"))
    return _found(
        "Files",
        read and written,
        "Reads Python and its libraries only; writes to its private folder only.",
        f"Reads and writes whatever this user may: no Landlock ({_why('landlock')}).",
    )


def _network() -> dict[str, Any]:
    kinds = [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX]
    refused = all(_is_refused(partial(socket.socket, kind)) for kind in kinds)
    if refused or not confinement.problems.get("namespaces", _LINUX):
        return _found("Network", True, "None: no connection can be made, nor a local one.", "")
    return _found("Network", False, "", f"As this user has it: no filter ({_why('filter')}).")


def _signals(process_id: int) -> dict[str, Any]:
    refused = _is_refused(lambda: os.kill(process_id, 0))
    refused = refused and _is_refused(lambda: os.kill(-1, 0))
    whole = _own_ids() or _landlock_holds_signals()
    if refused and not whole:
        return _found(
            "Other processes",
            True,
            "Cannot signal those that were there before it, such as engine and app; those begun "
            f"later it can (no namespaces: {_why('namespaces')}).",
            "",
        )
    return _found(
        "Other processes",
        refused,
        "Cannot signal or trace any but its own, nor read their memory or environment.",
        f"Can signal other processes of this user: no filter ({_why('filter')}).",
    )


def _landlock_holds_signals() -> bool:
    with suppress(OSError):
        return "landlock" not in confinement.problems and landlock.abi() >= landlock.SIGNALS_ABI
    return False


def _own_ids() -> bool:
    return os.getpid() == 1


def _leftovers() -> dict[str, Any]:
    if _own_ids():
        return _found("Leftovers", True, "Whatever it starts ends with it, by the kernel.", "")
    reaped = sys.platform == "linux"
    return _found(
        "Leftovers",
        reaped,
        "What it leaves behind is found and ended by the process it was forked from "
        f"(no namespaces: {_why('namespaces')}).",
        "What leaves its process group may outlive it: no namespaces on this system.",
    )


def _programs() -> dict[str, Any]:
    # Without a filter it would be let, and be ended for it before it can answer.
    refused = "filter" not in confinement.problems and _is_refused(_fork)
    return _found(
        "Programs",
        refused,
        "Can start no process and no program; stages that measure latency can, eight at most.",
        f"Can start processes, and is ended when that is seen: no filter ({_why('filter')}).",
    )


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _privileges() -> dict[str, Any]:
    status: dict[str, str] = {}
    with suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    none = status.get("CapEff", "1").strip("0") == "" and status.get("NoNewPrivs") == "1"
    return _found(
        "Privileges",
        none or (sys.platform != "linux" and os.geteuid() != 0),
        "None, and no way to get any.",
        f"Those of this user: {_why('privileges')}.",
    )


def _environment() -> dict[str, Any]:
    allowed = set(stage_variables(Path(), dict.fromkeys(os.environ, "")))
    return _found(
        "Environment",
        set(os.environ) <= allowed,
        f"{len(os.environ)} variables of a fixed list, none with a secret.",
        "Variables that are not on the list.",
    )
