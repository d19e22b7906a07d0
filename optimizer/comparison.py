"""Variants against their baseline, in numbers and in words: pure functions of plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from optimizer.format import (
    METRIC_TITLES,
    format_bytes,
    format_metric,
    format_ms,
    format_points,
    format_times,
)
from optimizer.store.records import Variant


@dataclass(frozen=True)
class Headline:
    """One measure of a variant beside the baseline's.

    Attributes:
        delta: the difference in words, or ``None`` for the baseline itself.
        better: whether the difference is good; ``None`` when there is none to speak of.
    """

    title: str
    value: str
    delta: str | None
    better: bool | None
    explanation: str


def headlines(variant: Variant, baseline: Variant | None) -> list[Headline]:
    """The measures a person asks for first, each against the float32 TFLite baseline."""
    results = variant.results or {}
    base = (baseline.results or {}) if baseline and baseline.id != variant.id else {}
    return [
        _size(results, base, "size_bytes", ".tflite as it ships", "Bytes of the file on a device."),
        _size(
            results,
            base,
            "gzip_bytes",
            "gzip-compressed",
            "Bytes of a compressed download: here pruning and clustering show.",
        ),
        _metric(results, base),
        _latency(results),
        _agreement(results, is_baseline=variant.is_baseline),
    ]


def comparison_table(variants: Sequence[Variant]) -> pd.DataFrame:
    """One row per variant: measures and differences to the baseline, numbers with units named.

    Columns of a measure that was not taken hold ``None``; ``State`` says why.
    """
    baseline = next((v for v in variants if v.is_baseline and v.results), None)
    base = (baseline.results or {}) if baseline else {}
    return pd.DataFrame([_row(variant, base) for variant in variants])


def suggested(variants: Sequence[Variant]) -> Variant | None:
    """The smallest download that costs at most one point of accuracy (2 % of an error).

    Args:
        variants: of one study; only finished ones count.

    Returns:
        The baseline when nothing else qualifies; ``None`` when nothing is finished.
    """
    done = [variant for variant in variants if variant.results]
    baseline = next((variant for variant in done if variant.is_baseline), None)
    if baseline is None:
        return done[0] if done else None
    good = [variant for variant in done if _loss(variant, baseline) <= 0.01]
    return min(good, key=lambda variant: (variant.results or {})["gzip_bytes"])


def _loss(variant: Variant, baseline: Variant) -> float:
    """Accuracy lost as a share; for an error, half the share by which it grew."""
    results, base = variant.results or {}, baseline.results or {}
    metric = base["metric"]
    value, reference = results["metrics"][metric], base["metrics"][metric]
    if base["higher_is_better"]:
        return float(reference - value)
    return float(value / reference - 1) / 2 if reference else float(value)


def _row(variant: Variant, base: dict[str, Any]) -> dict[str, Any]:
    results = variant.results
    row: dict[str, Any] = {"id": variant.id, "Variant": variant.name, "State": variant.state}
    if not results:
        return row
    metric = results["metric"]
    share = 100 if metric == "accuracy" else 1
    value = share * results["metrics"][metric]
    latency = results["latency_ms"]
    row |= {
        "Size (kB)": results["size_bytes"] / 1000,
        "gzip (kB)": results["gzip_bytes"] / 1000,
        metric_column(metric): value,
        "Agreement (%)": _percent(results["agreement"]),
        "p50 (ms)": latency["p50"],
        "Latency ratio": latency["ratio"],
        "Peak memory (kB)": _thousands(results["peak_memory_bytes"]),
        "Zeros (%)": 100 * results["sparsity"],
        "Distinct weights": results["max_distinct_weights"],
        "Time to make (s)": sum(results["seconds"].values()),
    }
    if base:
        row |= {
            "Size vs baseline (×)": base["size_bytes"] / results["size_bytes"],
            "gzip vs baseline (×)": base["gzip_bytes"] / results["gzip_bytes"],
            "Δ " + metric_column(metric): value - share * base["metrics"][metric],
        }
    return row


def metric_column(metric: str) -> str:
    """The table's column of the task's metric."""
    return METRIC_TITLES[metric] + (" (%)" if metric == "accuracy" else "")


def latency_verdict(results: dict[str, Any]) -> str:
    """What the latency ratio means, in words; never more than was measured."""
    latency = results["latency_ms"]
    if latency["ratio"] is None:
        return "the baseline"
    if not latency["significant"]:
        return "no significant difference"
    ratio = latency["ratio"]
    return f"{format_times(1 / ratio)} faster" if ratio < 1 else f"{format_times(ratio)} slower"


def _size(
    results: dict[str, Any], base: dict[str, Any], key: str, title: str, text: str
) -> Headline:
    value = format_bytes(results[key])
    if not base:
        return Headline(title, value, None, None, text)
    ratio = base[key] / results[key]
    if abs(ratio - 1) < 0.005:
        return Headline(title, value, "same as the baseline", None, text)
    word = "smaller" if ratio > 1 else "larger"
    times = format_times(ratio if ratio > 1 else 1 / ratio)
    return Headline(
        title, value, f"{times} {word}", ratio > 1, text + " Against the baseline's same measure."
    )


def _metric(results: dict[str, Any], base: dict[str, Any]) -> Headline:
    metric = results["metric"]
    value = results["metrics"][metric]
    low, high = results["metric_interval"]
    text = (
        f"Measured on {results['accuracy_n']} held-out samples with the .tflite itself; "
        f"95 % interval {format_metric(metric, low)} to {format_metric(metric, high)}."
    )
    title, shown = METRIC_TITLES[metric], format_metric(metric, value)
    if not base:
        return Headline(title, shown, None, None, text)
    difference = value - base["metrics"][metric]
    if difference == 0:
        return Headline(title, shown, "same as the baseline", None, text)
    words = format_points(difference) if metric == "accuracy" else f"{difference:+.4g}"
    return Headline(title, shown, words, (difference > 0) == results["higher_is_better"], text)


def _latency(results: dict[str, Any]) -> Headline:
    latency = results["latency_ms"]
    text = (
        f"Median of {latency['runs']} runs, {latency['threads']} thread, {latency['delegate']}, on "
        f"{latency['device']}."
    )
    shown = format_ms(latency["p50"])
    if latency["ratio"] is None:
        return Headline("Latency p50", shown, None, None, text)
    low, high = latency["ratio_ci"]
    text += f" Ratio to the baseline {latency['ratio']:.2f}, 95 % interval {low:.2f} to {high:.2f}."
    better = latency["ratio"] < 1 if latency["significant"] else None
    return Headline("Latency p50", shown, latency_verdict(results), better, text)


def _agreement(results: dict[str, Any], *, is_baseline: bool) -> Headline:
    title = "Agreement"
    text = "Share of test samples for which this file and the baseline predict the same."
    if results["agreement"] is not None and not is_baseline:
        return Headline(title, f"{100 * results['agreement']:.2f} %", None, None, text)
    if results["mean_abs_difference"] is not None and not is_baseline:
        shown = f"{results['mean_abs_difference']:.4g}"
        text = "Mean absolute difference between this file's outputs and the baseline's."
        return Headline("Difference to the baseline", shown, None, None, text)
    memory = results["peak_memory_bytes"]
    shown = "not measured" if memory is None else format_bytes(memory)
    return Headline(
        "Peak memory",
        shown,
        None,
        None,
        "Growth of the process while the model is loaded and run, with the CPU delegate.",
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _thousands(value: float | None) -> float | None:
    return None if value is None else value / 1000
