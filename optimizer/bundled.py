"""The finished sample study that a new workbench opens with."""

from __future__ import annotations

from pathlib import Path

from optimizer.samples import SAMPLE_FOLDER
from optimizer.store import Store
from optimizer.store.archive import import_study

STUDY_FILE: Path = SAMPLE_FOLDER / "digits_cnn.study.zip"
MARKER = "sample-study-imported"
"""The file in a store that says the sample study was imported once."""


def ensure_sample_study(store: Store) -> None:
    """Import the bundled study the first time a store is opened; a deleted one stays deleted.

    Where people sign in, ``store`` is what one of them sees: everybody gets the sample, and what
    is done to it stays private.
    """
    marker = store.marker(MARKER)
    if marker.exists() or not STUDY_FILE.exists():
        return
    import_study(store, STUDY_FILE, origin="sample")
    marker.touch()
