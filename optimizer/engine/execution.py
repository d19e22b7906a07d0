"""One run from start to end: its stages in order, its variants' results, its last state."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from optimizer.engine.environment import describe_environment
from optimizer.engine.experiments import EXPERIMENTS
from optimizer.engine.run_stages import RunStages
from optimizer.engine.runner import StageRunner
from optimizer.engine.variants import Made, StoredFile, VariantWork
from optimizer.errors import StageError
from optimizer.keys import Stage, StoredResult, needed_stages
from optimizer.plan import StudyPlan, import_model
from optimizer.recipe import BASELINE
from optimizer.store import Store
from optimizer.store.base import utc_now
from optimizer.store.records import Run, Variant
from optimizer.study_plan import data_stage, study_plan


class Execution:
    """Executes one run and keeps the store up to date with it.

    Args:
        store: where the run is and where results go.
        runner: executes single stages.
        run: the run.
        threads: processor threads for each stage.
    """

    def __init__(self, store: Store, runner: StageRunner, run: Run, threads: int) -> None:
        self._store, self._run, self._threads = store, run, threads
        self._stages = RunStages(store, runner, run.id)

    async def run(self) -> None:
        """Run to the end.

        Whoever cancelled it calls :meth:`record_cancellation` afterwards, and whoever is told of
        an error calls :meth:`record_failure`, again and again until the store takes it.

        Raises:
            FeatherweightError: what ended the run.
        """
        try:
            await self._work()
        except BaseException:
            self._stages.cancel()
            raise

    async def _work(self) -> None:
        own = {
            "import_model": self._import_model,
            "prepare_data": self._prepare_data,
            "variants": self._variants,
            "latency": self._latency,
            "search": self._search,
            "inspect": self._inspect,
        }
        await own.get(self._run.kind, self._experiment)()

    async def _import_model(self) -> None:
        model = self._store.get_model(str(self._run.model_id))
        stage = import_model(model.sha256, model.file_name)
        facts = await self._facts(stage)
        self._store.set_model_facts(model.id, facts, stage.key)
        self._store.update_run(self._run.id, state="done")

    async def _prepare_data(self) -> None:
        data = self._store.get_dataset(str(self._run.dataset_id))
        stage = data_stage(data)
        facts = await self._facts(stage)
        self._store.set_dataset_facts(data.id, facts, stage.key)
        self._store.update_run(self._run.id, state="done")

    async def _search(self) -> None:
        # Imported here: what no search needs is not loaded before the first one.
        from optimizer.engine.searching import Search

        state = self._store.engine_state()
        slots = state.slots if state else 1
        await Search(self._store, self._stages, self._run, self._threads, slots).run()

    async def _inspect(self) -> None:
        from optimizer.engine.inspecting import inspect

        error = await inspect(self._store, self._stages, self._run, self._threads)
        self._store.update_run(self._run.id, state="failed" if error else "done", error=error)

    async def _experiment(self) -> None:
        """Execute what finds something out and makes no variant; its result is the run's."""
        plan = study_plan(self._store, str(self._run.study_id), self._threads)
        experiment = EXPERIMENTS[self._run.kind](self._store, plan, self._run)
        self._stages.plan(
            (needed, ()) for needed in needed_stages(experiment.ends, self._stages.runner.has)
        )
        await asyncio.gather(*(self._stages.task(stage) for stage in experiment.ends))
        self._store.update_run(self._run.id, state="done", result=experiment.result())

    async def _facts(self, stage: Stage) -> dict[str, Any]:
        self._stages.plan([(stage, ())])
        await self._stages.task(stage)
        return json.loads(self._store.artifacts.read(stage.key, "facts.json"))

    async def _variants(self) -> None:
        """Make all variants, then measure their latency together."""
        study_id = str(self._run.study_id)
        plan = study_plan(self._store, study_id, self._threads)
        variants = self._wanted(study_id)
        self._list_stages(plan, variants)
        work = VariantWork(self._store, self._stages, plan)
        made = await asyncio.gather(*(work.make(variant) for variant in variants))
        failed = [item for item in made if item.error]
        sound = [item for item in made if not item.error]
        if sound and plan.baseline.convert.key in {item.plan.convert.key for item in failed}:
            sound = []  # nothing to measure against; the baseline's error is the run's
        failed += [item for item in await work.measure(sound) if item.error]
        self._store.set_study_environment(study_id, describe_environment(self._threads))
        self._end(failed, len(variants))

    async def _latency(self) -> None:
        """Measure the latency of files that are there together, here and now."""
        study_id = str(self._run.study_id)
        baseline = self._store.baseline(study_id)
        if baseline is None or "convert" not in baseline.stages:
            raise StageError("The study has no measured baseline to compare with. Run it first.")
        wanted = [self._store.get_variant(variant_id) for variant_id in self._run.variant_ids]
        made = [
            Made(variant, StoredFile(StoredResult(variant.stages["convert"])))
            for variant in wanted
            if variant.state == "done" and "convert" in variant.stages
        ]
        work = VariantWork(
            self._store, self._stages, study_plan(self._store, study_id, self._threads)
        )
        measured = await work.measure(
            made,
            int(self._run.options.get("repeat") or 0),
            StoredFile(StoredResult(baseline.stages["convert"])),
        )
        self._end([item for item in measured if item.error], len(made))

    def _end(self, failed: list[Made], count: int) -> None:
        """Record how a run of so many variants ended."""
        if failed:
            first = failed[0]
            more = f" ({len(failed)} of {count} variants)" if len(failed) > 1 else ""
            text = f"{first.variant.name}: {first.error}{more}"
            self._store.update_run(self._run.id, state="failed", error=text)
        else:
            self._store.update_run(self._run.id, state="done")

    def _wanted(self, study_id: str) -> list[Variant]:
        """The run's variants, with the study's baseline before them unless it is done."""
        baseline = self._store.add_variant(study_id, BASELINE)
        ids = list(self._run.variant_ids)
        if baseline.state != "done" and baseline.id not in ids:
            ids.insert(0, baseline.id)
        return [self._store.get_variant(variant_id) for variant_id in ids]

    def _list_stages(self, plan: StudyPlan, variants: list[Variant]) -> None:
        needed: dict[str, tuple[Stage, list[str]]] = {}
        for variant in variants:
            ends = plan.variant(variant.recipe).ends
            for stage in needed_stages(ends, self._stages.runner.has):
                needed.setdefault(stage.key, (stage, []))[1].append(variant.id)
        self._stages.plan((stage, tuple(ids)) for stage, ids in needed.values())

    def record_failure(self, error: str) -> None:
        """Record that the run failed, with what is left of it.

        A variant whose file was made and evaluated already is kept; its latency was not measured.

        Raises:
            StoreError: the store cannot be written.
        """
        self._stages.log(error)
        self._end_unfinished(error)
        self._store.update_run(self._run.id, state="failed", error=error)

    def _end_unfinished(self, error: str) -> None:
        """No stage, variant or trial of a run that is over stays under way."""
        stages = self._store.list_stages(self._run.id)
        unfinished = [stage for stage in stages if stage.state in ("waiting", "running")]
        ended: dict[str, Any] = {"state": "cancelled", "finished_at": utc_now()}
        self._store.put_stages([replace(s, message="the run failed", **ended) for s in unfinished])
        for variant in self._own_variants():
            if variant.state in ("queued", "running"):
                kept = variant.results is not None
                self._store.update_variant(
                    variant.id,
                    state="done" if kept else "failed",
                    error=None if kept else error,
                )
        for trial in self._store.list_trials(self._run.id):
            if trial.state == "running":
                self._store.put_trial(replace(trial, state="failed", message=error))

    def _own_variants(self) -> list[Variant]:
        """What the run was asked to make, and the baseline that it makes beside them."""
        run = self._store.get_run(self._run.id)
        own = [self._store.get_variant(variant_id) for variant_id in run.variant_ids]
        if run.kind != "variants" or run.study_id is None:
            return own
        baseline = self._store.baseline(run.study_id)
        return [*own, baseline] if baseline and baseline.id not in run.variant_ids else own

    def record_cancellation(self) -> None:
        """Record that the run was cancelled, also when it had not begun, if somebody asked for it.

        A cancellation that nobody asked for is the engine stopping: the run then stays as it
        is in the store, and the next engine resumes it. A variant whose file was made and
        evaluated already is kept; its latency was not measured.
        """
        if not self._store.get_run(self._run.id).cancel_requested:
            return
        ended: dict[str, Any] = {
            "state": "cancelled",
            "message": "cancelled",
            "finished_at": utc_now(),
        }
        stages = self._store.list_stages(self._run.id)
        unfinished = [stage for stage in stages if stage.state in ("waiting", "running")]
        self._store.put_stages([replace(stage, **ended) for stage in unfinished])
        for variant_id in self._store.get_run(self._run.id).variant_ids:
            variant = self._store.get_variant(variant_id)
            if variant.state in ("queued", "running"):
                kept = "done" if variant.results else "cancelled"
                self._store.update_variant(variant_id, state=kept)
        for trial in self._store.list_trials(self._run.id):
            if trial.state == "running":
                self._store.put_trial(replace(trial, state="pruned", message="Cancelled."))
        self._store.update_run(self._run.id, state="cancelled")
        self._stages.log("Cancelled.", "run_cancelled")
