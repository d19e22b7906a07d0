"""Files as an attacker would upload them, made by a script; none of them is kept as a binary.

``python -m tests.hostile FOLDER`` writes them all. The same folder gives the same bytes. What a
file wants to run would create ``FOLDER/marker``, what it wants to read is ``FOLDER/secret``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["model", "tflite", "dataset", "recipe", "grid"]


@dataclass(frozen=True)
class Targets:
    """What the payloads are after.

    Attributes:
        marker: a file that does not exist; code that runs would make it.
        secret: a file that exists; whoever reads it was fooled.
    """

    marker: Path
    secret: Path

    @classmethod
    def within(cls, folder: Path) -> Targets:
        """In a folder; neither is made here."""
        return cls(folder / "marker", folder / "secret")


@dataclass(frozen=True)
class HostileFile:
    """One file.

    Attributes:
        name: of the file; the name's ending is what an attacker would choose.
        kind: what it is uploaded as.
        tries: what it attempts, in a few words.
        phrase: part of the sentence that refuses it; empty for a file that is harmless once
            what it names was taken out of it, and is used without that.
        data: its bytes.
        attack: the same for one attack in several containers.
        in_stage: only the isolated stage process can see it.
    """

    name: str
    kind: Kind
    tries: str
    phrase: str
    data: bytes
    attack: str
    in_stage: bool = False


def corpus(folder: Path) -> Iterator[HostileFile]:
    """Every file, its payloads aimed at a folder."""
    from tests.hostile import (
        archives,
        arrays,
        configs,
        graphs,
        hdf5,
        images,
        plans,
        tables,
        tflites,
    )

    targets = Targets.within(folder)
    for module in (configs, archives, hdf5, graphs, tflites, arrays, tables, images, plans):
        yield from module.files(targets)
