"""A study as one zip file: out of one store, into another.

:mod:`optimizer.store.archive_shapes` says what is inside. Equal studies give equal bytes.
"""

from __future__ import annotations

from optimizer.store.archive_export import export_study
from optimizer.store.archive_import import import_study

__all__ = ["export_study", "import_study"]
