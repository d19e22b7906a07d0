"""A study's variants in memory, of which only those that changed are read again.

Ten thousand variants take half a second to read, and while a sweep runs one of them changes
every other second: sessions that look at the study must not read all of them each time.
"""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from dataclasses import dataclass

from optimizer.store.database import Database
from optimizer.store.records import Variant
from optimizer.store.rows import from_rows

_STUDIES = 8


@dataclass
class _Kept:
    changed: int
    removed: int
    by_id: dict[str, Variant]
    listed: tuple[Variant, ...]


class KeptVariants:
    """The variants of the studies that were asked for last; safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._lock = threading.Lock()
        self._studies: OrderedDict[str, _Kept] = OrderedDict()

    def seen_through(self, database: Database) -> KeptVariants:
        """The same memory, of which only what a scoped database shows comes out."""
        other = copy.copy(self)
        other._db = database
        return other

    def of(self, study_id: str) -> tuple[Variant, ...]:
        """A study's variants as they are now, in the order they were added.

        The same tuple comes again as long as none of them changed.
        """
        version = self.version(study_id)
        if version is None:  # none was ever added, or the study is deleted or somebody else's
            return ()
        changed, removed = version
        with self._lock:
            kept = self._studies.get(study_id)
            if kept is None or kept.removed != removed:
                kept = _Kept(-1, removed, {}, ())
            if kept.changed != changed:
                kept = self._renewed(study_id, kept, changed)
            self._studies[study_id] = kept
            self._studies.move_to_end(study_id)
            while len(self._studies) > _STUDIES:
                self._studies.popitem(last=False)
            return kept.listed

    def version(self, study_id: str) -> tuple[int, int] | None:
        """How often variants of the study changed, and how many were removed."""
        row = self._db.row(
            "SELECT changed, removed FROM variant_changes WHERE study_id = ?", (study_id,)
        )
        return (row["changed"], row["removed"]) if row else None

    def _renewed(self, study_id: str, kept: _Kept, changed: int) -> _Kept:
        """With what changed since; what was added comes last, as its place is."""
        rows = self._db.rows(
            "SELECT * FROM variants WHERE study_id = ? AND changed > ? ORDER BY seq",
            (study_id, kept.changed),
        )
        by_id = kept.by_id | {variant.id: variant for variant in from_rows(Variant, rows)}
        return _Kept(changed, kept.removed, by_id, tuple(by_id.values()))
