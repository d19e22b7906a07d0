"""Finished variants with chosen measurements, for tests of charts and comparisons."""

from optimizer.recipe import Recipe
from optimizer.store.records import Variant

BASELINE_SIZE = 200_000


def variant(name, *, size=BASELINE_SIZE, gzip=None, accuracy=0.95, p50=1.0, ratio=None, **more):
    """A finished variant; the one called ``baseline`` is the baseline."""
    low_high = None if ratio is None else [ratio - 0.02, ratio + 0.02]
    results = {
        "size_bytes": size,
        "gzip_bytes": gzip or size // 2,
        "parameter_bytes": size - 4000,
        "sparsity": 0.0,
        "max_distinct_weights": 255,
        "task": "multiclass",
        "metric": "accuracy",
        "metrics": {"accuracy": accuracy},
        "accuracy": accuracy,
        "metric_interval": [accuracy - 0.02, min(1.0, accuracy + 0.02)],
        "higher_is_better": True,
        "accuracy_n": 450,
        "agreement": 0.99,
        "agreement_interval": [0.98, 1.0],
        "mean_abs_difference": 0.01,
        "latency_ms": {
            "p50": p50,
            "p90": p50 * 1.1,
            "p99": p50 * 1.5,
            "ratio": ratio,
            "ratio_ci": low_high,
            "significant": None if ratio is None else abs(ratio - 1) > 0.05,
            "runs": 1000,
            "rounds": 40,
            "threads": 1,
            "device": "A processor",
            "delegate": "XNNPACK",
        },
        "peak_memory_bytes": 300_000,
        "seconds": {"convert": 1.0, "benchmark": 1.5},
        "cached": [],
        "notes": [],
        **more,
    }
    return Variant(
        id=name,
        study_id="study",
        recipe=Recipe(),
        name=name,
        is_baseline=name == "baseline",
        state="done",
        error=None,
        results=results,
        stages={},
        created_at="2026-01-01T00:00:00+00:00",
    )


BASELINE = variant("baseline")
SMALL = variant("small", size=50_000, gzip=12_000, accuracy=0.945, p50=0.4, ratio=0.4)
TINY = variant("tiny", size=40_000, gzip=8_000, accuracy=0.90, p50=0.9, ratio=0.99)
POOR = variant("poor", size=100_000, gzip=60_000, accuracy=0.80, p50=2.0, ratio=2.0)
ALL = [BASELINE, SMALL, TINY, POOR]
