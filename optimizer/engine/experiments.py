"""Runs that find something out rather than make a variant: what they execute, what they find."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from optimizer.engine.results import variant_results
from optimizer.keys import Stage
from optimizer.plan import StudyPlan, VariantPlan
from optimizer.recipe import Recipe
from optimizer.scan_stage import scan_stage
from optimizer.sensitivity.options import ScanOptions
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


def sensitivity(store: Store, plan: StudyPlan, run: Run) -> Experiment:
    """Change one layer at a time; ``run.options`` are those of a scan."""
    stage = scan_stage(plan, ScanOptions.parse(run.options))
    return Experiment(
        (stage,),
        lambda: {
            "scan": _read(store, stage, "scan.json"),
            "seconds": store.artifacts.meta(stage.key)["seconds"],
        },
    )


def calibration(store: Store, plan: StudyPlan, run: Run) -> Experiment:
    """Quantize the study's model with several representative datasets, and measure each.

    Of ``run.options`` it takes ``sets``.
    """
    stage = plan.calibration(run.options["sets"])
    return Experiment((stage,), lambda: _read(store, stage, "calibration.json"))


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
    return Experiment((stage,), lambda: _read(store, stage, "invocations.json"))


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


def _read(store: Store, stage: Stage, file: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(store.artifacts.read(stage.key, file))
    return found


EXPERIMENTS: dict[str, Callable[[Store, StudyPlan, Run], Experiment]] = {
    "sensitivity": sensitivity,
    "calibration": calibration,
    "invocations": invocations,
    "without_preserving": without_preserving,
}
"""Kind of run → what it executes."""
