"""Which files the records of a database refer to, whoever owns them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

NEEDED_KEYS = (
    "SELECT facts_key FROM main.models WHERE facts_key IS NOT NULL "
    "UNION SELECT facts_key FROM main.datasets WHERE facts_key IS NOT NULL "
    "UNION SELECT each.value FROM main.variants AS kept, json_each(kept.stages) AS each"
)
"""Artifacts that have to be there: facts of models and datasets, stages of variants."""
USED_KEYS = (
    "SELECT stage.key FROM main.run_stages AS stage JOIN main.runs AS run "
    "ON run.id = stage.run_id WHERE run.state IN ('queued', 'running')"
)
"""Artifacts that queued and running runs use, of which some are yet to be made."""
UPLOADS = "SELECT sha256 FROM main.models UNION SELECT sha256 FROM main.datasets"
"""Uploaded files that have to be there, by their SHA-256."""


class Reads(Protocol):
    """A connection, as far as it is needed here."""

    def execute(self, sql: str, /) -> Any:
        """Run a SELECT."""


def texts(connection: Reads, sql: str) -> Iterator[str]:
    """The first column of what a SELECT finds."""
    for row in connection.execute(sql):
        yield str(row[0])
