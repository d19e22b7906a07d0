"""Stages and their content keys: equal keys mean equal results.

A stage's key is a hash of everything its result depends on: the stage, its parameters, the
keys of its inputs (down to the bytes of the model and dataset files), the code of the rooms
that stages run, library versions and the number of threads (another thread count gives other
bytes). So a result is computed once and kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

Resource = Literal["train", "light", "quiet"]
"""``train`` takes one slot; ``light`` runs beside training; ``quiet`` has the machine alone."""

_LIBRARIES = (
    "tensorflow",
    "tf-keras",
    "keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "numpy",
)
_STAGE_ROOMS = ("techniques", "models", "data", "measure")
EXTRA_ROOMS = ("inspection",)
"""Rooms whose stages no other stage depends on: a change there changes only their own keys."""


@dataclass(frozen=True)
class Source:
    """A file a person brought, named by the SHA-256 of its bytes."""

    sha256: str

    @property
    def key(self) -> str:
        """The content key, 64 hexadecimal digits."""
        return self.sha256


@dataclass(frozen=True)
class StoredResult:
    """A stage's result that is in the store, wherever and by whichever version it was made."""

    key: str


@dataclass(frozen=True)
class Stage:
    """One step of a recipe's execution.

    Attributes:
        name: ``import_model``, ``prune``, ``convert`` and so on.
        function: ``module:function`` that runs it; see :mod:`optimizer.stage`.
        label: a short phrase for a person.
        params: JSON-able parameters.
        inputs: input name → the stage, file or stored result it comes from.
        resource: what the stage occupies while it runs.
        threads: how many processor threads it may use.
        memory_bytes: what it is expected to need; no part of the key.
    """

    name: str
    function: str
    label: str
    params: Mapping[str, Any] = field(hash=False)
    inputs: Mapping[str, Stage | Source | StoredResult] = field(hash=False)
    resource: Resource = "train"
    threads: int = 1
    memory_bytes: int = 0

    @cached_property
    def key(self) -> str:
        """The content key, 64 hexadecimal digits."""
        content = {
            "stage": self.name,
            "function": self.function,
            "params": self.params,
            "inputs": {name: source.key for name, source in self.inputs.items()},
            "threads": self.threads,
            "versions": library_versions(),
            "code": code_fingerprint(self._room),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def _room(self) -> str:
        """The room of its function, whose code counts for its own stages alone."""
        parts = self.function.split(".")
        return parts[1] if parts[0] == "optimizer" and parts[1] in EXTRA_ROOMS else ""

    def upstream(self) -> Iterator[Stage]:
        """The stages this one needs, each before those that need it, and itself last."""
        seen: set[str] = set()
        yield from self._upstream(seen)

    def _upstream(self, seen: set[str]) -> Iterator[Stage]:
        for source in self.inputs.values():
            if isinstance(source, Stage) and source.key not in seen:
                yield from source._upstream(seen)
        if self.key not in seen:
            seen.add(self.key)
            yield self


def needed_stages(ends: Iterable[Stage], has: Callable[[Stage], bool]) -> list[Stage]:
    """What some stages need, each after those it needs, and themselves.

    Args:
        ends: what is wanted.
        has: whether a stage's result is there. What only leads to such results is left out; the
            results themselves are in.
    """
    needed: dict[str, Stage] = {}

    def visit(stage: Stage) -> None:
        if stage.key in needed:
            return
        if not has(stage):
            for source in stage.inputs.values():
                if isinstance(source, Stage):
                    visit(source)
        needed[stage.key] = stage

    for end in ends:
        visit(end)
    return list(needed.values())


@cache
def library_versions() -> dict[str, str]:
    """The installed versions that results depend on."""
    return {name: version(name) for name in _LIBRARIES}


@cache
def code_fingerprint(*extra: str) -> str:
    """SHA-256 over the source of the rooms that stages run.

    Args:
        extra: rooms of :data:`EXTRA_ROOMS` that count too; empty names are left out.
    """
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for room in (*_STAGE_ROOMS, *filter(None, extra)):
        for path in sorted((root / room).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
