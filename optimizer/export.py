"""What a study's results look like outside: ``results.json``, ``results.csv``, file names.

Pure functions of records; they read and write no files.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from optimizer.cells import plain_cell
from optimizer.measured import state_text
from optimizer.store.records import Dataset, Model, Study, Variant

RESULTS_SCHEMA = 1
_MEASURED = (
    "size_bytes",
    "gzip_bytes",
    "parameter_bytes",
    "accuracy",
    "metrics",
    "agreement",
    "mean_abs_difference",
    "accuracy_n",
    "latency_ms",
    "peak_memory_bytes",
    "sparsity",
    "max_distinct_weights",
    "macs",
)
OTHER_METRICS = (
    "mae",
    "mse",
    "r2",
    "auc",
    "f1_macro",
    "f1_micro",
    "subset_accuracy",
    "label_accuracy",
)
CSV_COLUMNS = (
    "name",
    "state",
    "error",
    "file",
    "size_bytes",
    "gzip_bytes",
    "parameter_bytes",
    "accuracy",
    *OTHER_METRICS,
    "agreement",
    "mean_abs_difference",
    "accuracy_n",
    "latency_p50_ms",
    "latency_p90_ms",
    "latency_p99_ms",
    "latency_ratio",
    "latency_ratio_low",
    "latency_ratio_high",
    "peak_memory_bytes",
    "sparsity",
    "max_distinct_weights",
    "macs",
    "broken_promises",
    "total_seconds",
    "cached_stages",
    "recipe_hash",
)
_LATENCY = ("p50", "p90", "p99", "ratio", "ratio_ci")
_CONDITIONS = ("metric", "metric_interval", "higher_is_better", "agreement_interval", "notes")
_LATENCY_CONDITIONS = (
    *("significant", "runs", "rounds", "threads", "device", "delegate", "window"),
)
_MODEL_FACTS = ("source_format", "keras_version", "parameters", "inputs", "outputs")
_DATASET_FACTS = ("format", "train", "test", "x_shape", "x_dtype", "y_kind", "classes", "split")


def file_stem(variant: Variant) -> str:
    """A readable file name without an extension, safe on every system.

    For example ``prune-80_cluster-16_int8-qat_1f0c2a9b``: the recipe's name and the start of
    its hash, which keeps the names of a study's variants apart.
    """
    if variant.is_baseline:
        return "float32-baseline"
    parts = [re.sub(r"[^a-z0-9.]+", "-", part.lower()) for part in variant.name.split("·")]
    readable = "_".join(part.strip("-.") for part in parts if part.strip("-."))
    return f"{readable[:80] or 'variant'}_{variant.recipe.hash[:8]}"


def variant_record(
    variant: Variant, layers: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """One VARIANT of ``results.json``: every key always there, ``None`` when not measured.

    Args:
        variant: with its results, when it is done.
        layers: the ``layers`` of its ``layers.json``.
    """
    results = variant.results or {}
    latency = results.get("latency_ms")
    return {
        "name": variant.name,
        "recipe": variant.recipe.model_dump(mode="json"),
        "file": f"{file_stem(variant)}.tflite" if variant.state == "done" else None,
        "state": state_text(variant),
        "error": variant.error,
        **{key: results.get(key) for key in _MEASURED},
        "latency_ms": {key: latency.get(key) for key in _LATENCY} if latency else None,
        "promises": [dict(promise) for promise in results.get("promises") or ()],
        "layers": [dict(layer) for layer in layers or ()],
        "seconds": dict(results.get("seconds") or {}),
        "cached": list(results.get("cached") or ()),
        "estimates": dict(results["estimates"]) if results.get("estimates") else None,
        "conditions": {
            **{key: results.get(key) for key in _CONDITIONS},
            "latency": {key: latency.get(key) for key in _LATENCY_CONDITIONS} if latency else None,
        },
    }


def study_results(
    study: Study,
    model: Model,
    dataset: Dataset,
    variants: Iterable[Variant],
    environment: Mapping[str, Any] | None,
    layers_of: Callable[[Variant], Sequence[Mapping[str, Any]] | None],
) -> dict[str, Any]:
    """The whole of ``results.json``, schema 1.

    Args:
        study: whose results they are.
        model: the study's model.
        dataset: the study's dataset.
        variants: those to list; the baseline goes under ``baseline``, not ``variants``.
        environment: versions and hardware, where known.
        layers_of: the layer table of a variant; asked for done variants only.
    """
    records = [
        (variant, variant_record(variant, layers_of(variant) if variant.state == "done" else None))
        for variant in variants
    ]
    return {
        "schema": RESULTS_SCHEMA,
        "model": _upload(model, _MODEL_FACTS),
        "dataset": {**_upload(dataset, _DATASET_FACTS), "task": study.task},
        "environment": dict(environment or {}),
        "baseline": next((record for variant, record in records if variant.is_baseline), None),
        "variants": [record for variant, record in records if not variant.is_baseline],
    }


def results_csv(variants: Iterable[Variant]) -> str:
    """The variants as CSV (RFC 4180), one line each under a line of column names.

    The columns and their order are always the same; what was not measured is empty. A text
    that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    rows = [_csv_row(variant) for variant in variants]
    writer.writerow(CSV_COLUMNS)
    writer.writerows([plain_cell(row[column]) for column in CSV_COLUMNS] for row in rows)
    return text.getvalue()


def _csv_row(variant: Variant) -> dict[str, Any]:
    record = variant_record(variant)
    latency = record["latency_ms"] or {}
    low, high = latency.get("ratio_ci") or (None, None)
    metrics = record["metrics"] or {}
    return {
        **record,
        **{name: metrics.get(name) for name in OTHER_METRICS},
        **{f"latency_{name}_ms": latency.get(name) for name in ("p50", "p90", "p99")},
        "latency_ratio": latency.get("ratio"),
        "latency_ratio_low": low,
        "latency_ratio_high": high,
        "broken_promises": _broken(record["promises"]),
        "total_seconds": round(sum(record["seconds"].values()), 3) if record["seconds"] else None,
        "cached_stages": " ".join(record["cached"]),
        "recipe_hash": variant.recipe.hash,
    }


def _broken(promises: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(str(promise["promise"]) for promise in promises if not promise.get("kept"))


def _upload(upload: Model | Dataset, facts: Sequence[str]) -> dict[str, Any]:
    known = upload.facts or {}
    return {
        "name": upload.name,
        "file_name": upload.file_name,
        "sha256": upload.sha256,
        "size_bytes": upload.size_bytes,
        **{name: known.get(name) for name in facts},
    }
