"""One sparsity for all layers, divided by what each bears: a starting point from a scan.

Layers bear pruning differently (Han et al. 2015, arXiv:1506.02626, figure 6). The sensitivity
scan (:mod:`optimizer.techniques.sensitivity`) says by how much the loss rises when one layer
alone is pruned; here the same number of weights is removed in all, from those layers first where
a removed weight costs least.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from optimizer.errors import InputError
from optimizer.grid import MAX_COMBINATIONS, Grid
from optimizer.keys import Stage
from optimizer.plan import StudyPlan
from optimizer.recipe import Recipe

SPARSITIES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
CLUSTERS = (4, 8, 16, 32)
_FEWEST_LAYERS = 2


def sensitivity_stage(plan: StudyPlan) -> Stage:
    """The scan of a study's model.

    Args:
        plan: of the study.
    """
    return Stage(
        "sensitivity",
        "optimizer.techniques.sensitivity:stage",
        "Scan each layer's sensitivity",
        {
            "sparsities": list(SPARSITIES),
            "clusters": list(CLUSTERS),
            "task": plan.objective.task,
            "loss": plan.objective.loss,
            "seed": 0,
        },
        {"model": plan.model, "data": plan.data},
        threads=plan.threads,
    )


def alternatives(sensitivity: Mapping[str, Any]) -> Callable[[Recipe], Recipe | None]:
    """What gives a recipe its alternative with sparsities by sensitivity.

    That is ``None`` for recipes that do not prune single weights to the same sparsity in every
    layer, and where the scan sees no difference.

    Args:
        sensitivity: the content of ``sensitivity.json``.
    """
    found: dict[float, dict[str, float]] = {}

    def alternative(recipe: Recipe) -> Recipe | None:
        if recipe.prune is None or not divisible(recipe):
            return None
        final = recipe.prune.schedule.final
        if final not in found:
            found[final] = divide(sensitivity, final)
        if not found[final]:
            return None
        layers = recipe.model_dump(mode="json")["layers"]
        for name, sparsity in found[final].items():
            layers[name] = {**layers.get(name, {}), "final_sparsity": sparsity}
        try:
            return Recipe.parse({**recipe.model_dump(mode="json"), "layers": layers})
        except InputError:
            return None

    return alternative


def divisible(recipe: Recipe) -> bool:
    """Whether a recipe prunes single weights to one sparsity in every layer."""
    prune = recipe.prune
    if prune is None or prune.structure.kind != "unstructured" or prune.scope != "layer":
        return False
    own = any(layer.final_sparsity is not None for layer in recipe.layers.values())
    return not prune.gentle_ends and not own


def worth_scanning(grid: Grid) -> bool:
    """Whether any recipe of a space has an alternative; taken for granted of very large ones."""
    if grid.combinations > MAX_COMBINATIONS:
        return True
    return any(divisible(recipe) for recipe in grid.expand().recipes)


def divide(sensitivity: Mapping[str, Any], sparsity: float) -> dict[str, float]:
    """A sparsity for each layer, so that all together have the given one.

    Greedy over the steps between scanned sparsities: the one that costs the least loss per
    removed weight is taken next, until enough weights are gone; the last step is taken in part.
    Costs are made convex in each layer first, for which greedy is optimal (Everett 1963).

    Args:
        sensitivity: the content of ``sensitivity.json``.
        sparsity: of all prunable weights together, 0 to 1.

    Returns:
        Layer's name → sparsity, rounded to thousandths; empty when it would be the same
        everywhere, or fewer than two layers were scanned.
    """
    layers = [layer for layer in sensitivity["layers"] if layer["prune"] and layer["weights"]]
    if len(layers) < _FEWEST_LAYERS or not 0 < sparsity < 1:
        return {}
    steps: list[tuple[float, int, int, float]] = []  # cost per weight, layer, order, end
    for index, layer in enumerate(layers):
        for order, (cost, end) in enumerate(_convex(layer["prune"])):
            steps.append((cost / layer["weights"], index, order, end))
    result = dict.fromkeys((layer["name"] for layer in layers), 0.0)
    left = sparsity * sum(layer["weights"] for layer in layers)
    for _, index, _, end in sorted(steps):
        name, weights = layers[index]["name"], layers[index]["weights"]
        taken = min(left, (end - result[name]) * weights)
        result[name] += taken / weights
        left -= taken
        if left <= 1e-9:
            break
    if left > 0.5:  # more than the scan reaches: the rest is spread evenly
        total = sum(layer["weights"] for layer in layers)
        kept = total - sparsity * total
        share = kept / (kept + left)
        result = {name: 1 - (1 - value) * share for name, value in result.items()}
    rounded = {name: round(value, 3) for name, value in result.items()}
    same = max(rounded.values()) - min(rounded.values()) < 0.01
    return {} if same else rounded


def _convex(pruned: Mapping[str, Mapping[str, float]]) -> list[tuple[float, float]]:
    """The lower convex hull of the rise of the loss: (slope per share of weights, its end)."""
    points = [(0.0, 0.0)]
    for text, found in sorted(pruned.items(), key=lambda item: float(item[0])):
        points.append((float(text), max(0.0, float(found["rise"]))))
    hull: list[tuple[float, float]] = []
    for point in points:
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) >= _slope(hull[-1], point):
            hull.pop()
        hull.append(point)
    return [(_slope(a, b), b[0]) for a, b in pairwise(hull)]


def _slope(a: tuple[float, float], b: tuple[float, float]) -> float:
    return (b[1] - a[1]) / (b[0] - a[0])
