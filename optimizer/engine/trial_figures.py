"""What a search needs to know of a variant, out of the store."""

from __future__ import annotations

import numpy as np

from optimizer.search.goal import Figures
from optimizer.search.judging import Judge, first_output
from optimizer.store import Store
from optimizer.store.records import Variant


def outputs_of(store: Store, variant: Variant) -> np.ndarray | None:
    """A variant's first output over the test set; ``None`` when it is not in the store.

    Returns:
        float32, shape (n, …).
    """
    key = variant.stages.get("evaluate")
    if key is None or not store.artifacts.has(key):
        return None
    return first_output(store.artifacts.read(key, "predictions.npz"))


def figures_of(store: Store, judge: Judge, variant: Variant) -> Figures | None:
    """A variant's figures, its metric on the search half; ``None`` when it is not finished."""
    outputs, results = outputs_of(store, variant), variant.results
    if outputs is None or results is None:
        return None
    latency = results.get("latency_ms") or {}
    return Figures(
        results.get("gzip_bytes"),
        results.get("size_bytes"),
        judge.value(outputs, "search"),
        latency.get("ratio"),
    )
