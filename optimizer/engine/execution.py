"""One run from start to end: its stages in order, its variants' results, its last state."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from optimizer.data.task import outputs_are_logits
from optimizer.engine.environment import describe_environment
from optimizer.engine.pool import ProgressEvent
from optimizer.engine.results import variant_results
from optimizer.engine.runner import StageRunner
from optimizer.errors import FeatherweightError, StageError
from optimizer.keys import Stage
from optimizer.plan import StudyObjective, StudyPlan, VariantPlan, import_model, prepare_data
from optimizer.recipe import BASELINE
from optimizer.store import Store
from optimizer.store.base import utc_now
from optimizer.store.records import Dataset, Run, RunStage, Study, Variant

_RECORD_SECONDS = 0.2


def study_plan(store: Store, study_id: str, threads: int) -> StudyPlan:
    """What all variants of a study share."""
    study = store.get_study(study_id)
    model, data = store.get_model(study.model_id), store.get_dataset(study.dataset_id)
    assert model.facts is not None, "a study is made of a model that was read"
    return StudyPlan(
        import_model(model.sha256, model.file_name),
        data_stage(data),
        study_objective(study, model.facts),
        threads,
    )


def data_stage(data: Dataset) -> Stage:
    """The stage that prepares a dataset."""
    return prepare_data(data.sha256, data.file_name, data.test_share, data.split_seed, data.options)


def study_objective(study: Study, model_facts: Mapping[str, Any]) -> StudyObjective:
    """What the variants of a study are trained for and measured by."""
    return StudyObjective(
        study.task,
        tuple(outputs_are_logits(model_facts)),
        tuple(entry["name"] for entry in model_facts["inputs"]),
        tuple(entry["name"] for entry in model_facts["outputs"]),
        study.objective.get("loss"),
        study.objective.get("metric"),
    )


class Execution:
    """Executes one run and keeps the store up to date with it.

    Args:
        store: where the run is and where results go.
        runner: executes single stages.
        run: the run.
        threads: processor threads for each stage.
    """

    def __init__(self, store: Store, runner: StageRunner, run: Run, threads: int) -> None:
        self._store, self._runner, self._run, self._threads = store, runner, run, threads
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._rows: dict[str, RunStage] = {}
        self._recorded: dict[str, float] = {}

    async def run(self) -> None:
        """Run to the end. Never raises but when its task is cancelled.

        Whoever cancelled it calls :meth:`record_cancellation` afterwards.
        """
        try:
            if self._run.kind == "import_model":
                await self._import_model()
            elif self._run.kind == "prepare_data":
                await self._prepare_data()
            else:
                await self._variants()
        except asyncio.CancelledError:
            for task in self._tasks.values():
                task.cancel()
            raise
        except FeatherweightError as error:
            self._log(str(error))
            self._store.update_run(self._run.id, state="failed", error=str(error))

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

    async def _facts(self, stage: Stage) -> dict[str, Any]:
        self._record_plan([(stage, ())])
        await self._task(stage)
        return json.loads(self._store.artifacts.read(stage.key, "facts.json"))

    async def _variants(self) -> None:
        study_id = str(self._run.study_id)
        plan = study_plan(self._store, study_id, self._threads)
        variants = self._wanted(study_id)
        plans = {variant.id: plan.variant(variant.recipe) for variant in variants}
        needed: dict[str, tuple[Stage, list[str]]] = {}
        for variant in variants:
            for stage in self._needed(plans[variant.id]):
                needed.setdefault(stage.key, (stage, []))[1].append(variant.id)
        self._record_plan((stage, tuple(ids)) for stage, ids in needed.values())
        failures = await asyncio.gather(
            *(self._variant(variant, plans[variant.id]) for variant in variants)
        )
        self._store.set_study_environment(study_id, describe_environment())
        failed = [failure for failure in failures if failure]
        if failed:
            self._store.update_run(self._run.id, state="failed", error=failed[0])
        else:
            self._store.update_run(self._run.id, state="done")

    def _wanted(self, study_id: str) -> list[Variant]:
        """The run's variants, with the study's baseline before them unless it is done."""
        baseline = self._store.add_variant(study_id, BASELINE)
        ids = list(self._run.variant_ids)
        if baseline.state != "done" and baseline.id not in ids:
            ids.insert(0, baseline.id)
        return [self._store.get_variant(variant_id) for variant_id in ids]

    def _needed(self, plan: VariantPlan) -> list[Stage]:
        """The plan's stages, without those that only lead to results that are there already."""
        needed: dict[str, Stage] = {}

        def visit(stage: Stage) -> None:
            if stage.key in needed:
                return
            if not self._runner.has(stage):
                for source in stage.inputs.values():
                    if isinstance(source, Stage):
                        visit(source)
            needed[stage.key] = stage

        for end in plan.ends:
            visit(end)
        return list(needed.values())

    async def _variant(self, variant: Variant, plan: VariantPlan) -> str | None:
        """Bring one variant to its end; returns what went wrong, or ``None``."""
        self._store.update_variant(variant.id, state="running", error=None)
        try:
            await asyncio.gather(*(self._task(stage) for stage in plan.ends))
        except FeatherweightError as error:
            self._store.update_variant(variant.id, state="failed", error=str(error))
            return f"{variant.name}: {error}"
        own = [*plan.convert.upstream(), plan.evaluate, plan.benchmark]
        keys = {stage.name: stage.key for stage in own if self._runner.has(stage)}
        seconds = {name: self._store.artifacts.meta(key)["seconds"] for name, key in keys.items()}
        ran = {key for key, row in self._rows.items() if not row.cached}
        cached = [name for name, key in keys.items() if key not in ran]
        results = variant_results(self._store, plan, seconds, cached)
        self._store.update_variant(variant.id, state="done", results=results, stages=keys)
        return None

    def _task(self, stage: Stage) -> asyncio.Task[None]:
        if stage.key not in self._tasks:
            self._tasks[stage.key] = asyncio.create_task(self._stage(stage))
        return self._tasks[stage.key]

    async def _stage(self, stage: Stage) -> None:
        if self._runner.has(stage):
            self._record(stage.key, state="done", cached=True, fraction=1.0)
            return
        upstream = [self._task(s) for s in stage.inputs.values() if isinstance(s, Stage)]
        try:
            await asyncio.gather(*upstream)
        except FeatherweightError:
            self._record(stage.key, state="cancelled", message="an earlier stage failed")
            raise
        started = time.monotonic()

        def listen(event: ProgressEvent) -> None:
            nonlocal started
            if event.get("started"):
                started = time.monotonic()
                self._record(stage.key, state="running", started_at=utc_now(), message="started")
                self._log(f"{stage.label}: started")
                return
            due = time.monotonic() - self._recorded.get(stage.key, 0.0) >= _RECORD_SECONDS
            changes = {name: event[name] for name in ("fraction", "message", "numbers")}
            if due or event["fraction"] == 1.0:
                self._record(stage.key, **changes)

        try:
            await self._runner.run(stage, listen)
        except FeatherweightError as error:
            self._record(stage.key, state="failed", message=str(error), finished_at=utc_now())
            self._log(f"{stage.label}: {error}")
            if isinstance(error, StageError) and error.log:
                self._log(error.log)
            raise
        seconds = time.monotonic() - started
        self._record(stage.key, state="done", fraction=1.0, seconds=seconds, finished_at=utc_now())
        self._log(f"{stage.label}: done in {seconds:.1f} s")

    def record_cancellation(self) -> None:
        """Record that the run was cancelled, also when it had not begun, if somebody asked for it.

        A cancellation that nobody asked for is the engine stopping: the run then stays as it
        is in the store, and the next engine resumes it.
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
        for variant_id in self._run.variant_ids:
            if self._store.get_variant(variant_id).state in ("queued", "running"):
                self._store.update_variant(variant_id, state="cancelled")
        self._store.update_run(self._run.id, state="cancelled")
        self._log("Cancelled.")

    def _record_plan(self, stages: Iterable[tuple[Stage, tuple[str, ...]]]) -> None:
        for stage, variant_ids in stages:
            self._rows[stage.key] = RunStage(
                self._run.id, stage.key, stage.name, stage.label, variant_ids
            )
        self._store.put_stages(list(self._rows.values()))

    def _record(self, key: str, **changes: Any) -> None:
        self._rows[key] = replace(self._rows[key], **changes)
        self._recorded[key] = time.monotonic()
        self._store.put_stage(self._rows[key])

    def _log(self, text: str) -> None:
        self._store.append_log(self._run.id, f"{utc_now()} {text}\n")
