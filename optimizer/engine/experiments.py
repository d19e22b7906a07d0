"""Runs that show how something works rather than make a variant: what they execute and find."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from optimizer.engine.results import variant_results
from optimizer.keys import Stage
from optimizer.plan import StudyPlan, VariantPlan
from optimizer.recipe import Recipe
from optimizer.store import Store
from optimizer.store.records import Run


@dataclass(frozen=True)
class Experiment:
    """What a run executes, and how its result is read afterwards.

    Attributes:
        ends: the stages whose results are wanted.
        result: reads them; JSON-able.
    """

    ends: tuple[Stage, ...]
    result: Callable[[], dict[str, Any]]


def invocations(store: Store, plan: StudyPlan, run: Run) -> Experiment:
    """Time every invocation of a variant's file.

    Of ``run.options`` it takes ``recipe``, ``count``, ``threads`` and ``repeat``.
    """
    options = dict(run.options)
    recipe = Recipe.parse(options.pop("recipe"))
    stage = Stage(
        "invocations",
        "optimizer.measure.invocations:stage",
        "Time every invocation",
        options,
        {"model": plan.variant(recipe).convert},
        resource="quiet",
    )
    return Experiment(
        (stage,), lambda: json.loads(store.artifacts.read(stage.key, "invocations.json"))
    )


def without_preserving(store: Store, plan: StudyPlan, run: Run) -> Experiment:
    """Carry out recipes with stages that keep nothing of what the stages before them made.

    Of ``run.options`` it takes ``recipes``. Its result has a variant's results for each of them.
    """
    plans: list[VariantPlan] = [
        plan.without_preserving(Recipe.parse(recipe)) for recipe in run.options["recipes"]
    ]
    return Experiment(
        tuple(end for item in plans for end in item.ends),
        lambda: {"found": [variant_results(store, item, {}, []) for item in plans]},
    )


EXPERIMENTS: dict[str, Callable[[Store, StudyPlan, Run], Experiment]] = {
    "invocations": invocations,
    "without_preserving": without_preserving,
}
"""Kind of run → what it executes."""
