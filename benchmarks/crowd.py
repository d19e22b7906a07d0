"""A study with any number of finished variants whose measurements differ, made without running."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice, product
from typing import Any

import numpy as np

from optimizer.recipe import Recipe
from optimizer.store import Store
from optimizer.store.records import Study

_AT_ONCE = 1_000
_MODES: tuple[dict[str, Any], ...] = (
    {"mode": "none"},
    {"mode": "float16"},
    {"mode": "dynamic"},
    {"mode": "int8"},
    {"mode": "int8", "aware": True},
)
_STRUCTURES: tuple[dict[str, Any], ...] = (
    {"kind": "unstructured"},
    {"kind": "block"},
    {"kind": "channels"},
)


def recipes() -> Iterator[Recipe]:
    """Different recipes: sparsities × modes × structures × clusters."""
    sparsities = (0.1 + 0.8 * step / 1000 for step in range(1000))
    for sparsity, mode, structure, clusters in product(
        sparsities, _MODES, _STRUCTURES, (None, 8, 16, 32)
    ):
        schedule = {"kind": "constant", "target_sparsity": round(sparsity, 4)}
        yield Recipe.parse(
            {
                "prune": {"schedule": schedule, "structure": structure},
                "cluster": clusters and {"number_of_clusters": clusters},
                "quantize": mode,
            }
        )


def crowd(store: Store, study: Study, count: int) -> None:
    """Fill a study up to ``count`` variants, all of them done.

    Sizes, metric and latency are those of the variants measured already, of which there must be
    one besides the baseline, scattered around by a seed.
    """
    there = store.list_variants(study.id)
    examples = [variant for variant in there if variant.results and not variant.is_baseline]
    known, random = {variant.recipe.hash for variant in there}, np.random.default_rng(0)
    new = (recipe for recipe in recipes() if recipe.hash not in known)
    missing = list(islice(new, max(0, count - len(there))))
    for first in range(0, len(missing), _AT_ONCE):
        with store.one_change():
            added = store.add_variants(study.id, missing[first : first + _AT_ONCE])
            for variant, example in zip(added, cycle(examples), strict=False):
                results = _scattered(example.results or {}, random)
                stages = example.stages
                store.update_variant(variant.id, state="done", results=results, stages=stages)


def _scattered(results: dict[str, Any], random: np.random.Generator) -> dict[str, Any]:
    scale, slower, less = random.lognormal(0, 0.3), random.lognormal(0, 0.2), random.gamma(1, 0.02)
    metric, latency = results["metric"], results["latency_ms"]
    value = float(max(0.0, results["metrics"][metric] - less))
    return {
        **results,
        **{key: int(results[key] * scale) for key in ("size_bytes", "gzip_bytes")},
        "metrics": {metric: value},
        "metric_interval": [max(0.0, value - 0.02), min(1.0, value + 0.01)],
        "latency_ms": {
            **latency,
            "p50": latency["p50"] * slower,
            "ratio": latency["ratio"] * slower,
            "ratio_ci": [end * slower for end in latency["ratio_ci"]],
        },
    }
