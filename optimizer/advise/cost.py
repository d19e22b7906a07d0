"""What it costs to try a recipe: time, training, data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.errors import InputError
from optimizer.format import format_seconds
from optimizer.grid import Expansion
from optimizer.recipe import Recipe
from optimizer.store import Store
from optimizer.store.records import Study
from optimizer.sweep import plan_here


@dataclass(frozen=True)
class Cost:
    """What is known of it before it runs.

    Attributes:
        seconds: estimated from the study's earlier runs; ``None`` where nothing like it ran.
        stages, stored: how many there are, and how many have their results in the store.
    """

    seconds: float | None
    stages: int
    stored: int


def cost(store: Store, study: Study, recipe: Recipe) -> Cost | None:
    """What trying a recipe takes; ``None`` where it cannot be planned here."""
    try:
        plan = plan_here(store, study, Expansion((recipe,), ()))
    except InputError:
        return None
    return Cost(plan.seconds, plan.stages, plan.stored)


def cost_text(found: Cost | None, recipe: Recipe, data_facts: Mapping[str, Any]) -> str:
    """What it costs in a sentence: how long, whether it trains, what data it needs."""
    return f"{_time(found)} {_data(recipe, int(data_facts.get('train') or 0))}"


def _time(found: Cost | None) -> str:
    if found is None:
        return "How long it takes is not known."
    if found.stages == found.stored:
        return "Every step has been computed before."
    if found.seconds is None:
        return "How long it takes is not known: nothing like it has run in this study."
    return f"About {format_seconds(found.seconds)}, judging by this study's earlier runs."


def _data(recipe: Recipe, train: int) -> str:
    trainings = (recipe.prune is not None) + (recipe.cluster is not None) + recipe.quantize.aware
    if trainings:
        times = {1: "once", 2: "twice"}.get(trainings, f"{trainings} times")
        epochs = recipe.fine_tune.epochs
        each = " each" if trainings > 1 else ""
        return f"Trains {times}, {epochs} epoch{'s' * (epochs != 1)}{each}; needs data with labels."
    if recipe.quantize.mode in ("int8", "int16x8"):
        samples = recipe.quantize.calibration_samples
        count = f"{min(samples, train) if train else samples:,}"
        return f"Trains nothing; needs {count} training samples for the ranges, without labels."
    return "Trains nothing; needs no training data."
