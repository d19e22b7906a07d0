"""How long a recipe will take, from what its kind took before in the same study."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from optimizer.measured import measured
from optimizer.recipe import Recipe
from optimizer.store.records import Variant

_TRAINING = ("prune", "cluster", "quantize_aware")
_MEASURING = ("convert", "evaluate", "benchmark")


def estimate_seconds(recipe: Recipe, variants: Sequence[Variant]) -> float | None:
    """Seconds that a recipe's own stages take when none of them is in the store already.

    Training is taken to grow in proportion to epochs and with the number of batches; a kind
    of training that was never seen is taken to be as long as the others.

    Args:
        recipe: what is to run.
        variants: of the same study; finished ones are learnt from.

    Returns:
        ``None`` when nothing comparable has been measured.
    """
    batches: dict[str, list[float]] = {name: [] for name in _TRAINING}
    measuring: dict[str, list[float]] = {name: [] for name in _MEASURING}
    for variant in variants:
        found = measured(variant)
        tune = variant.recipe.fine_tune
        for name, seconds in (found.seconds if found else {}).items():
            if name in batches:
                batches[name].append(seconds * tune.batch_size / tune.epochs)
            elif name in measuring:
                measuring[name].append(seconds)
    seen = [value for values in batches.values() for value in values]
    wanted = _stages(recipe)
    if not all(measuring.values()) or (wanted and not seen):
        return None
    weight = recipe.fine_tune.epochs / recipe.fine_tune.batch_size
    training = sum(weight * median(batches[name] or seen) for name in wanted)
    return training + sum(median(values) for values in measuring.values())


def _stages(recipe: Recipe) -> list[str]:
    parts = (recipe.prune, recipe.cluster, recipe.quantize.aware)
    return [name for name, part in zip(_TRAINING, parts, strict=True) if part]
