"""Putting a variant's measurements together from what its stages wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optimizer.deploy.fit import estimates
from optimizer.plan import VariantPlan
from optimizer.store import Store

_MODEL_FACTS = (
    "size_bytes",
    "gzip_bytes",
    "parameter_bytes",
    "sparsity",
    "max_distinct_weights",
    "input_dtype",
    "output_dtype",
    "macs",
)
_LATENCY = ("ratio", "ratio_ci", "significant", "runs", "rounds", "threads", "device", "delegate")


def variant_results(
    store: Store, plan: VariantPlan, seconds: Mapping[str, float], cached: list[str]
) -> dict[str, Any]:
    """The measurements of a variant whose file was converted and evaluated.

    Args:
        store: where the stages' files are.
        plan: the variant's stages.
        seconds: stage name → how long it took when it ran.
        cached: names of stages whose result was there already.

    Returns:
        JSON-able; sizes in bytes. Latency and memory are ``None``; see :func:`latency_results`.
    """
    layers = _read(store, plan.convert.key, "layers.json")
    conversion = _read(store, plan.convert.key, "conversion.json")
    metrics = _read(store, plan.evaluate.key, "metrics.json")
    metric = metrics["metric"]
    return {
        **{name: layers[name] for name in _MODEL_FACTS},
        "task": metrics["task"],
        "metric": metric,
        "metrics": metrics["metrics"],
        "accuracy": metrics["metrics"].get("accuracy"),
        "metric_interval": metrics["interval"],
        "higher_is_better": metrics["higher_is_better"],
        "accuracy_n": metrics["n"],
        "agreement": metrics["agreement"],
        "agreement_interval": metrics["agreement_interval"],
        "mean_abs_difference": metrics["mean_abs_difference"],
        "agreement_by_output": metrics.get("agreement_by_output"),
        "latency_ms": None,
        "peak_memory_bytes": None,
        "seconds": dict(seconds),
        "cached": cached,
        "notes": conversion["notes"],
        "promises": _read(store, plan.convert.key, "audit.json")["promises"],
        "estimates": estimates(store.artifacts.read(plan.convert.key, "model.tflite")),
    }


def latency_results(latency: Mapping[str, Any], window: str) -> dict[str, Any]:
    """The measurements that a latency window adds to a variant's results.

    Args:
        latency: of the variant's file, from the window's ``latencies.json``.
        window: the window's key: latencies with the same one were measured together.

    Returns:
        ``latency_ms`` with percentiles, ratio and ``window``, and ``peak_memory_bytes``.
    """
    return {
        "latency_ms": {
            **{name: latency[f"{name}_ms"] for name in ("p50", "p90", "p99")},
            **{name: latency[name] for name in _LATENCY},
            "files": latency["files"],
            "window": window,
        },
        "peak_memory_bytes": latency["peak_memory_bytes"],
    }


def _read(store: Store, key: str, file: str) -> dict[str, Any]:
    return json.loads(store.artifacts.read(key, file))
