"""When weights are pruned: the schedules of a recipe's ``prune``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from optimizer.errors import InputError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Sparsity = Annotated[float, Field(ge=0.0, lt=1.0)]
Frequency = Annotated[int, Field(ge=1)] | None


class Part(BaseModel):
    """An immutable part of a recipe; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ConstantSchedule(Part):
    """The target sparsity at once, from ``begin`` (a fraction of the fine-tuning steps) on."""

    kind: Literal["constant"] = "constant"
    target_sparsity: Sparsity = 0.8
    begin: Fraction = 0.0
    frequency: Frequency = None

    @property
    def final(self) -> float:
        """The sparsity that the schedule ends with, 0 to 1."""
        return self.target_sparsity

    def sparsity_at(self, fraction: float) -> float:
        """Sparsity asked for after ``fraction`` (0 to 1) of the fine-tuning steps."""
        return self.target_sparsity if fraction >= self.begin else 0.0

    @model_validator(mode="after")
    def _leaves_room(self) -> ConstantSchedule:
        if self.begin >= 1.0:
            raise ValueError(
                f"begin must be below 1, or pruning never starts; received {self.begin:g}"
            )
        return self


class PolynomialSchedule(Part):
    """Sparsity that rises along a polynomial (Zhu & Gupta 2017, arXiv:1710.01878).

    ``begin`` and ``end`` are fractions of the fine-tuning steps, so that a recipe means the
    same on any data set. ``frequency`` is in optimizer steps; ``None`` chooses one that gives
    at least 20 mask updates, the last at ``end``.
    """

    kind: Literal["polynomial"] = "polynomial"
    initial_sparsity: Sparsity = 0.0
    final_sparsity: Sparsity = 0.8
    power: Annotated[float, Field(gt=0.0, le=10.0)] = 3
    begin: Fraction = 0.0
    end: Fraction = 0.75
    frequency: Frequency = None

    @property
    def final(self) -> float:
        """The sparsity that the schedule ends with, 0 to 1."""
        return self.final_sparsity

    def sparsity_at(self, fraction: float) -> float:
        """Sparsity asked for after ``fraction`` (0 to 1) of the fine-tuning steps."""
        if fraction < self.begin:
            return 0.0
        progress = min(1.0, (fraction - self.begin) / (self.end - self.begin))
        span = self.initial_sparsity - self.final_sparsity
        return self.final_sparsity + span * (1.0 - progress) ** self.power

    @model_validator(mode="after")
    def _in_order(self) -> PolynomialSchedule:
        if self.begin >= self.end:
            raise ValueError(f"begin must be below end; received {self.begin:g} and {self.end:g}")
        if self.initial_sparsity > self.final_sparsity:
            raise ValueError(
                "initial_sparsity must not exceed final_sparsity; received "
                f"{self.initial_sparsity:g} and {self.final_sparsity:g}"
            )
        return self


class StepsSchedule(Part):
    """Sparsity that jumps at given moments and stays level between them.

    ``steps`` are pairs of (fraction of the fine-tuning steps, sparsity), both rising.
    """

    kind: Literal["steps"] = "steps"
    steps: Annotated[tuple[tuple[Fraction, Sparsity], ...], Field(min_length=1, max_length=50)] = (
        (0.0, 0.4),
        (0.25, 0.6),
        (0.5, 0.8),
    )
    frequency: Frequency = None

    @property
    def final(self) -> float:
        """The sparsity that the schedule ends with, 0 to 1."""
        return self.steps[-1][1]

    def sparsity_at(self, fraction: float) -> float:
        """Sparsity asked for after ``fraction`` (0 to 1) of the fine-tuning steps."""
        return max((sparsity for begin, sparsity in self.steps if fraction >= begin), default=0.0)

    @model_validator(mode="after")
    def _rising(self) -> StepsSchedule:
        for (begin, low), (end, high) in zip(self.steps, self.steps[1:], strict=False):
            if begin >= end or low > high:
                raise ValueError(
                    "steps must rise, in time and in sparsity; "
                    f"received [{begin:g}, {low:g}] before [{end:g}, {high:g}]"
                )
        if self.steps[-1][0] >= 1.0:
            raise ValueError(
                f"the last of the steps must begin below 1; received {self.steps[-1][0]:g}"
            )
        return self


Schedule = Annotated[
    ConstantSchedule | PolynomialSchedule | StepsSchedule, Field(discriminator="kind")
]


def parse_schedule(
    schedule: Mapping[str, Any],
) -> ConstantSchedule | PolynomialSchedule | StepsSchedule:
    """A schedule from its plain form, as stages receive it."""
    return TypeAdapter(Schedule).validate_python(dict(schedule))


def steps_text(schedule: StepsSchedule) -> str:
    """The steps in percent, as a person writes them: ``0 → 40, 50 → 80``."""
    return ", ".join(
        f"{100 * begin:.10g} → {100 * sparsity:.10g}" for begin, sparsity in schedule.steps
    )


def steps_from_text(text: str) -> list[list[float]]:
    """Pairs of (fraction of training, sparsity) from percentages, the reverse of steps_text.

    Anything may stand between the two numbers of a pair; commas, semicolons or new lines
    separate pairs.

    Raises:
        InputError: a pair is not two percentages.
    """
    steps = []
    for pair in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        numbers = re.findall(r"\d+(?:\.\d+)?", pair)
        if len(numbers) != 2 or any(float(number) > 100 for number in numbers):
            raise InputError(
                "Write each step as two percentages, such as 50 → 80: from 50 % of the training "
                f"on, 80 % zeros; commas between steps. Received {pair!r}."
            )
        steps.append([round(float(number) / 100, 10) for number in numbers])
    return steps
