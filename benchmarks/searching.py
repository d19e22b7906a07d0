"""Search against the full grid: is the winner as good, and how much training does it take?

The whole grid is run once, by a search that may try everything; so both winners are chosen and
confirmed by the same rules. The searches with a budget are then replayed, from an empty cache,
on what the grid measured: a stage's result depends on its content key alone, so a search would
have computed exactly these stages in these seconds. Its budget is a third of the grid's training:
the first trial that would go beyond ends it. Ending trials early, which saves more, is not
replayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.findings import row
from benchmarks.live import bundled_study, cold_store, quiet
from optimizer.engine.confirming import checked
from optimizer.feasible import objections
from optimizer.grid import Grid
from optimizer.recipe import Recipe
from optimizer.search.confirmation import MOST_CONFIRMED, contenders, verdict
from optimizer.search.goal import Constraints, Figures, Goal, Objective, SearchOptions
from optimizer.search.judging import Judge, first_output, read_judge
from optimizer.search.record import goal_of
from optimizer.search.sampler import Costs, Sampler
from optimizer.search.space import TRAINING, Space, build_space, training_stages
from optimizer.session import run_search
from optimizer.settings import Settings, capacity
from optimizer.store import Store
from optimizer.store.records import Study, Trial
from optimizer.study_plan import study_plan

SEEDS = 5
SHARE = 1 / 3
"""Of the grid's training seconds that a search may use."""
MOST_TRIALS = 60
GRID: dict[str, Any] = {
    "prune": [
        None,
        {"schedule": {"kind": "polynomial", "final_sparsity": [0.3, 0.5, 0.6, 0.7, 0.8, 0.9]}},
    ],
    "cluster": [None, {"number_of_clusters": [8, 16, 32, 64]}],
    "quantize": [
        {"mode": "none"},
        {"mode": "float16"},
        {"mode": "dynamic"},
        {"mode": "int8"},
        {"mode": "int8", "aware": True},
    ],
    "fine_tune": {"epochs": 2},
}
GOALS: tuple[tuple[str, Objective, Constraints], ...] = (
    ("digits_cnn", "download", Constraints(max_accuracy_drop=0.01)),
    ("digits_cnn", "download", Constraints(max_accuracy_drop=0.03)),
    ("digits_cnn", "accuracy", Constraints(max_size_bytes=70_000)),
    ("cancer_mlp", "download", Constraints(max_accuracy_drop=0.01)),
    ("cancer_mlp", "download", Constraints(max_accuracy_drop=0.03)),
)
"""Model, objective, limits. A point is less than one sample of half of cancer's test set, so
that luck decides more there."""


@dataclass(frozen=True)
class Whole:
    """A grid that was run to its end.

    Attributes:
        trials: recipe's hash → its trial.
        stages: content key → (stage name, seconds) of everything that any recipe needs.
        needs: recipe's hash → the keys that it needs.
        outputs: recipe's hash → outputs over the test set.
    """

    space: Space
    judge: Judge
    goal: Goal
    trials: Mapping[str, Trial]
    stages: Mapping[str, tuple[str, float]]
    needs: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, Any]
    baseline: Any


def searching() -> None:
    """Run the grids and replay the searches; a row or two for each goal."""
    with cold_store() as store:
        wholes = {model: whole_grid(store, model) for model in dict.fromkeys(g[0] for g in GOALS)}
        for model, objective, constraints in GOALS:
            known = wholes[model]
            goal = replace(known.goal, objective=objective, constraints=constraints)
            _compare(model, known, goal)


def _compare(model: str, known: Whole, goal: Goal) -> None:
    title = f"search on {model}, {goal.objective}, {_limits(goal.constraints)}"
    best = winner(known, [_judged(trial, goal) for trial in known.trials.values()], goal)
    if best is None:
        row(f"{title}: winner", "nothing in the grid keeps the limits")
        return
    possible = goal.cost(Figures.read(best.figures))
    found = [replay(known, goal, seed) for seed in range(SEEDS)]
    reached = [winner(known, trials, goal) for trials in found]
    costs = [goal.cost(Figures.read(t.figures)) if t else float("inf") for t in reached]
    good = sum(cost <= possible + 1e-9 for cost in costs)
    row(f"{title}: as good as the grid's", f"{good} of {SEEDS} seeds", f"{SEEDS} of {SEEDS}")
    if possible > 0:
        row(f"{title}: cost / the grid's, at most", f"{max(costs) / possible:.3f}", "1")
    tried = [_share_until(known, goal, trials, possible) for trials in found]
    row(f"{title}: training until it was tried / the grid's, at most", f"{max(tried):.2f}", "0.33")


def whole_grid(store: Store, model: str) -> Whole:
    """Run every recipe of the grid on a sample model."""
    study = bundled_study(store, model)
    # With a limit that everything keeps, so that nothing is ended early.
    nothing = Constraints(max_accuracy_drop=1.0)
    options = SearchOptions(space=GRID, constraints=nothing, trials=2000, minutes=None)
    run = run_search(store, study, options, quiet)
    goal = goal_of(run)
    assert goal is not None
    return _read(store, study, store.list_trials(run.id), goal)


def _read(store: Store, study: Study, trials: list[Trial], goal: Goal) -> Whole:
    plan = study_plan(store, study.id, capacity(Settings.load(store.home)).threads)
    facts = store.get_model(study.model_id).facts or {}
    done = {trial.recipe.hash: trial for trial in trials if trial.state == "complete"}

    def refused(recipe: Recipe) -> list[str]:
        failed = [] if recipe.hash in done else ["It failed in the grid."]
        return objections(recipe, facts, study.task) or failed

    space = build_space(Grid.parse(GRID), refused, training_stages(plan))
    stages: dict[str, tuple[str, float]] = {}
    needs, outputs = {}, {}
    for key, trial in done.items():
        own = plan.variant(trial.recipe)
        upstream = [*own.convert.upstream(), own.evaluate]
        needs[key] = tuple(stage.key for stage in upstream)
        for stage in upstream:
            seconds = float(store.artifacts.meta(stage.key)["seconds"])
            stages.setdefault(stage.key, (stage.name, seconds))
        outputs[key] = first_output(store.artifacts.read(own.evaluate.key, "predictions.npz"))
    arrays = store.artifacts.path(plan.data.key, "arrays.npz")
    base = store.artifacts.read(plan.baseline.evaluate.key, "predictions.npz")
    judge = read_judge(arrays, plan.objective.measured())
    return Whole(space, judge, goal, done, stages, needs, outputs, first_output(base))


def replay(known: Whole, goal: Goal, seed: int) -> list[Trial]:
    """The trials of a search with a budget, from an empty cache."""
    sampler, stored, trials = Sampler(known.space, goal, seed), set[str](), list[Trial]()
    whole = _training(known, known.stages)
    while len(trials) < MOST_TRIALS:
        suggestion = sampler.next(trials, Costs(stored.__contains__, _seconds(known, stored)))
        if suggestion is None:
            break
        candidate = suggestion.candidate
        needed = stored | set(known.needs[candidate.key])
        if _training(known, needed) > SHARE * whole:
            break
        stored = needed
        trial = replace(
            known.trials[candidate.key], number=len(trials), choices=dict(candidate.choices)
        )
        trials.append(_judged(trial, goal))
    return trials


def _share_until(known: Whole, goal: Goal, trials: list[Trial], possible: float) -> float:
    """Which share of the grid's training had been used when the best possible was tried."""
    stored: set[str] = set()
    for trial in trials:
        stored |= set(known.needs[trial.recipe.hash])
        figures = Figures.read(trial.figures)
        if goal.keeps(figures) and goal.cost(figures) <= possible + 1e-9:
            break
    return _training(known, stored) / _training(known, known.stages)


def _judged(trial: Trial, goal: Goal) -> Trial:
    return replace(trial, violations=goal.violations(Figures.read(trial.figures)))


def winner(known: Whole, trials: list[Trial], goal: Goal) -> Trial | None:
    """The first contender that keeps every limit on what the search did not see."""
    for trial in contenders(trials, goal)[:MOST_CONFIRMED]:
        outputs = known.outputs[trial.recipe.hash]
        parts = {
            part: checked(known.judge, outputs, known.baseline, part)
            for part in ("confirmation", "whole")
        }
        if verdict(trial, goal, parts, None).kept:
            return trial
    return None


def _training(known: Whole, keys: Any) -> float:
    return sum(known.stages[key][1] for key in keys if known.stages[key][0] in TRAINING)


def _seconds(known: Whole, stored: set[str]) -> dict[str, float]:
    """What a search knows of the time that stages take."""
    seen: dict[str, list[float]] = {}
    for key in stored:
        name, seconds = known.stages[key]
        seen.setdefault(name if name in TRAINING else "", []).append(seconds)
    return {name: sum(values) / len(values) for name, values in seen.items()}


def _limits(constraints: Constraints) -> str:
    kept = {k: v for k, v in constraints.model_dump().items() if v is not None}
    return ", ".join(f"{name.removeprefix('max_')} ≤ {value:g}" for name, value in kept.items())
