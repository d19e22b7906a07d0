"""Which candidate to try next: the one that promises most for the seconds it costs.

A Gaussian process says what a candidate would probably be; the one is tried whose expected
improvement, within the constraints, is largest per second (Snoek et al. 2012, arXiv:1206.2944;
Gardner et al. 2014, "Bayesian optimization with inequality constraints"). Candidates that Optuna's
TPE proposes (:mod:`optimizer.search.proposals`) are worth more: two models agree on them. So a
quantization mode of a model that is trained already, which costs seconds, comes before another
training that promises little more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from optimizer.search.goal import Figures, Goal, feasible
from optimizer.search.proposals import propose
from optimizer.search.space import Candidate, Space
from optimizer.search.start import start_candidates
from optimizer.search.surrogate import (
    EXACT,
    SAMPLED,
    Coordinates,
    Noises,
    Surrogate,
    below,
    expected_improvement,
)
from optimizer.store.records import Trial, TrialOrigin

_ASKED = 6
_FEWEST = 4
"""Finished trials below which nothing can be predicted."""
_NOTHING = 1e-12
_PER_TRIAL = 0.5
"""What a trial costs besides its seconds, in trainings: it uses up one of the budget's trials."""
_SECONDED = 2.0
"""How much more a candidate is worth that TPE proposes, too."""


@dataclass(frozen=True)
class Costs:
    """What trying a candidate costs.

    Attributes:
        stored: whether the result with a content key is in the store.
        seconds: stage name → how long it takes, as far as known; ``""`` for converting and
            measuring, which every candidate needs.
    """

    stored: Callable[[str], bool]
    seconds: Mapping[str, float]

    def missing(self, candidate: Candidate) -> list[str]:
        """The names of the training stages that would have to run."""
        return [name for name, key in candidate.training if not self.stored(key)]

    def of(self, candidate: Candidate) -> float:
        """Seconds that a candidate will probably take."""
        known = [value for name, value in self.seconds.items() if name]
        usual = sum(known) / len(known) if known else 10.0
        training = sum(self.seconds.get(name, usual) for name in self.missing(candidate))
        return training + self.seconds.get("", 1.0) + _PER_TRIAL * usual


@dataclass(frozen=True)
class Suggestion:
    """A candidate, and why it is tried."""

    candidate: Candidate
    origin: TrialOrigin


class Sampler:
    """Chooses the candidates of one search; the same trials give the same choice.

    Args:
        space: what to choose from.
        goal: what trials are judged by.
        seed: of the search.
    """

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        self._space, self._goal, self._seed = space, goal, seed
        self._coordinates = Coordinates(space)
        self._start = start_candidates(space)

    def next(self, trials: Sequence[Trial], costs: Costs) -> Suggestion | None:
        """The candidate to try next; ``None`` when all were tried.

        Args:
            trials: so far, running ones and those of the study included.
            costs: what trying one costs.
        """
        tried = {trial.recipe.hash for trial in trials}
        for candidate in self._start:
            if candidate.key not in tried:
                return Suggestion(candidate, "start")
        left = [c for c in self._space.candidates if c.key not in tried]
        if not left:
            return None
        complete = [trial for trial in trials if trial.state == "complete"]
        if len(complete) < _FEWEST:
            rng = np.random.default_rng((self._seed, len(trials)))
            return Suggestion(left[int(rng.integers(len(left)))], "sampled")
        proposed = {c.key for c in propose(self._space, self._goal, trials, self._seed, _ASKED)}
        weights = np.array([_SECONDED if c.key in proposed else 1.0 for c in left])
        best = left[int(np.argmax(weights * self._worth(left, trials, complete, costs)))]
        return Suggestion(best, "sampled" if costs.missing(best) else "sibling")

    def _worth(
        self,
        pool: list[Candidate],
        trials: Sequence[Trial],
        complete: Sequence[Trial],
        costs: Costs,
    ) -> np.ndarray:
        """Expected improvement within the constraints per second, shape (len(pool),)."""
        rows = self._coordinates.rows([candidate.choices for candidate in pool])
        chance = self._chance(rows, trials, complete)
        seconds = np.array([costs.of(candidate) for candidate in pool])
        costly = [self._cost(trial) for trial in complete if feasible(trial.violations)]
        kept = [cost for cost in costly if cost is not None]
        if not kept:
            return chance / seconds
        best = min(kept)
        noises = SAMPLED if self._goal.objective == "accuracy" else EXACT
        mean, deviation = self._predicted(rows, complete, self._cost, noises)
        improvement = expected_improvement(best, mean, deviation)
        return (improvement * chance + _NOTHING * chance) / seconds

    def _chance(
        self, rows: np.ndarray, trials: Sequence[Trial], complete: Sequence[Trial]
    ) -> np.ndarray:
        """The chance that every constraint is kept."""
        chance = np.ones(len(rows))
        for name in complete[0].violations:
            known = [t for t in trials if t.state in ("complete", "pruned")]
            noises = SAMPLED if name == "accuracy_drop" else EXACT
            mean, deviation = self._predicted(rows, known, partial(_violation, name), noises)
            chance *= below(0.0, mean, deviation)
        return chance

    def _predicted(
        self,
        rows: np.ndarray,
        known: Sequence[Trial],
        value: Callable[[Trial], float | None],
        noises: Noises,
    ) -> tuple[np.ndarray, np.ndarray]:
        pairs = [(t.choices, found) for t in known if (found := value(t)) is not None]
        seen = self._coordinates.rows([choices for choices, _ in pairs])
        values = np.array([found for _, found in pairs])
        return Surrogate(self._coordinates, seen, values, noises).predict(rows)

    def _cost(self, trial: Trial) -> float | None:
        """The cost; of sizes and ratios the logarithm, so that improvements are relative."""
        cost = self._goal.cost(Figures.read(trial.figures))
        if not math.isfinite(cost):
            return None
        return cost if self._goal.objective == "accuracy" else math.log(cost)


def _violation(name: str, trial: Trial) -> float | None:
    """By how much a trial broke a constraint, from -1 to 1: how far beyond is no matter."""
    found = trial.violations.get(name)
    return None if found is None else found / (1 + abs(found))
