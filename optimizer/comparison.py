"""Variants against their baseline, in numbers and in words: pure functions of plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from optimizer.format import (
    METRIC_TITLES,
    format_bytes,
    format_metric,
    format_ms,
    format_points,
    format_times,
)
from optimizer.measured import Measured, measured
from optimizer.store.records import Variant

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Headline:
    """One measure of a variant beside the baseline's.

    Attributes:
        delta: the difference in words, or ``None`` when there is none to speak of.
        better: whether the difference is good; ``None`` when it is neither.
    """

    title: str
    value: str
    delta: str | None
    better: bool | None
    explanation: str


def headlines(variant: Variant, baseline: Variant | None) -> list[Headline]:
    """The measures a person asks for first, each against the float32 TFLite baseline."""
    found = measured(variant)
    if found is None:
        return []
    base = measured(baseline) if baseline and baseline.id != variant.id else None
    return [
        _size(found, base, "size_bytes", "As it ships", "Bytes of the .tflite on a device."),
        _size(
            found,
            base,
            "gzip_bytes",
            "gzip-compressed",
            "Bytes of a compressed download: here pruning and clustering show.",
        ),
        _metric(found, base),
        _latency(found),
        _agreement(found, is_baseline=variant.is_baseline),
    ]


def details(variant: Variant, baseline: Variant | None) -> list[Headline]:
    """The measures that explain the headlines."""
    found = measured(variant)
    if found is None:
        return []
    base = measured(baseline) if baseline and baseline.id != variant.id else None
    zeros = NOT_MEASURED if found.sparsity is None else f"{100 * found.sparsity:.1f} %"
    distinct = (
        NOT_MEASURED if found.max_distinct_weights is None else f"{found.max_distinct_weights:,}"
    )
    return [
        _size(
            found,
            base,
            "parameter_bytes",
            "Parameters",
            "Bytes of the weights and biases alone, without the rest of the file.",
        ),
        Headline("Zeros", zeros, None, None, "Among prunable weights, as read from the file."),
        Headline(
            "Distinct weights",
            distinct,
            None,
            None,
            "The most distinct values in one weight tensor, per channel where it is quantized so.",
        ),
        _memory(found, base),
    ]


def comparison_table(variants: Sequence[Variant]) -> pd.DataFrame:
    """One row per variant: measures and differences to the baseline, numbers with units named.

    Columns of a measure that was not taken hold ``None``; ``State`` says why.
    """
    baseline = next((v for v in variants if v.is_baseline and v.results), None)
    base = measured(baseline)
    metric = study_metric(variants)
    table = pd.DataFrame([_row(variant, base, metric) for variant in variants])
    if "State" in table and (table["State"] == "done").all():
        table = table.drop(columns="State")
    return table


def study_metric(variants: Sequence[Variant]) -> str:
    """The metric that a study's variants are measured by."""
    return next((found.metric for v in variants if (found := measured(v))), "accuracy")


def suggested(variants: Sequence[Variant]) -> Variant | None:
    """The smallest download that costs at most one point of accuracy (2 % of an error).

    Args:
        variants: of one study; only finished ones count.

    Returns:
        The baseline when nothing else qualifies; ``None`` when nothing is finished.
    """
    done = [(variant, found) for variant in variants if (found := measured(variant))]
    base = next((found for variant, found in done if variant.is_baseline), None)
    if base is None or base.value is None:
        return done[0][0] if done else None
    good = [
        (found.gzip_bytes, index)
        for index, (_, found) in enumerate(done)
        if found.gzip_bytes is not None and _loss(found, base) <= 0.01
    ]
    return done[min(good)[1]][0] if good else done[0][0]


def metric_column(metric: str) -> str:
    """The table's column of the task's metric."""
    return METRIC_TITLES[metric] + (" (%)" if metric == "accuracy" else "")


def latency_verdict(found: Measured) -> str:
    """What the latency ratio means, in words; never more than was measured."""
    latency = found.latency
    if latency is None:
        return NOT_MEASURED
    if latency.ratio is None:
        return "no ratio measured"
    if not latency.significant:
        return "no significant difference"
    ratio = latency.ratio
    return f"{format_times(1 / ratio)} faster" if ratio < 1 else f"{format_times(ratio)} slower"


def _loss(found: Measured, base: Measured) -> float:
    """Accuracy lost as a share; for an error, half the share by which it grew."""
    if found.value is None or base.value is None:
        return float("inf")
    if base.higher_is_better:
        return base.value - found.value
    return (found.value / base.value - 1) / 2 if base.value else found.value


def _row(variant: Variant, base: Measured | None, metric: str) -> dict[str, Any]:
    found = measured(variant)
    row: dict[str, Any] = {"id": variant.id, "Variant": variant.name, "State": variant.state}
    if found is None:
        return row
    column, share = metric_column(metric), 100 if metric == "accuracy" else 1
    latency = found.latency
    row |= {
        "Size (kB)": _scaled(found.size_bytes, 0.001),
        "Smaller (×)": _ratio(base and base.size_bytes, found.size_bytes),
        "gzip (kB)": _scaled(found.gzip_bytes, 0.001),
        "gzip smaller (×)": _ratio(base and base.gzip_bytes, found.gzip_bytes),
        column: _scaled(found.value, share),
        f"Δ {column}": _difference(found.value, base and base.value, share),
        "p50 (ms)": latency and latency.p50_ms,
        "Latency ratio": latency and latency.ratio,
        "Latency": "" if variant.is_baseline else latency_verdict(found),
        "Agreement (%)": _scaled(found.agreement, 100),
        "Peak memory (kB)": _scaled(found.peak_memory_bytes, 0.001),
        "Zeros (%)": _scaled(found.sparsity, 100),
        "Distinct weights": found.max_distinct_weights,
        "Time to make (s)": sum(found.seconds.values()),
    }
    return row


def _size(
    found: Measured,
    base: Measured | None,
    key: Literal["size_bytes", "gzip_bytes", "parameter_bytes"],
    title: str,
    text: str,
) -> Headline:
    size: int | None = getattr(found, key)
    if size is None:
        return Headline(title, NOT_MEASURED, None, None, text)
    reference: int | None = getattr(base, key) if base else None
    if not reference or not size:
        return Headline(title, format_bytes(size), None, None, text)
    text += f" The float32 TFLite baseline has {format_bytes(reference)}."
    ratio = reference / size
    if abs(ratio - 1) < 0.005:
        return Headline(title, format_bytes(size), "same as the baseline", None, text)
    word = "smaller" if ratio > 1 else "larger"
    times = format_times(ratio if ratio > 1 else 1 / ratio)
    return Headline(title, format_bytes(size), f"{times} {word}", ratio > 1, text)


def _metric(found: Measured, base: Measured | None) -> Headline:
    metric, title = found.metric, METRIC_TITLES[found.metric]
    if found.value is None:
        text = "No finite value: the fine-tuning diverged, or there was nothing to measure on."
        return Headline(title, NOT_MEASURED, None, None, text)
    text = f"On {found.samples or 'the'} held-out samples."
    if found.interval:
        low, high = (format_metric(metric, end) for end in found.interval)
        text += f" 95 % interval {low} to {high}."
    shown = format_metric(metric, found.value)
    if base is None or base.value is None:
        return Headline(title, shown, None, None, text)
    difference = found.value - base.value
    if difference == 0:
        return Headline(title, shown, "same as the baseline", None, text)
    words = format_points(difference) if metric == "accuracy" else f"{difference:+.4g}"
    return Headline(title, shown, words, (difference > 0) == found.higher_is_better, text)


def _latency(found: Measured) -> Headline:
    latency = found.latency
    if latency is None:
        return Headline("Latency p50", NOT_MEASURED, None, None, "Not measured on this machine.")
    text = (
        f"Median of {latency.runs or 'the'} runs on this machine's processor, "
        f"{latency.threads or 1} thread, delegate {latency.delegate or 'none'}."
    )
    shown = format_ms(latency.p50_ms)
    if latency.ratio is None:
        return Headline("Latency p50", shown, None, None, text)
    text += f" Ratio to the baseline {latency.ratio:.2f}"
    if latency.ratio_ci:
        text += f", 95 % interval {latency.ratio_ci[0]:.2f} to {latency.ratio_ci[1]:.2f}"
    better = latency.ratio < 1 if latency.significant else None
    return Headline("Latency p50", shown, latency_verdict(found), better, text + ".")


def _agreement(found: Measured, *, is_baseline: bool) -> Headline:
    title = "Agreement"
    text = "Share of test samples for which this file and the baseline predict the same."
    if found.agreement is not None and not is_baseline:
        return Headline(title, f"{100 * found.agreement:.2f} %", None, None, text)
    if found.mean_abs_difference is not None and not is_baseline:
        shown = f"{found.mean_abs_difference:.4g}"
        text = "Mean absolute difference between this file's outputs and the baseline's."
        return Headline("Difference to the baseline", shown, None, None, text)
    return _memory(found, None)


def _memory(found: Measured, base: Measured | None) -> Headline:
    title = "Peak memory"
    text = "Growth of the process while the model is loaded and run, with the CPU delegate."
    memory = found.peak_memory_bytes
    if memory is None:
        return Headline(title, NOT_MEASURED, None, None, text)
    if base and base.peak_memory_bytes is not None:
        text += f" The baseline needs {format_bytes(base.peak_memory_bytes)}."
    return Headline(title, format_bytes(memory), None, None, text)


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else factor * value


def _ratio(reference: int | None, size: int | None) -> float | None:
    return reference / size if reference and size else None


def _difference(value: float | None, reference: float | None, share: float) -> float | None:
    return None if value is None or reference is None else share * (value - reference)
