"""Which candidates are looked at again on samples that the search did not see, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from optimizer.search.goal import Figures, Goal, feasible
from optimizer.store.records import Trial

MOST_CONFIRMED = 5
"""Candidates that are looked at again, at most: each more makes a lucky one likelier."""


@dataclass(frozen=True)
class Checked:
    """What one part of the test set says about a candidate.

    Attributes:
        samples: how many there are.
        metric, baseline: the study's metric, of the candidate and of the baseline.
        lost: see :func:`optimizer.quality.lost`.
        interval: 95 % interval of what was lost, samples in pairs; ``None`` without a metric.
    """

    samples: int
    metric: float | None
    baseline: float | None
    lost: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Confirmation:
    """A candidate, checked on what the search did not see.

    Attributes:
        number: of the trial.
        parts: ``confirmation`` and ``whole`` → what that part of the test set says.
        latency_ratio, latency_interval: measured anew; ``None`` when latency is no matter.
        violations: constraint → by how much it is broken, the worst of all that was measured.
    """

    number: int
    parts: Mapping[str, Checked]
    latency_ratio: float | None
    latency_interval: tuple[float, float] | None
    violations: Mapping[str, float]

    @property
    def kept(self) -> bool:
        """Whether every constraint is kept."""
        return feasible(self.violations)

    def dump(self) -> dict[str, Any]:
        """JSON-able."""
        return {**asdict(self), "kept": self.kept}


def contenders(trials: Sequence[Trial], goal: Goal) -> list[Trial]:
    """The trials that keep every constraint as far as the search knows, the best first.

    Equal costs are put in order of the metric, then of the trials.
    """
    complete = [
        trial
        for trial in trials
        if trial.state == "complete" and goal.keeps(Figures.read(trial.figures))
    ]

    def place(trial: Trial) -> tuple[float, float, int]:
        figures = Figures.read(trial.figures)
        return goal.cost(figures), goal.lost(figures), trial.number

    return sorted(complete, key=place)


def verdict(
    trial: Trial,
    goal: Goal,
    parts: Mapping[str, Checked],
    latency: tuple[float | None, tuple[float, float] | None] | None,
) -> Confirmation:
    """What the new measurements say; the search's own figures count as well.

    Args:
        trial: the candidate.
        goal: with the constraints.
        parts: what the parts of the test set say, which the search did not judge by.
        latency: ratio and interval measured anew, or ``None`` when latency is no matter. A
            ratio that could not be measured keeps no limit of the latency.
    """
    figures = Figures.read(trial.figures)
    found = [goal.violations(figures)]
    for part in parts.values():
        excess = _accuracy(goal, part)
        found.append({} if excess is None else {"accuracy_drop": excess})
    if latency is not None:
        again = Figures(figures.gzip_bytes, figures.size_bytes, figures.metric, latency[0])
        found.append(goal.violations(again))
    worst: dict[str, float] = {}
    for violations in found:
        for name, value in violations.items():
            worst[name] = max(worst.get(name, value), value)
    return Confirmation(
        trial.number,
        dict(parts),
        latency[0] if latency else None,
        latency[1] if latency else None,
        worst,
    )


def _accuracy(goal: Goal, part: Checked) -> float | None:
    limits = goal.constraints
    if limits.max_accuracy_drop is None:
        return None
    judged = replace(goal, baseline=Figures(metric=part.baseline))
    return judged.violations(Figures(metric=part.metric))["accuracy_drop"]
