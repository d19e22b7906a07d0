"""When a candidate cannot beat the best one, whatever comes of its training."""

from __future__ import annotations

import json
from collections.abc import Sequence

from optimizer.format import format_bytes
from optimizer.recipe import Recipe
from optimizer.search.goal import Figures, Goal, feasible
from optimizer.search.space import Candidate
from optimizer.store.records import Trial

_SLACK_BYTES = 0.002
"""Share by which files of the same layers and number format differ: names, ranges, padding."""


def cannot_win(candidate: Candidate, trials: Sequence[Trial], goal: Goal) -> str | None:
    """Why a candidate need not be tried, for a person; ``None`` when it might win.

    A ``.tflite`` stores a number for every weight, whatever its value: recipes that leave the
    layers as they are and use the same number format give files of the same size, but for a few
    bytes. So when the file itself is to be small, or has a limit, one of them tells the others'
    size. Of downloads nothing of the kind is known: compression depends on the values.

    Args:
        candidate: not tried yet.
        trials: so far.
        goal: with objective and limits.
    """
    like = _file_kind(candidate.recipe)
    if like is None:
        return None
    complete = [trial for trial in trials if trial.state == "complete"]
    sizes = [
        figures.size_bytes
        for trial in complete
        if (figures := Figures.read(trial.figures)).size_bytes and _file_kind(trial.recipe) == like
    ]
    if not sizes:
        return None
    least = min(sizes) * (1 - _SLACK_BYTES)
    limit = goal.constraints.max_size_bytes
    same = f"files of these layers in this number format have {format_bytes(min(sizes))}"
    if limit is not None and least > limit:
        return f"Skipped: {same}, more than the limit of {format_bytes(limit)}."
    if goal.objective != "size":
        return None
    best = [
        figures.size_bytes
        for trial in complete
        if feasible(trial.violations)
        and (figures := Figures.read(trial.figures)).size_bytes is not None
    ]
    if best and least >= min(best) * (1 - 2 * _SLACK_BYTES):
        return f"Skipped: {same}, and the best one so far is no larger ({format_bytes(min(best))})."
    return None


def _file_kind(recipe: Recipe) -> str | None:
    """What decides a file's size where no weights are removed or left out, else ``None``."""
    if (recipe.prune is not None and not recipe.leaves_zeros) or recipe.sparse_encoding:
        return None
    quantize = recipe.quantize.model_dump(mode="json")
    quantize.pop("calibration_samples")
    skipped = sorted(name for name, layer in recipe.layers.items() if layer.quantize is False)
    return json.dumps([quantize, skipped], sort_keys=True)
