"""What takes space in a store, as the store hands it out: frozen values, sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StudySpace:
    """What a study occupies.

    Attributes:
        own_bytes: results and logs that only it has: what deleting it alone frees.
        shared_bytes: results that other studies use too.
        upload_bytes: its model and its dataset, with what reading them found.
        busy: whether a run of it waits or is under way.
    """

    study_id: str
    name: str
    variant_count: int
    own_bytes: int
    shared_bytes: int
    upload_bytes: int
    busy: bool


@dataclass(frozen=True)
class UploadSpace:
    """A model or dataset that no study uses.

    Attributes:
        size_bytes: what deleting it alone frees.
        busy: whether a run on it waits or is under way.
    """

    kind: Literal["model", "dataset"]
    upload_id: str
    file_name: str
    size_bytes: int
    created_at: str
    busy: bool


@dataclass(frozen=True)
class SpaceUse:
    """What takes space in a store, in bytes; the fields of ``kinds`` add up to all of it.

    Attributes:
        kinds: what it is, in words → bytes.
        studies: the largest first.
        unused_uploads: the largest first.
        database_spare_bytes: of the database, what compacting it would give back.
        dead_logs_bytes: logs of runs that were deleted.
        stray_bytes: temporary files that a process left behind when it was killed.
        disk_free_bytes: what the store's disk has left.
    """

    kinds: dict[str, int]
    studies: tuple[StudySpace, ...]
    unused_uploads: tuple[UploadSpace, ...]
    database_spare_bytes: int
    dead_logs_bytes: int
    stray_bytes: int
    disk_free_bytes: int

    @property
    def total_bytes(self) -> int:
        """All that the store has."""
        return sum(self.kinds.values())
