"""A variant's measures in words, each beside the baseline's, and what they rest on."""

from __future__ import annotations

from dataclasses import dataclass

from optimizer.comparison import NOT_MEASURED, SizeKey, latency_verdict
from optimizer.format import (
    format_bytes,
    format_count,
    format_metric,
    format_ms,
    format_points,
    format_times,
    is_share,
    metric_title,
)
from optimizer.measured import Measured, measured
from optimizer.store.records import Variant


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
        _macs(found, base),
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


def how_measured(found: Measured) -> list[str]:
    """What the figures rest on, a sentence per measure."""
    return [_how_quality(found), _how_latency(found), _how_memory(found), _how_sizes(found)]


def _size(
    found: Measured,
    base: Measured | None,
    key: SizeKey,
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


def _macs(found: Measured, base: Measured | None) -> Headline:
    title = "Arithmetic (MACs)"
    text = "Multiply-accumulates of one inference, counted from the file's operators."
    if found.macs is None:
        text += " Files from before it was counted have none; a new run has."
        return Headline(title, NOT_MEASURED, None, None, text)
    shown = format_count(found.macs)
    if base is None or not base.macs or not found.macs:
        return Headline(title, shown, None, None, text)
    text += f" {base.macs:,} in the baseline, {found.macs:,} in this file."
    ratio = base.macs / found.macs
    if abs(ratio - 1) < 0.005:
        return Headline(title, shown, "same as the baseline", None, text)
    word = "fewer" if ratio > 1 else "more"
    times = format_times(ratio if ratio > 1 else 1 / ratio)
    return Headline(title, shown, f"{times} {word}", ratio > 1, text)


def _metric(found: Measured, base: Measured | None) -> Headline:
    metric, title = found.metric, metric_title(found.metric)
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
    signed = f"{difference:+.3g}".replace("-", "−")
    words = format_points(difference) if is_share(metric) else signed
    return Headline(title, shown, words, (difference > 0) == found.higher_is_better, text)


def _latency(found: Measured) -> Headline:
    latency = found.latency
    if latency is None:
        text = "Compare can measure the latency of all files of a study together."
        return Headline("Latency p50", NOT_MEASURED, None, None, text)
    text = (
        f"Median of {f'{latency.runs:,} runs' if latency.runs else 'its runs'} on "
        f"{latency.device or 'the machine of the study'}, {_threads(latency.threads)}, delegate "
        f"{latency.delegate or 'none'}."
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


def _how_quality(found: Measured) -> str:
    metric = found.metric
    if found.value is None:
        return f"{metric_title(metric)}: {NOT_MEASURED}."
    text = f"{metric_title(metric)}: {format_metric(metric, found.value)}"
    if found.samples:
        text += f" on {found.samples:,} held-out samples"
    if found.interval:
        low, high = (format_metric(metric, end) for end in found.interval)
        text += f"; 95 % interval {low} to {high}"
    return text + "."


def _how_latency(found: Measured) -> str:
    latency = found.latency
    if latency is None:
        return f"Latency: {NOT_MEASURED}."
    tails = ", ".join(
        f"{name} {NOT_MEASURED if value is None else format_ms(value)}"
        for name, value in (
            ("p50", latency.p50_ms),
            ("p90", latency.p90_ms),
            ("p99", latency.p99_ms),
        )
    )
    text = f"Latency: {tails}"
    if latency.runs and latency.rounds:
        text += f" over {latency.runs:,} runs in {latency.rounds} rounds"
    if latency.ratio is not None:
        text += ", taken in turns with the baseline in one process"
    text += f"; {_threads(latency.threads)}, delegate {latency.delegate or 'none'}"
    return f"{text}, {latency.device or 'device unknown'}."


def _threads(threads: int | None) -> str:
    """``1 thread``, ``4 threads``."""
    return f"{threads or 1} thread{'s' * ((threads or 1) != 1)}"


def _how_memory(found: Measured) -> str:
    if found.peak_memory_bytes is None:
        return f"Peak memory: {NOT_MEASURED}."
    return f"Peak memory: {format_bytes(found.peak_memory_bytes)} while loading and running."


def _how_sizes(found: Measured) -> str:
    sizes = (
        (found.size_bytes, "as it ships"),
        (found.gzip_bytes, "gzip-compressed (level 9)"),
        (found.parameter_bytes, "of parameters"),
    )
    shown = [f"{format_bytes(size)} {word}" for size, word in sizes if size is not None]
    return f"Size: {', '.join(shown) or NOT_MEASURED}."
