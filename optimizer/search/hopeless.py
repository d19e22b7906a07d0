"""Ending a trial early when its intermediate metric says that it cannot keep the limit any more.

The rule learns from trials that ran to their end: by how much did the metric recover, at most,
between this very moment (same stage, same share of its epochs, same training still to come) and
the end? When even that recovery, and a margin, would leave the candidate beyond what it may
lose, it is ended. Optuna's median rule and successive halving compare a trial with others at the
same moment; they would end a heavily pruned model in its first epoch, which always looks bad
then and is often the best one in the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import pstdev

from optimizer.quality import lost
from optimizer.recipe import Recipe
from optimizer.search.goal import Figures, Goal, feasible
from optimizer.search.space import TRAINING
from optimizer.store.records import Trial

_FEWEST = 4
"""Finished trials at the same moment below which nothing is ended."""


@dataclass(frozen=True)
class Moment:
    """A place in a trial's training.

    Attributes:
        stage: name of the training stage.
        epoch, epochs: how many of its epochs are done, and how many there are.
        after: the training stages that follow it.
    """

    stage: str
    epoch: int
    epochs: int
    after: tuple[str, ...]


def moment(recipe: Recipe, stage: str, epoch: int, epochs: int) -> Moment:
    """Where a recipe's training is."""
    parts = (recipe.prune, recipe.cluster, recipe.quantize.aware)
    names = [name for name, part in zip(TRAINING, parts, strict=True) if part]
    after = names[names.index(stage) + 1 :] if stage in names else []
    return Moment(stage, epoch, epochs, tuple(after))


@dataclass(frozen=True)
class EarlyEnding:
    """The rule of one search at one time.

    Attributes:
        goal: what trials are judged by.
        trials: so far.
        baseline: the baseline's metric on the samples that training is watched by.
        samples: how many these are.
    """

    goal: Goal
    trials: Sequence[Trial]
    baseline: float | None
    samples: int

    def reason(self, now: Moment, metric: float) -> str | None:
        """Why a trial that stands so is hopeless, for a person; ``None`` while there is hope."""
        allowed = self.allowed()
        recoveries = self.recoveries(now)
        if allowed is None or self.baseline is None or len(recoveries) < _FEWEST:
            return None
        behind = self._lost(metric)
        margin = pstdev(recoveries) + 1 / math.sqrt(4 * self.samples)
        best = behind - max(*recoveries, 0.0) - margin
        if best <= allowed:
            return None
        return (
            f"Ended early, after epoch {now.epoch} of {now.epochs} of its {_WORDS[now.stage]}: it "
            f"was {_points(behind)} behind the baseline. Of {len(recoveries)} trials none "
            f"recovered more than {_points(max(*recoveries, 0.0))} from there; it may lose "
            f"{_points(allowed)}."
        )

    def allowed(self) -> float | None:
        """What a candidate may lose to be of any use; ``None`` when there is no such limit."""
        limits = [self.goal.constraints.max_accuracy_drop]
        if self.goal.objective == "accuracy":
            kept = [Figures.read(t.figures) for t in self.trials if _is_found(t)]
            limits += [min((self.goal.lost(figures) for figures in kept), default=None)]
        known = [limit for limit in limits if limit is not None]
        return min(known) if known else None

    def recoveries(self, now: Moment) -> list[float]:
        """By how much finished trials recovered from this moment to their end."""
        found = []
        for trial in self.trials:
            if trial.state != "complete":
                continue
            final = self.goal.lost(Figures.read(trial.figures))
            found += [
                self._lost(value) - final
                for stage, epoch, epochs, value in trial.intermediate
                if moment(trial.recipe, stage, epoch, epochs) == now
            ]
        return [value for value in found if math.isfinite(value)]

    def _lost(self, metric: float) -> float:
        return lost(metric, self.baseline, self.goal.higher_is_better)


_WORDS = {
    "prune": "pruning",
    "cluster": "clustering",
    "quantize_aware": "quantization-aware training",
}


def _is_found(trial: Trial) -> bool:
    return trial.state == "complete" and feasible(trial.violations)


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
