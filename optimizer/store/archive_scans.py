"""Scans of single layers as they are in a study's archive: shapes that are checked on the way in.

What the pages rely on is checked here, so that no archive can give them a scan that they cannot
draw; see :mod:`optimizer.techniques.layer_scan` for what the figures mean.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from optimizer.store.archive_json import Time
from optimizer.store.base import new_id
from optimizer.store.records import Run

MOST_SCANS = 10
"""The newest scans of a study go into its archive, at most so many."""
_MOST_LAYERS, _MOST_LEVELS, _MOST_OUTPUTS = 5_000, 100, 100

_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Count = Annotated[int, Field(ge=0, lt=2**53)]
_Seconds = Annotated[float, Field(ge=0.0, le=1e7)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class _Fall(_Strict):
    fall: float | None
    low: float | None
    high: float | None


def _level(text: str) -> str:
    if not 0 < float(text) <= 1024:
        raise ValueError("a sparsity or a number of clusters is wanted")
    return text


_Level = Annotated[str, StringConstraints(max_length=20), AfterValidator(_level)]
_Falls = Annotated[list[_Fall], Field(min_length=1, max_length=_MOST_OUTPUTS)]
_Levels = Annotated[dict[_Level, _Falls], Field(max_length=_MOST_LEVELS)]


class _Layer(_Strict):
    name: _Name
    type: _Name
    weights: _Count
    prune: _Levels | None
    cluster: _Levels | None
    int8: _Falls | None

    def cells(self) -> list[list[_Fall]]:
        """What was found in every setting."""
        levels = [*(self.prune or {}).values(), *(self.cluster or {}).values()]
        return levels + ([self.int8] if self.int8 else [])


class _Output(_Strict):
    name: _Name
    task: _Name
    metric: _Name
    higher_is_better: bool
    value: float | None
    scale: float | None


class _Scan(_Strict):
    samples: Annotated[int, Field(ge=1, lt=2**53)]
    test_samples: _Count
    outputs: Annotated[list[_Output], Field(min_length=1, max_length=_MOST_OUTPUTS)]
    layers: Annotated[list[_Layer], Field(min_length=1, max_length=_MOST_LAYERS)]


def _whole(scan: _Scan) -> _Scan:
    if len({layer.name for layer in scan.layers}) < len(scan.layers):
        raise ValueError("two layers have one name")
    cells = [cell for layer in scan.layers for cell in layer.cells()]
    if not cells or any(len(cell) != len(scan.outputs) for cell in cells):
        raise ValueError("each setting of a layer needs a figure for each output")
    return scan


class _Options(_Strict):
    """As :class:`optimizer.sensitivity.options.ScanOptions`, which is above this room."""

    sparsities: Annotated[
        list[Annotated[float, Field(gt=0.0, lt=1.0)]], Field(max_length=_MOST_LEVELS)
    ]
    clusters: Annotated[list[Annotated[int, Field(ge=2, le=1024)]], Field(max_length=_MOST_LEVELS)]
    int8: bool
    samples: Annotated[int, Field(ge=1, le=1_000_000)]
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]


def _something(options: _Options) -> _Options:
    if not (options.sparsities or options.clusters or options.int8):
        raise ValueError("a scan of nothing")
    return options


class ScanEntry(_Strict):
    """One scan of single layers."""

    title: _Name
    created_at: Time
    options: Annotated[_Options, AfterValidator(_something)]
    seconds: _Seconds
    scan: Annotated[_Scan, AfterValidator(_whole)]

    @property
    def finished_at(self) -> str:
        """When it was done, as an ISO 8601 time."""
        begun = datetime.fromisoformat(self.created_at)
        return (begun + timedelta(seconds=self.seconds)).isoformat()

    @model_validator(mode="after")
    def _ends(self) -> ScanEntry:
        try:
            self.finished_at  # noqa: B018 - whether there is such a time
        except OverflowError:
            raise ValueError("it ends at a time that there is not") from None
        return self


def scan_entries(runs: list[Run]) -> list[dict[str, Any]]:
    """The finished scans among a study's runs, the newest first, as they go into an archive."""
    return [
        {
            "title": run.title,
            "created_at": run.created_at,
            "options": run.options,
            "seconds": run.result["seconds"],
            "scan": run.result["scan"],
        }
        for run in runs
        if run.state == "done" and run.result and run.result.get("scan")
    ][:MOST_SCANS]


def scan_run(entry: ScanEntry, study_id: str) -> Run:
    """A scan out of an archive as a finished run of the study that it becomes part of."""
    return Run(
        id=new_id(),
        kind="sensitivity",
        title=entry.title,
        model_id=None,
        dataset_id=None,
        study_id=study_id,
        variant_ids=(),
        options=entry.options.model_dump(mode="json"),
        state="done",
        error=None,
        created_at=entry.created_at,
        started_at=entry.created_at,
        finished_at=entry.finished_at,
        cancel_requested=False,
        result={"scan": entry.scan.model_dump(mode="json"), "seconds": entry.seconds},
    )
