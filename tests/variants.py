"""Variants with plausible measurements, for tests of what is drawn and said about them."""

from optimizer.recipe import BASELINE, Recipe
from optimizer.store.records import Variant


def results(**changes):
    """A variant's results as the engine writes them; ``latency`` and ``value`` are shorthands."""
    value = changes.pop("value", 0.95)
    metric = changes.pop("metric", "accuracy")
    latency = {
        "p50": 0.01,
        "p90": 0.011,
        "p99": 0.02,
        "ratio": 0.5,
        "ratio_ci": [0.45, 0.55],
        "significant": True,
        "runs": 2000,
        "rounds": 40,
        "threads": 1,
        "device": "some processor",
        "delegate": "XNNPACK",
        **changes.pop("latency", {}),
    }
    return {
        "size_bytes": 50_000,
        "gzip_bytes": 20_000,
        "parameter_bytes": 45_000,
        "sparsity": 0.0,
        "max_distinct_weights": 200,
        "task": "multiclass",
        "metric": metric,
        "metrics": {metric: value},
        "metric_interval": None if value is None else [value - 0.02, value + 0.01],
        "higher_is_better": metric == "accuracy",
        "accuracy_n": 400,
        "agreement": 0.98,
        "mean_abs_difference": None,
        "latency_ms": latency,
        "peak_memory_bytes": 120_000,
        "seconds": {"convert": 1.0, "evaluate": 0.1, "benchmark": 1.4},
        "cached": [],
        "notes": [],
        **changes,
    }


def variant(name, recipe=None, state="done", found=None, error=None):
    """A variant called ``name``; its id is its name, so that expectations can be read."""
    recipe = BASELINE if name == "base" else Recipe.parse(recipe or {"quantize": {"mode": "int8"}})
    return Variant(
        name, "study", recipe, name, name == "base", state, error, found, {}, "2026-01-01T00:00:00Z"
    )


def baseline(**changes):
    """The float32 baseline of the same study."""
    plain = {
        "size_bytes": 200_000,
        "gzip_bytes": 180_000,
        "parameter_bytes": 190_000,
        "value": 0.96,
        "agreement": None,
        "latency": {"p50": 0.02, "ratio": None, "ratio_ci": None, "significant": None},
    }
    return variant("base", found=results(**{**plain, **changes}))
