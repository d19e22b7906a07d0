"""What a sweep will take before it runs: variants, stages after sharing, time, what is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from optimizer.errors import InputError
from optimizer.estimate import TRAINING, StageTimes, estimate_seconds
from optimizer.feasible import Facts, objections
from optimizer.grid import Expansion, LeftOut
from optimizer.keys import Stage, needed_stages
from optimizer.plan import StudyPlan, VariantPlan
from optimizer.recipe import Recipe
from optimizer.settings import Settings, capacity
from optimizer.store import Store
from optimizer.store.records import Study
from optimizer.study_plan import study_plan

_SAME_FILE = (
    "They give the same file as another of the sweep: what only concerns training changes nothing "
    "where nothing trains, nor do representative samples that are not used."
)


@dataclass(frozen=True)
class SweepPlan:
    """A sweep in one study.

    Attributes:
        recipes: what will run, each of them giving another file.
        left_out: combinations that contradict themselves, that the model or the data do not
            allow, or that repeat another.
        done: how many of the recipes have been measured in the study already.
        again: how many of these lack a stage in the store, as those lack all that another
            machine, version or number of threads made.
        stages: how many stages they need together; those that several need count once.
        stored: how many of these stages have their results in the store.
        trainings: how many of the stages train.
        trainings_alone: how many would, if each recipe were run by itself.
        seconds: how long the stages that are not in the store will take; ``None`` when nothing
            like one of them has been measured in the study.
        expected: name of a stage → seconds that one of these takes on average, where known.
    """

    recipes: tuple[Recipe, ...]
    left_out: tuple[LeftOut, ...]
    done: int
    again: int
    stages: int
    stored: int
    trainings: int
    trainings_alone: int
    seconds: float | None
    expected: Mapping[str, float]


def sweep_title(count: int) -> str:
    """What a run of so many variants is called."""
    return f"Sweep of {count} variant{'s' * (count != 1)}"


def plan_here(store: Store, study: Study, expansion: Expansion) -> SweepPlan:
    """What a sweep takes where this store's engine runs its stages; see :func:`plan_sweep`."""
    machine, engine = capacity(Settings.load(store.home)), store.engine_state()
    plan = study_plan(store, study.id, machine.threads)
    return plan_sweep(store, study, plan, expansion, (engine and engine.slots) or machine.slots)


def plan_sweep(
    store: Store, study: Study, plan: StudyPlan, expansion: Expansion, slots: int
) -> SweepPlan:
    """Find out what a sweep takes.

    Args:
        store: whose results are used again.
        study: where it runs.
        plan: the study's stages.
        expansion: the recipes of a grid.
        slots: how many stages run at once.

    Raises:
        InputError: nothing of it can run in this study.
    """
    facts = store.get_model(study.model_id).facts or {"layers": []}
    recipes, refused = allowed(expansion.recipes, facts, study.task)
    if not recipes:
        raise InputError(f"Nothing of this sweep can run here. {refused[0].reason}")
    variants = store.list_variants(study.id)
    measured = {variant.recipe.hash for variant in variants if variant.state == "done"}
    recipes, done, repeated = _one_per_file(recipes, plan.variant, measured)
    run = plan.run(recipes)
    stages = run.stages()
    stored = {stage.key for stage in stages if store.artifacts.has(stage.key)}
    ends = [end for variant in (run.baseline, *run.variants) for end in variant.ends]
    missing = missing_stages([*ends, run.window()], stored.__contains__)
    times = StageTimes(variants)
    for stage in stages:
        if stage.name in TRAINING and stage.key in stored:
            times.learn(stage, store.artifacts.meta(stage.key)["seconds"])
    return SweepPlan(
        recipes,
        (*expansion.left_out, *refused, *repeated),
        sum(done),
        sum(
            before and any(end.key not in stored for end in variant.ends)
            for before, variant in zip(done, run.variants, strict=True)
        ),
        len(stages),
        len(stored),
        sum(stage.name in TRAINING for stage in stages),
        sum(_trainings(variant.convert) for variant in run.variants),
        estimate_seconds(missing, times, slots),
        _expected(missing, times),
    )


def allowed(
    recipes: Iterable[Recipe], model_facts: Facts, task: str
) -> tuple[tuple[Recipe, ...], tuple[LeftOut, ...]]:
    """The recipes that can act on a model and its data, and why the others cannot."""
    kept: list[Recipe] = []
    refused: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        if problems := objections(recipe, model_facts, task):
            refused.setdefault(" ".join(problems), []).append(recipe)
        else:
            kept.append(recipe)
    return tuple(kept), _grouped(refused)


def missing_stages(ends: Iterable[Stage], has: Callable[[str], bool]) -> list[Stage]:
    """The stages that have to run, each after those it needs.

    Args:
        ends: what is wanted.
        has: whether the result of a key is there. What only leads to such results is left out.
    """
    needed = needed_stages(ends, lambda stage: has(stage.key))
    return [stage for stage in needed if not has(stage.key)]


def _one_per_file(
    recipes: Sequence[Recipe], planned: Callable[[Recipe], VariantPlan], measured: set[str]
) -> tuple[tuple[Recipe, ...], tuple[bool, ...], tuple[LeftOut, ...]]:
    """Of the recipes that give the same file one, if possible one that was measured before.

    Args:
        recipes: of a sweep.
        planned: the stages of one of them.
        measured: hashes of the recipes that were measured before.

    Returns:
        The recipes, whether each was measured before, and what was left out.
    """
    same: dict[str, list[tuple[Recipe, bool]]] = {}
    for recipe in recipes:
        found = (recipe, recipe.hash in measured)
        same.setdefault(planned(recipe).convert.key, []).append(found)
    kept, done, repeated = [], [], []
    for group in same.values():
        first = next((index for index, (_, before) in enumerate(group) if before), 0)
        kept.append(group[first][0])
        done.append(group[first][1])
        repeated += [recipe for index, (recipe, _) in enumerate(group) if index != first]
    return tuple(kept), tuple(done), _grouped({_SAME_FILE: repeated} if repeated else {})


def _grouped(refused: dict[str, list[Recipe]]) -> tuple[LeftOut, ...]:
    return tuple(
        LeftOut(reason, len(recipes), recipes[0].name) for reason, recipes in refused.items()
    )


def _expected(stages: Iterable[Stage], times: StageTimes) -> dict[str, float]:
    known: dict[str, list[float]] = {}
    for stage in stages:
        seconds = times.seconds(stage)
        if seconds is not None:
            known.setdefault(stage.name, []).append(seconds)
    return {name: mean(seconds) for name, seconds in known.items()}


def _trainings(convert: Stage) -> int:
    return sum(stage.name in TRAINING for stage in convert.upstream())
