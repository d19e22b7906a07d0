"""Everything that is kept: models, datasets, studies, variants, runs and stage results.

SQLite for facts, files for bytes; the app, the engine and the command line open the same
folder at once. Records come out as frozen values (:mod:`optimizer.store.records`).
"""

from __future__ import annotations

from pathlib import Path

from optimizer.store.adoption import Adoption
from optimizer.store.base import home_folder, new_id, utc_now
from optimizer.store.database import StoreError
from optimizer.store.records import (
    ACTIVE,
    FINISHED,
    Dataset,
    DiskUse,
    EngineState,
    Model,
    Run,
    RunStage,
    Share,
    Study,
    StudyReport,
    Trial,
    Variant,
)
from optimizer.store.runs import Runs
from optimizer.store.scope import Scope
from optimizer.store.searches import Searches
from optimizer.store.sharing import ReadingOnly
from optimizer.store.space import Space
from optimizer.store.space_facts import SpaceUse, StudySpace, UploadSpace

__all__ = [
    "ACTIVE",
    "FINISHED",
    "Dataset",
    "DiskUse",
    "EngineState",
    "Model",
    "Run",
    "RunStage",
    "Scope",
    "Share",
    "SpaceUse",
    "Store",
    "StoreError",
    "Study",
    "StudyReport",
    "StudySpace",
    "Trial",
    "UploadSpace",
    "Variant",
    "new_id",
    "utc_now",
]


class Store(Adoption, Runs, Searches, Space, ReadingOnly):
    """One store; safe to share between threads, and to open in several processes at once.

    Attributes:
        home: its folder.
        artifacts: stage results by content key (:class:`optimizer.store.artifacts.Artifacts`).
        files: uploaded bytes by hash (:class:`optimizer.store.files.UploadedFiles`).
    """

    @classmethod
    def open(cls, home: Path | None = None) -> Store:
        """Open the store in ``home``, made with mode 0700 when it is missing.

        Args:
            home: its folder; by default ``FEATHERWEIGHT_HOME``, else ``~/.featherweight``.

        Raises:
            InputError: a newer Featherweight made it, or its filesystem cannot carry it.
            StoreError: it cannot be opened, or is damaged.
        """
        return cls(home_folder(home))
