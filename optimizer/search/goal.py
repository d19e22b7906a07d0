"""What a search is for: one measure to make small, limits to keep, and a budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from optimizer.errors import InputError
from optimizer.quality import lost
from optimizer.recipe_text import describe_error
from optimizer.schedules import Part

Objective = Literal["download", "size", "latency", "accuracy"]
OBJECTIVES: dict[Objective, str] = {
    "download": "smallest download",
    "size": "smallest file",
    "latency": "lowest latency",
    "accuracy": "best accuracy",
}
"""Objective → what is looked for."""

_ROUNDING = 1e-9
_LEAST_DROP = 0.01
"""What an excess of accuracy lost is compared with when the limit itself is near zero."""


class Constraints(Part):
    """Limits that the winner keeps; ``None`` is no limit.

    ``max_accuracy_drop`` is in shares of the study's metric, 0.01 being one point; for an error
    0.01 allows it to grow by 2 %. ``max_size_bytes`` is of the ``.tflite`` as it ships,
    ``max_latency_ratio`` of the median latency to the baseline's.
    """

    max_accuracy_drop: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    max_size_bytes: Annotated[int, Field(ge=1)] | None = None
    max_latency_ratio: Annotated[float, Field(gt=0.0, le=100.0)] | None = None


class SearchOptions(Part):
    """What a run of kind ``search`` is asked to do.

    ``space`` is a grid as :class:`optimizer.grid.Grid` reads it; ``per_layer`` adds, to each
    recipe that prunes single weights, the one whose layers have different sparsities, chosen by
    a sensitivity scan. ``trials`` counts candidates that this search tries, not those that the
    study had already; a trial that takes longer than ``minutes_per_trial`` is ended.
    """

    objective: Objective = "download"
    constraints: Constraints = Constraints(max_accuracy_drop=0.01)
    space: dict[str, Any] = Field(default_factory=dict)
    per_layer: bool = False
    trials: Annotated[int, Field(ge=1, le=2000)] | None = 40
    minutes: Annotated[float, Field(gt=0.0, le=10_000.0)] | None = None
    minutes_per_trial: Annotated[float, Field(gt=0.0, le=10_000.0)] = 30.0
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0

    @model_validator(mode="after")
    def _ends(self) -> SearchOptions:
        if self.trials is None and self.minutes is None:
            raise ValueError("a search needs an end: give trials, minutes, or both")
        return self

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> SearchOptions:
        """Read options from plain data.

        Raises:
            InputError: naming the field, the value received and what is accepted.
        """
        try:
            return cls.model_validate(dict(value))
        except ValidationError as error:
            raise InputError(f"The search cannot be made. {describe_error(error)}") from None

    @property
    def needs_latency(self) -> bool:
        """Whether latency has to be measured for it."""
        return self.objective == "latency" or self.constraints.max_latency_ratio is not None


@dataclass(frozen=True)
class Figures:
    """What was measured of a candidate, as far as a search is concerned.

    Attributes:
        metric: the study's, on the samples that are judged by.
        latency_ratio: median latency to the baseline's; ``None`` when it was not measured.
    """

    gzip_bytes: int | None = None
    size_bytes: int | None = None
    metric: float | None = None
    latency_ratio: float | None = None

    def dump(self) -> dict[str, Any]:
        """JSON-able, as :class:`optimizer.store.records.Trial` keeps it."""
        return asdict(self)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Figures:
        """From what :meth:`dump` gave, or from nothing."""
        return cls(**{name: values.get(name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Goal:
    """An objective and constraints, against one baseline.

    Attributes:
        metric: the name of the study's metric.
        baseline: the baseline's figures, on the samples that are judged by.
    """

    objective: Objective
    constraints: Constraints
    metric: str
    higher_is_better: bool
    baseline: Figures

    def lost(self, figures: Figures) -> float:
        """How much of the metric a candidate lost, see :func:`optimizer.quality.lost`."""
        return lost(figures.metric, self.baseline.metric, self.higher_is_better)

    def cost(self, figures: Figures) -> float:
        """What is to be as small as possible; infinite when it was not measured."""
        if self.objective == "accuracy":
            return self.lost(figures)
        value = {
            "download": figures.gzip_bytes,
            "size": figures.size_bytes,
            "latency": figures.latency_ratio,
        }[self.objective]
        return math.inf if value is None else float(value)

    def violations(self, figures: Figures) -> dict[str, float]:
        """Constraint → by how much it is broken, relative to its limit; 0 or less is kept.

        What was not measured counts as broken by the whole limit.
        """
        limits = self.constraints
        found: dict[str, float] = {}
        if limits.max_accuracy_drop is not None:
            excess = self.lost(figures) - limits.max_accuracy_drop
            scale = max(limits.max_accuracy_drop, _LEAST_DROP)
            found["accuracy_drop"] = 1.0 if math.isinf(excess) else excess / scale
        if limits.max_size_bytes is not None:
            found["size_bytes"] = _relative(figures.size_bytes, limits.max_size_bytes)
        if limits.max_latency_ratio is not None:
            found["latency_ratio"] = _relative(figures.latency_ratio, limits.max_latency_ratio)
        return found

    def keeps(self, figures: Figures) -> bool:
        """Whether every constraint is kept, and the objective was measured."""
        return feasible(self.violations(figures)) and math.isfinite(self.cost(figures))


def feasible(violations: Mapping[str, float]) -> bool:
    """Whether no constraint is broken, but for rounding."""
    return all(value <= _ROUNDING for value in violations.values())


def excess(violations: Mapping[str, float]) -> float:
    """The sum of what is broken, relative to the limits; 0 when all are kept."""
    return sum(max(value, 0.0) for value in violations.values())


def _relative(value: float | None, limit: float) -> float:
    return 1.0 if value is None else value / limit - 1.0
