"""Which records a store object shows: all, those of one person, or one shared study's.

A scope is enforced by SQLite itself. Each connection of a scoped store has temporary views that
carry the names of the tables and hold the visible rows only; SQLite looks for a name among
temporary views first, so that every SELECT of the store reads through them, also one that is
written tomorrow. Views cannot be written to: a change has to name ``main.`` and therefore a row
that was looked up before, and one that forgets is refused by SQLite.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OWNED = ("models", "datasets", "studies")
"""Tables with a column ``owner``; the rows of the other tables belong to one of these."""
UNSCOPED = ("changes", "engine")
"""Tables that hold nothing of anybody: a counter of changes, and how the engine is."""
_OWNER = re.compile(r"[0-9a-f]{32}")
_STUDY = re.compile(r"[0-9a-f]{0,64}")
_FOLLOWING = {
    "variants": "study_id IN (SELECT id FROM temp.studies)",
    "variant_changes": "study_id IN (SELECT id FROM temp.studies)",
    "reports": "study_id IN (SELECT id FROM temp.studies)",
    "shares": "study_id IN (SELECT id FROM temp.studies)",
    "run_stages": "run_id IN (SELECT id FROM temp.runs)",
    "trials": "run_id IN (SELECT id FROM temp.runs)",
}
"""Table → which of its rows go with the visible studies and runs."""


@dataclass(frozen=True)
class Scope:
    """What is visible; give exactly one of the two.

    Attributes:
        owner: 32 hexadecimal digits, as :func:`optimizer.access.identity.owner_of` makes them:
            records of this person.
        study_id: one study for reading, whoever owns it; an empty text shows nothing at all.

    Raises:
        ValueError: neither or both are given, or they are no identifiers. They are written into
            SQL, where a view takes no parameters.
    """

    owner: str | None = None
    study_id: str | None = None

    def __post_init__(self) -> None:
        if (self.owner is None) == (self.study_id is None):
            raise ValueError("a scope is an owner or a study")
        if self.owner is not None and not _OWNER.fullmatch(self.owner):
            raise ValueError(f"no owner: {self.owner!r:.60}")
        if self.study_id is not None and not _STUDY.fullmatch(self.study_id):
            raise ValueError(f"no study: {self.study_id!r:.60}")

    def views(self) -> tuple[str, ...]:
        """The statements that give a connection this scope."""
        if self.owner is not None:
            conditions = dict.fromkeys(OWNED, f"owner = '{self.owner}'")
            conditions["runs"] = (
                "study_id IN (SELECT id FROM temp.studies) "
                "OR study_id IS NULL AND (model_id IN (SELECT id FROM temp.models) "
                "OR dataset_id IN (SELECT id FROM temp.datasets))"
            )
        else:
            one = f"FROM main.studies WHERE id = '{self.study_id}'"
            conditions = {
                "studies": f"id = '{self.study_id}'",
                "models": f"id IN (SELECT model_id {one})",
                "datasets": f"id IN (SELECT dataset_id {one})",
                "runs": f"study_id = '{self.study_id}'",
            }
        return tuple(
            f"CREATE TEMP VIEW {table} AS SELECT * FROM main.{table} WHERE {condition}"  # noqa: S608
            for table, condition in (conditions | _FOLLOWING).items()
        )
