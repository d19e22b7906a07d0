"""The trials of one search: each made as a variant of the study, watched, and recorded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from optimizer.engine.run_stages import RunStages
from optimizer.engine.trial_figures import figures_of, outputs_of
from optimizer.engine.variants import Made, StoredFile, VariantWork
from optimizer.errors import StageError
from optimizer.keys import Stage, StoredResult
from optimizer.plan import StudyPlan
from optimizer.recipe import Recipe
from optimizer.search.goal import Figures, Goal, SearchOptions
from optimizer.search.hopeless import EarlyEnding, moment
from optimizer.search.judging import Judge
from optimizer.search.sampler import Suggestion
from optimizer.search.space import TRAINING
from optimizer.store import Store
from optimizer.store.records import Run, Trial, Variant

ENDED_EARLY = "ended early"


@dataclass
class _Active:
    """A trial under way."""

    trial: Trial
    variant: Variant
    training: dict[str, Stage]
    began: float
    task: asyncio.Task[Made] | None = None
    hopeless: str | None = None
    breaks: dict[str, float] = field(default_factory=dict)


class Trials:
    """Executes trials of one search and keeps the store up to date with them.

    Args:
        store: where they go.
        stages: executes the search's stages; its numbers are listened to.
        plan: of the study.
        run: the search.
        options: of the search.
        goal: what trials are judged by.
        judge: divides the test set.
        baseline: outputs of the baseline over the test set.
    """

    def __init__(
        self,
        store: Store,
        stages: RunStages,
        plan: StudyPlan,
        run: Run,
        options: SearchOptions,
        goal: Goal,
        judge: Judge,
        baseline: np.ndarray,
    ) -> None:
        self._store, self._stages, self._plan, self._run = store, stages, plan, run
        self._options, self._goal, self._judge = options, goal, judge
        self._watched = judge.value(baseline, "watched") if judge.watches else None
        self._work = VariantWork(store, stages, plan)
        self._active: dict[int, _Active] = {}
        self.all = {trial.number: trial for trial in store.list_trials(run.id)}
        stages.on_numbers = self._on_numbers

    @property
    def needs_latency(self) -> bool:
        """Whether latency has to be measured."""
        return self._options.needs_latency

    @property
    def listed(self) -> list[Trial]:
        """All trials, in the order they were begun."""
        return [self.all[number] for number in sorted(self.all)]

    @property
    def counted(self) -> int:
        """Trials that count against the budget: those that this search asked for."""
        return sum(t.origin != "study" and t.state != "refused" for t in self.all.values())

    @property
    def under_way(self) -> int:
        """How many run now."""
        return len(self._active)

    def unfinished(self) -> list[Trial]:
        """Trials that an engine which died left running, and that nobody runs now."""
        return [t for t in self.listed if t.state == "running" and t.number not in self._active]

    def adopt(self, variants: Mapping[str, tuple[Variant, Mapping[str, int]]]) -> None:
        """Take finished variants of the study as trials; they cost nothing.

        Args:
            variants: recipe's hash → the variant and the choices that lead to it.
        """
        for variant, choices in variants.values():
            figures = figures_of(self._store, self._judge, variant)
            if figures is None or (self.needs_latency and not self._measured_here(variant)):
                continue
            trial = Trial(
                self._run.id, len(self.all), variant.id, dict(choices), variant.recipe, "study"
            )
            self._put(self._judged(trial, figures))

    def _measured_here(self, variant: Variant) -> bool:
        """Whether a variant's latency is known, of the very file that this engine would make."""
        made_here = self._plan.variant(variant.recipe).convert.key
        known = bool((variant.results or {}).get("latency_ms"))
        return known and variant.stages.get("convert") == made_here

    def begin(self, suggestion: Suggestion) -> None:
        """Begin a trial of a candidate."""
        candidate = suggestion.candidate
        variant = self._store.add_variant(self._run.study_id or "", candidate.recipe)
        self._claim(variant)
        number = max(self.all, default=-1) + 1
        trial = Trial(
            self._run.id,
            number,
            variant.id,
            dict(candidate.choices),
            candidate.recipe,
            suggestion.origin,
        )
        self._put(trial)
        self.resume(trial)

    def skip(self, suggestion: Suggestion, reason: str) -> None:
        """Record a candidate that need not be tried; it does not count."""
        number = max(self.all, default=-1) + 1
        candidate = suggestion.candidate
        trial = Trial(self._run.id, number, None, dict(candidate.choices), candidate.recipe)
        self._put(replace(trial, origin=suggestion.origin, state="refused", message=reason))

    def resume(self, trial: Trial) -> None:
        """Begin a trial, or one again that was interrupted; finished stages are in the store."""
        variant = self._store.add_variant(self._run.study_id or "", trial.recipe)
        self._claim(variant)
        upstream = self._plan.variant(trial.recipe).convert.upstream()
        training = {stage.key: stage for stage in upstream if stage.name in TRAINING}
        active = _Active(replace(trial, variant_id=variant.id), variant, training, time.monotonic())
        self._active[trial.number] = active
        self._stages.log(f"Trial {trial.number} ({trial.origin}): {variant.name}")
        active.task = asyncio.create_task(self._work.make(variant))

    async def wait(self, timeout: float | None) -> None:
        """Wait until a trial ends, or for so many seconds; record those that ended."""
        tasks = {active.task for active in self._active.values() if active.task}
        if not tasks:
            return
        await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        self._end_overdue()
        done = [a for a in self._active.values() if a.task is not None and a.task.done()]
        if self._options.needs_latency and done:
            await self._measure(done)
        for active in done:
            self._finish(active)

    async def end_all(self, message: str) -> None:
        """End every trial that still runs."""
        for active in list(self._active.values()):
            self._end(active, message)
        for active in list(self._active.values()):
            if active.task is not None:
                await asyncio.wait({active.task})
            self._finish(active)

    def outputs_of(self, trial: Trial) -> np.ndarray | None:
        """A trial's outputs over the test set; ``None`` when they are not in the store."""
        if trial.variant_id is None:
            return None
        return outputs_of(self._store, self._store.get_variant(trial.variant_id))

    async def measure_again(
        self, trial: Trial, repeat: int
    ) -> tuple[float | None, tuple[float, float] | None]:
        """Measure a trial's latency in a new window with the baseline: ratio and interval.

        Raises:
            StageError: it cannot be measured.
        """
        variant = self._store.get_variant(str(trial.variant_id))
        made = Made(variant, StoredFile(StoredResult(variant.stages["convert"])))
        (item,) = await self._work.measure([made], repeat)
        if item.error:
            raise StageError(item.error)
        latency = (self._store.get_variant(variant.id).results or {}).get("latency_ms") or {}
        interval = latency.get("ratio_ci")
        return latency.get("ratio"), (interval[0], interval[1]) if interval else None

    def log(self, text: str) -> None:
        """Add a line to the run's log."""
        self._stages.log(text)

    def _claim(self, variant: Variant) -> None:
        """Let the run own a variant, so that it is not deleted meanwhile and ends with the run."""
        ids = self._store.get_run(self._run.id).variant_ids
        if variant.id not in ids:
            self._store.update_run(self._run.id, variant_ids=(*ids, variant.id))

    async def _measure(self, done: list[_Active]) -> None:
        """Measure the latency of all that ended together, in one window."""
        sound = [
            made
            for active in done
            if active.task is not None
            and not active.task.cancelled()
            and not (made := active.task.result()).error
        ]
        if sound:
            await self._work.measure(sound)

    def _finish(self, active: _Active) -> None:
        """Record how a trial ended."""
        del self._active[active.trial.number]
        assert active.task is not None
        trial = replace(active.trial, seconds=time.monotonic() - active.began)
        if active.task.cancelled():
            self._store.update_variant(active.variant.id, state="cancelled")
            message = active.hopeless or "It was ended before it was done."
            ended = replace(trial, state="pruned", message=message, violations=active.breaks)
            self._put(ended)
            return
        made = active.task.result()
        variant = self._store.get_variant(active.variant.id)
        if made.error or variant.state == "failed":
            message = made.error or variant.error or "It failed."
            self._put(replace(trial, state="failed", message=message))
            self._stages.log(f"Trial {trial.number} failed: {message}")
            return
        self._store.update_variant(variant.id, state="done")
        figures = figures_of(self._store, self._judge, variant)
        if figures is None or (self.needs_latency and figures.latency_ratio is None):
            missing = "latency was not measured" if figures else "predictions are not in the store"
            self._put(replace(trial, state="failed", message=f"Its {missing}."))
            return
        self._put(self._judged(trial, figures))

    def _judged(self, trial: Trial, figures: Figures) -> Trial:
        violations = self._goal.violations(figures)
        return replace(trial, state="complete", figures=figures.dump(), violations=violations)

    def _on_numbers(self, stage: Stage, numbers: Mapping[str, float]) -> None:
        """Note the metric after an epoch, and end trials of which it says they are hopeless."""
        metric, epoch = numbers.get("metric"), numbers.get("metric_epoch")
        if metric is None or epoch is None or stage.name not in TRAINING:
            return
        epochs = int(numbers.get("epochs", 0))
        point: list[Any] = [stage.name, int(epoch), epochs, float(metric)]
        concerned = [a for a in self._active.values() if stage.key in a.training]
        new = [a for a in concerned if point not in a.trial.intermediate]
        for active in new:
            kept = [*active.trial.intermediate, point]
            active.trial = replace(active.trial, intermediate=kept)
            self._put(active.trial)
        reasons = [self._hopeless(a.trial.recipe, point) for a in concerned]
        if new and all(reasons):  # a stage that another trial still needs is not ended
            for active, reason in zip(concerned, reasons, strict=True):
                active.breaks = {"accuracy_drop": 1.0}  # by how much it would have is not known
                self._end(active, str(reason))

    def _hopeless(self, recipe: Recipe, point: list[Any]) -> str | None:
        rule = EarlyEnding(self._goal, self.listed, self._watched, self._judge.size("watched"))
        return rule.reason(moment(recipe, *point[:3]), point[3])

    def _end_overdue(self) -> None:
        limit = self._options.minutes_per_trial
        for active in list(self._active.values()):
            if time.monotonic() - active.began > 60 * limit:
                self._end(
                    active,
                    f"Ended: it took longer than {limit:g} minutes, the most that a trial may "
                    "take in this search.",
                )

    def _end(self, active: _Active, message: str) -> None:
        if active.task is None or active.task.done():
            return
        active.hopeless = message
        active.task.cancel()
        self._stages.log(f"Trial {active.trial.number}: {message}")
        self._stages.ended(active.training.values(), ENDED_EARLY)

    def _put(self, trial: Trial) -> None:
        self.all[trial.number] = trial
        self._store.put_trial(trial)
