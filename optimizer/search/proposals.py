"""Candidates that Optuna's TPE proposes after what was tried: constrained, multi-objective."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from optimizer.search.goal import Figures, Goal
from optimizer.search.space import Candidate, Space
from optimizer.store.records import Trial

_STATES = {
    "complete": TrialState.COMPLETE,
    "running": TrialState.RUNNING,
    "pruned": TrialState.PRUNED,
}
_WORST = 1e6
optuna.logging.set_verbosity(optuna.logging.WARNING)


def propose(
    space: Space, goal: Goal, trials: Sequence[Trial], seed: int, count: int
) -> list[Candidate]:
    """Ask TPE for candidates that were not tried.

    The Optuna study is built anew from the trials each time, so that a search that was
    interrupted goes on as if it had not been. Trials under way count as bad ones
    (``constant_liar``), and so does what was asked for just now: proposals differ. The
    objectives are the cost and what is lost of the metric; constraints order the infeasible.

    Sources: Bergstra et al. 2011, "Algorithms for hyper-parameter optimization"; Watanabe 2023
    (arXiv:2304.11127) for the constrained and multi-objective forms in Optuna.

    Args:
        space: what to choose from.
        goal: what trials are judged by.
        trials: so far, running ones included.
        seed: of the search; with the number of trials it seeds the sampler.
        count: how often to ask; fewer candidates come back when some are the same.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=2,
            multivariate=True,
            group=True,
            constant_liar=True,
            seed=(seed * 100_003 + len(trials)) % 2**31,
        )
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    distributions = _distributions(space)
    for trial in trials:
        if trial.state in _STATES and trial.choices.keys() <= distributions.keys():
            study.add_trial(_told(trial, goal, distributions))
    tried = {trial.recipe.hash for trial in trials}
    by_choices = {_name(c.choices): c for c in space.candidates if c.key not in tried}
    found: dict[str, Candidate] = {}
    for _ in range(count):
        asked = study.ask()
        candidate = by_choices.get(_name(_chosen(asked, space, distributions)))
        if candidate is not None:
            found[candidate.key] = candidate
    return list(found.values())


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    """Numbers that stand in order are integers to Optuna, other alternatives categories."""
    return {
        path: IntDistribution(0, count - 1)
        if (scale := space.scales.get(path)) and list(scale) == sorted(scale) and count > 1
        else CategoricalDistribution(tuple(range(count)))
        for path, count in space.counts.items()
    }


def _told(trial: Trial, goal: Goal, distributions: dict[str, BaseDistribution]) -> Any:
    used = {path: distributions[path] for path in trial.choices}
    known: dict[str, Any] = {}
    if trial.state == "complete":
        figures = Figures.read(trial.figures)
        known = {
            "values": [_finite(goal.cost(figures)), _finite(goal.lost(figures))],
            "constraints": dict(trial.violations),
        }
    elif trial.state == "pruned":
        known = {"constraints": {**dict.fromkeys(trial.violations, 1.0), "ended_early": 1.0}}
    return create_trial(
        state=_STATES[trial.state],
        params={path: min(index, _last(used[path])) for path, index in trial.choices.items()},
        distributions=used,
        **known,
    )


def _chosen(
    asked: optuna.Trial, space: Space, distributions: dict[str, BaseDistribution]
) -> dict[str, int]:
    """What TPE chooses, asked for as far as earlier choices leave it open."""
    made: dict[str, int] = {}
    while (path := space.next_point(made)) is not None:
        distribution = distributions[path]
        if isinstance(distribution, IntDistribution):
            made[path] = asked.suggest_int(path, distribution.low, distribution.high)
        else:
            made[path] = asked.suggest_categorical(path, list(range(space.counts[path])))
    return made


def _last(distribution: BaseDistribution) -> int:
    if isinstance(distribution, IntDistribution):
        return distribution.high
    assert isinstance(distribution, CategoricalDistribution)
    return len(distribution.choices) - 1


def _name(choices: Any) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(choices.items()))


def _finite(value: float) -> float:
    return value if math.isfinite(value) else _WORST
