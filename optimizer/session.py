"""Doing work to its end without a browser: through a live engine, or one of our own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optimizer.data.check import check_data, propose_task
from optimizer.data.formats import inspect_upload
from optimizer.data.objective import check_choice
from optimizer.data.options import DataOptions
from optimizer.errors import InputError, StageError
from optimizer.feasible import objections
from optimizer.grid import Grid
from optimizer.logs.setup import logged
from optimizer.recipe import Recipe
from optimizer.search.defaults import nothing_possible
from optimizer.search.goal import SearchOptions
from optimizer.search.words import search_title, trial_text
from optimizer.store import Store
from optimizer.store.records import FINISHED, Dataset, Model, Run, RunStage, Study, Trial, Variant

Report = Callable[[str], None]
_POLL_SECONDS = 0.2


def complete(store: Store, runs: Sequence[Run], report: Report) -> list[Run]:
    """Wait until runs are finished; an engine lives in this process if none is alive.

    Args:
        store: where the runs are queued.
        runs: the runs to wait for.
        report: told in a line whenever a stage begins or ends.

    Returns:
        The runs as they ended.
    """
    watch = _Watch(store, runs, report)
    while not watch.finished():
        # Imported here: a process that only reads the store should not load the scheduler.
        from optimizer.engine.service import Engine, EngineRunningError

        try:
            with logged(store.home, "engine"):
                asyncio.run(Engine(store).serve(finished=watch.finished))
        except EngineRunningError:
            time.sleep(_POLL_SECONDS)
    return [store.get_run(run.id) for run in runs]


def bring(
    store: Store,
    model: tuple[str, bytes],
    data: tuple[str, bytes] | None,
    report: Report,
    options: DataOptions | None = None,
) -> tuple[Model, Dataset | None]:
    """Put a model file and a data file into the store and read both.

    Args:
        store: where they go.
        model: file name and content.
        data: file name and content, or ``None``.
        report: see :func:`complete`.
        options: how to read the data; the shape of samples is taken from the model.

    Raises:
        InputError: one of them was refused.
    """
    summary = inspect_upload(data[1], data[0]) if data else None
    added = store.add_model(*model)
    _finish(store, store.queue_run("import_model", f"Read {model[0]}", model_id=added.id), report)
    added = store.get_model(added.id)
    if data is None or summary is None:
        return added, None
    assert added.facts is not None
    reading = options or DataOptions()
    if summary.takes_model_shape:
        reading = reading.shaped_for(added.facts)
    dataset = store.add_dataset(data[0], data[1], options=reading.dump())
    run = store.queue_run("prepare_data", f"Read {data[0]}", dataset_id=dataset.id)
    _finish(store, run, report)
    return added, store.get_dataset(dataset.id)


def _finish(store: Store, run: Run, report: Report) -> None:
    ended = complete(store, [run], report)[0]
    if ended.state != "done":
        raise InputError(ended.error or f"{ended.title}: {ended.state}.")


@dataclass(frozen=True)
class Choice:
    """What a person chose for a study; ``None`` is proposed from the model and the labels."""

    task: str | None = None
    loss: str | None = None
    metric: str | None = None

    @property
    def objective(self) -> dict[str, str]:
        """As :class:`optimizer.store.records.Study` has it."""
        named = {"loss": self.loss, "metric": self.metric}
        return {name: value for name, value in named.items() if value}


PROPOSED = Choice()


def open_study(
    store: Store,
    model: Model,
    dataset: Dataset,
    report: Report,
    name: str | None = None,
    choice: Choice = PROPOSED,
) -> Study:
    """The study of a model and a dataset, made when there is none yet.

    Raises:
        InputError: the data do not fit the model, or the choice does not fit them.
    """
    assert model.facts is not None
    assert dataset.facts is not None
    findings = check_data(model.facts, dataset.facts)
    errors = [finding.message for finding in findings if finding.severity == "error"]
    if errors:
        raise InputError(" ".join(errors))
    for finding in findings:
        report(f"Warning: {finding.message}")
    task = choice.task or propose_task(model.facts, dataset.facts)
    check_choice(task, choice.loss, choice.metric, len(model.facts["outputs"]))
    wanted = (model.id, dataset.id, task, choice.objective)
    for study in store.list_studies():
        if (study.model_id, study.dataset_id, study.task, study.objective) == wanted:
            return study
    title = name or f"{model.name} on {dataset.name}"
    return store.create_study(title, model.id, dataset.id, task, objective=choice.objective)


def run_recipes(
    store: Store,
    study: Study,
    recipes: Sequence[Recipe],
    report: Report,
    *,
    title: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> list[Variant]:
    """Bring recipes to their end in a study, with its baseline.

    Args:
        store, study: where they run.
        recipes: what to do.
        report: see :func:`complete`.
        title: of the run; the recipes' names when it is left out.
        options: kept with the run.

    Returns:
        The baseline and one variant per recipe, done or failed.

    Raises:
        InputError: a recipe asks for what the study's model or data do not allow.
        StageError: the run was cancelled before its end.
    """
    facts = store.get_model(study.model_id).facts
    assert facts is not None
    for recipe in recipes:
        problems = objections(recipe, facts, study.task)
        if problems:
            raise InputError(f"{recipe.name}: {' '.join(problems)}")
    variants = store.add_variants(study.id, [Recipe(), *recipes])
    ids = list(dict.fromkeys(variant.id for variant in variants))
    names = ", ".join(recipe.name for recipe in recipes) or "Baseline"
    run = store.queue_run(
        "variants", title or names, study_id=study.id, variant_ids=ids, options=options
    )
    ended = complete(store, [run], report)[0]
    if ended.state == "cancelled":
        raise StageError("The run was cancelled.")
    if ended.error:
        report(f"Failed: {ended.error}")
    return [store.get_variant(variant.id) for variant in variants]


def run_search(store: Store, study: Study, options: SearchOptions, report: Report) -> Run:
    """Search in a study, to the end of the budget.

    Args:
        store, study: where it runs.
        options: goal, space and budget.
        report: see :func:`complete`.

    Returns:
        The run, whose ``result`` has the answer.

    Raises:
        InputError: nothing of the space can run on the study's model.
        StageError: the search failed, or was cancelled before its end.
    """
    facts = store.get_model(study.model_id).facts
    assert facts is not None
    if options.space:
        problem = nothing_possible(Grid.parse(options.space), facts, study.task)
        if problem:
            raise InputError(problem)
    run = store.queue_run(
        "search", search_title(options), study_id=study.id, options=options.model_dump(mode="json")
    )
    ended = complete(store, [run], report)[0]
    if ended.state != "done":
        raise StageError(ended.error or f"The search was {ended.state}.")
    return ended


class _Watch:
    """Says when runs are finished, and reports their stages on the way."""

    def __init__(self, store: Store, runs: Sequence[Run], report: Report) -> None:
        self._store, self._runs, self._report = store, runs, report
        self._said: set[tuple[str, str]] = set()
        self._version = -1
        self._finished = False

    def finished(self) -> bool:
        """Cheap when nothing has changed in the store."""
        version = self._store.version()
        if version != self._version:
            self._version = version
            for run in self._runs:
                self._tell(self._store.list_stages(run.id))
                if run.kind == "search":
                    self._tell_trials(self._store.list_trials(run.id))
            states = [self._store.get_run(run.id).state for run in self._runs]
            self._finished = all(state in FINISHED for state in states)
        return self._finished

    def _tell(self, stages: Sequence[RunStage]) -> None:
        ended = sum(stage.state not in ("waiting", "running") for stage in stages)
        for stage in stages:
            said = (stage.key, stage.state)
            if stage.state == "waiting" or said in self._said:
                continue
            self._said.add(said)
            seconds = f" in {stage.seconds:.1f} s" if stage.seconds else ""
            how = "ready already" if stage.cached else stage.state + seconds
            far = f" ({ended} of {len(stages)})" if stage.state != "running" else ""
            self._report(f"{stage.label}: {how}{far}")

    def _tell_trials(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            said = (str(trial.number), trial.state)
            if said in self._said:
                continue
            self._said.add(said)
            self._report(trial_text(trial))
