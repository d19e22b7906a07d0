"""What a study's report says, and links that open a study for reading only."""

from __future__ import annotations

import logging
import re
import secrets

from optimizer.logs.events import event
from optimizer.store.base import StoreBase, utc_now
from optimizer.store.records import Share, Study, StudyReport
from optimizer.store.rows import from_row, from_rows
from optimizer.store.studies import Studies

_log = logging.getLogger(__name__)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,64}")
_COLUMNS = tuple(StudyReport.__dataclass_fields__)


class Sharing(Studies):
    """Reports and links of studies."""

    def put_report(self, report: StudyReport) -> None:
        """Keep what a person decided about a study's report, replacing what was kept before.

        Raises:
            InputError: there is no such study.
        """
        with self._db.write() as connection:
            self._require("studies", report.study_id)
            connection.execute("DELETE FROM main.reports WHERE study_id = ?", (report.study_id,))
            self._insert("reports", {name: getattr(report, name) for name in _COLUMNS})

    def get_report(self, study_id: str) -> StudyReport:
        """What was decided about a study's report; an empty one when nothing was."""
        row = self._db.row("SELECT * FROM reports WHERE study_id = ?", (study_id,))
        return from_row(StudyReport, row) if row else StudyReport(study_id)

    def share_study(self, study_id: str) -> Share:
        """Make a link to a study; nobody can guess its token (192 random bits).

        Raises:
            InputError: there is no such study.
        """
        share = Share(secrets.token_urlsafe(24), study_id, utc_now())
        with self._db.write():
            self._require("studies", study_id)
            values = {name: getattr(share, name) for name in Share.__dataclass_fields__}
            self._insert("shares", values)
        event(_log, "study_shared", study=study_id)  # never the token: who has it gets in
        return share

    def list_shares(self, study_id: str) -> list[Share]:
        """The links to a study that are valid, the newest first."""
        rows = self._db.rows(
            "SELECT * FROM shares WHERE study_id = ? ORDER BY seq DESC", (study_id,)
        )
        return from_rows(Share, rows)

    def revoke_share(self, token: str) -> None:
        """Make a link open nothing from now on; one that is not there is none already."""
        with self._db.write() as connection:
            connection.execute(
                "DELETE FROM main.shares WHERE token IN (SELECT token FROM shares WHERE token = ?)",
                (token,),
            )

    def shared_study(self, token: str) -> Study | None:
        """The study that a link's token opens; ``None`` when it opens none, or no more."""
        if not _TOKEN.fullmatch(token):
            return None
        row = self._db.row("SELECT study_id FROM shares WHERE token = ?", (token,))
        return self.get_study(row["study_id"]) if row else None


class ReadingOnly(StoreBase):
    """A store that can be told to change nothing any more."""

    def refuse_changes(self) -> None:
        """From now on this object refuses every change, of records and of files.

        Say it before :meth:`scoped`: scoped objects share their files with the one they came from.
        All changes go through two doors, the database's write transaction and the workspace
        where files are prepared; both are closed, and SQLite is told, too.
        """
        self._db.refuse_writes()
        self._workspace.refuse_writes()
