"""One search from start to end: candidates tried within a budget, and the best one confirmed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from optimizer.engine.confirming import confirm
from optimizer.engine.environment import describe_environment
from optimizer.engine.run_stages import RunStages
from optimizer.engine.trials import Trials
from optimizer.engine.variants import Made, VariantWork
from optimizer.errors import FeatherweightError, InputError, StageError
from optimizer.feasible import objections
from optimizer.grid import Grid
from optimizer.measured import measured
from optimizer.plan import StudyPlan
from optimizer.recipe import BASELINE, Recipe
from optimizer.search.answer import answer
from optimizer.search.bounds import cannot_win
from optimizer.search.defaults import default_space
from optimizer.search.goal import Figures, Goal, SearchOptions
from optimizer.search.judging import Judge, first_output, read_judge
from optimizer.search.per_layer import alternatives, sensitivity_stage, worth_scanning
from optimizer.search.sampler import Costs, Sampler
from optimizer.search.space import TRAINING, Space, build_space, training_stages
from optimizer.store import Store
from optimizer.store.records import Run, Variant
from optimizer.study_plan import study_plan


class Search:
    """Executes one run of kind ``search``; what was done before is gone on from.

    Args:
        store: where the run is and where trials go.
        stages: executes the run's stages.
        run: the search.
        threads: processor threads for each stage.
        slots: how many trials may run at once.
    """

    def __init__(self, store: Store, stages: RunStages, run: Run, threads: int, slots: int) -> None:
        self._store, self._stages, self._run = store, stages, run
        self._study_id, self._slots = str(run.study_id), max(1, slots)
        self._threads = threads
        self._options = SearchOptions.parse(run.options)
        self._spent_before = float((run.result or {}).get("spent_seconds") or 0.0)
        self._began = time.monotonic()

    async def run(self) -> None:
        """Search to the end.

        Raises:
            FeatherweightError: nothing can be searched; the message says why.
        """
        self._say("baseline")
        plan = study_plan(self._store, self._study_id, self._threads)
        baseline = await self._baseline(plan)
        judge = await asyncio.to_thread(self._judge, plan)
        outputs = self._outputs(baseline)
        goal = self._goal(baseline, judge, outputs)
        self._say("space", goal=_goal_record(goal, judge))
        space = await self._space(plan)
        trials = Trials(
            self._store, self._stages, plan, self._run, self._options, goal, judge, outputs
        )
        if not trials.all:
            trials.adopt(self._finished_variants(space))
        self._say("trials", space=len(space.candidates), refused=dict(space.refused))
        ended = await self._try(trials, space, goal)
        self._say("confirming")
        checked = await confirm(trials, goal, judge, outputs, self._run.id)
        found = answer(trials.listed, checked, goal, ended)
        found["remarks"] += self._broken_promises(found)
        self._store.set_study_environment(self._study_id, describe_environment(self._threads))
        self._say("done", answer=found)
        self._stages.log(found["text"])
        self._store.update_run(self._run.id, state="done")

    async def _baseline(self, plan: StudyPlan) -> Variant:
        """The baseline, with the predictions that everything is compared with."""
        variant = self._store.add_variant(self._study_id, BASELINE)
        work = VariantWork(self._store, self._stages, plan)
        known = variant.state == "done" and self._stages.runner.has(plan.baseline.evaluate)
        if not known or variant.stages.get("evaluate") != plan.baseline.evaluate.key:
            made = await work.make(variant)
            if made.error:
                raise _without_baseline(made.error)
            self._store.update_variant(variant.id, state="done")
        if self._options.needs_latency and not self._latency_known(variant.id):
            made = Made(self._store.get_variant(variant.id), plan.baseline)
            (measured,) = await work.measure([made])
            if measured.error:
                raise _without_baseline(measured.error)
        await self._stages.task(plan.data)
        return self._store.get_variant(variant.id)

    def _broken_promises(self, found: dict[str, Any]) -> list[str]:
        """What the file does not keep of its recipe: no limit of the search, but worth saying."""
        if found["variant_id"] is None:
            return []
        measurements = measured(self._store.get_variant(found["variant_id"]))
        broken = measurements.broken if measurements else ()
        promises = "; ".join(promise.promise for promise in broken)
        return [f"The file does not keep what its recipe promised: {promises}."] if broken else []

    def _latency_known(self, variant_id: str) -> bool:
        return bool((self._store.get_variant(variant_id).results or {}).get("latency_ms"))

    def _judge(self, plan: StudyPlan) -> Judge:
        arrays = self._store.artifacts.path(plan.data.key, "arrays.npz")
        return read_judge(arrays, plan.objective.measured())

    def _outputs(self, variant: Variant) -> np.ndarray:
        key = variant.stages["evaluate"]
        return first_output(self._store.artifacts.read(key, "predictions.npz"))

    def _goal(self, baseline: Variant, judge: Judge, outputs: np.ndarray) -> Goal:
        options, results = self._options, baseline.results or {}
        limited = options.constraints.max_accuracy_drop is not None
        if judge.metric is None and (limited or options.objective == "accuracy"):
            raise InputError(
                "The study has no labels, so accuracy can be neither limited nor searched for. "
                "Search for a size or a latency without a limit of the accuracy, or bring labels."
            )
        figures = Figures(
            results.get("gzip_bytes"),
            results.get("size_bytes"),
            judge.value(outputs, "search"),
            1.0,
        )
        return Goal(
            options.objective,
            options.constraints,
            judge.metric or "",
            judge.higher_is_better,
            figures,
        )

    async def _space(self, plan: StudyPlan) -> Space:
        study = self._store.get_study(self._study_id)
        facts = self._store.get_model(study.model_id).facts or {"layers": []}
        given = self._options.space or default_space(facts, study.task, self._options.objective)
        grid = Grid.parse(given, source="search space")
        scans = self._options.per_layer and worth_scanning(grid)
        per_layer = await self._per_layer(plan) if scans else None
        return await asyncio.to_thread(
            build_space,
            grid,
            lambda recipe: objections(recipe, facts, study.task),
            training_stages(plan),
            per_layer,
            self._options.seed,
        )

    async def _per_layer(self, plan: StudyPlan) -> Callable[[Recipe], Recipe | None] | None:
        """What gives recipes sparsities by sensitivity; without it the search goes on, too."""
        stage = sensitivity_stage(plan)
        try:
            await self._stages.task(stage)
        except FeatherweightError as error:
            self._stages.log(f"No sparsities by layer, because the scan failed: {error}")
            return None
        return alternatives(json.loads(self._store.artifacts.read(stage.key, "sensitivity.json")))

    def _finished_variants(self, space: Space) -> dict[str, Any]:
        return {
            variant.recipe.hash: (variant, space.by_key[variant.recipe.hash].choices)
            for variant in self._store.list_variants(self._study_id)
            if variant.state == "done" and variant.recipe.hash in space.by_key
        }

    async def _try(self, trials: Trials, space: Space, goal: Goal) -> str:
        """Try candidates until the budget is used up or nothing is left; says which."""
        sampler = Sampler(space, goal, self._options.seed)
        for trial in trials.unfinished():
            trials.resume(trial)
        while True:
            ended = await self._begin(trials, sampler, goal)
            if self._seconds_left() == 0.0:
                await trials.end_all("Ended: the search's time was up.")
            if not trials.under_way:
                return ended or "space"
            await trials.wait(self._patience())
            self._say("trials")

    async def _begin(self, trials: Trials, sampler: Sampler, goal: Goal) -> str | None:
        """Begin as many trials as may run at once; says why there are no more to begin."""
        while trials.under_way < self._slots:
            if used := self._budget_used(trials):
                return used
            costs = self._costs()
            suggestion = await asyncio.to_thread(sampler.next, trials.listed, costs)
            if suggestion is None:
                return "space"
            reason = cannot_win(suggestion.candidate, trials.listed, goal)
            if reason is not None:
                trials.skip(suggestion, reason)
            else:
                trials.begin(suggestion)
        return None

    def _costs(self) -> Costs:
        """What candidates cost, as far as this study's variants and this search tell."""
        seconds: dict[str, list[float]] = {}
        for variant in self._store.list_variants(self._study_id):
            known = (variant.results or {}).get("seconds") or {}
            for name in TRAINING:
                if name in known:
                    seconds.setdefault(name, []).append(known[name])
            rest = sum(known.get(name, 0.0) for name in ("convert", "evaluate"))
            if rest:
                seconds.setdefault("", []).append(rest)
        means = {name: sum(values) / len(values) for name, values in seconds.items()}
        return Costs(self._store.artifacts.has, means)

    def _budget_used(self, trials: Trials) -> str | None:
        options = self._options
        if options.trials is not None and trials.counted >= options.trials:
            return "budget"
        return "budget" if self._seconds_left() == 0.0 else None

    def _spent(self) -> float:
        return self._spent_before + time.monotonic() - self._began

    def _seconds_left(self) -> float | None:
        """Of the budget, in seconds; ``None`` when time is no matter."""
        minutes = self._options.minutes
        return None if minutes is None else max(0.0, 60 * minutes - self._spent())

    def _patience(self) -> float:
        left = self._seconds_left()
        return 1.0 if left is None else min(1.0, max(0.05, left))

    def _say(self, phase: str, **more: Any) -> None:
        """Record how far the search is, in the run."""
        result = dict(self._store.get_run(self._run.id).result or {})
        known = {"phase": phase, "spent_seconds": self._spent()}
        self._store.update_run(self._run.id, result={**result, **known, **more})


def _without_baseline(reason: str) -> StageError:
    return StageError(
        "The baseline could not be made or measured, so there is nothing to compare candidates "
        f"with: {reason}"
    )


def _goal_record(goal: Goal, judge: Judge) -> dict[str, Any]:
    """What the page and the command line say of what candidates were judged by."""
    return {
        "metric": goal.metric or None,
        "higher_is_better": goal.higher_is_better,
        "baseline": goal.baseline.dump(),
        "samples": {name: judge.size(name) for name in ("search", "confirmation", "whole")},
    }
