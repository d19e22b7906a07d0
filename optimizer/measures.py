"""The measures there are: how each is read, shown, and which end of it is good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optimizer.data.objective import LOWER_IS_BETTER
from optimizer.format import (
    format_bytes,
    format_count,
    format_energy,
    format_metric,
    format_ms,
    format_seconds,
    format_times,
    is_share,
    metric_title,
)
from optimizer.measured import Measured, measured
from optimizer.store.records import Variant


@dataclass(frozen=True)
class Measure:
    """One measure of a variant.

    Attributes:
        key: its name in links and code.
        label: a word or two for a button.
        name: in full, without the unit.
        unit: of its values; empty for counts and plain numbers.
        read: a variant's measurements → the value in that unit, or ``None`` when not measured.
        show: the value with its unit, in words.
        larger_is_better: which end is good.
        logarithmic: whether values spread over orders of magnitude, and so belong on a log axis.
    """

    key: str
    label: str
    name: str
    unit: str
    read: Callable[[Measured], float | None]
    show: Callable[[float], str]
    larger_is_better: bool = False
    logarithmic: bool = False

    @property
    def title(self) -> str:
        """The name with the unit, as an axis title or a column's head."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


def measures(variants: Sequence[Variant], metric: str) -> dict[str, Measure]:
    """The measures that were taken in at least one of the variants, by key."""
    taken = [found for variant in variants if (found := measured(variant))]
    return {
        measure.key: measure
        for measure in (*_SIZES, _metric(metric), *_OTHERS)
        if any(measure.read(found) is not None for found in taken)
    }


def _kilobytes(attribute: str) -> Callable[[Measured], float | None]:
    def read(found: Measured) -> float | None:
        size: int | None = getattr(found, attribute)
        return None if size is None else size / 1000

    return read


def _show_kb(kilobytes: float) -> str:
    return format_bytes(1000 * kilobytes)


def _size(key: str, attribute: str, label: str, name: str) -> Measure:
    return Measure(key, label, name, "kB", _kilobytes(attribute), _show_kb, logarithmic=True)


def _metric(metric: str) -> Measure:
    share = 100.0 if is_share(metric) else 1.0

    def read(found: Measured) -> float | None:
        return None if found.value is None or found.metric != metric else share * found.value

    return Measure(
        "metric",
        metric_title(metric),
        metric_title(metric),
        "%" if is_share(metric) else "",
        read,
        lambda value: format_metric(metric, value / share),
        larger_is_better=metric not in LOWER_IS_BETTER,
    )


def _estimate(name: str, factor: float) -> Callable[[Measured], float | None]:
    def read(found: Measured) -> float | None:
        value = found.estimates.get(name)
        return None if value is None else factor * value

    return read


def _percent(attribute: str) -> Callable[[Measured], float | None]:
    def read(found: Measured) -> float | None:
        share: float | None = getattr(found, attribute)
        return None if share is None else 100 * share

    return read


_SIZES = (
    _size("size", "size_bytes", "Size", ".tflite as it ships"),
    _size("gzip", "gzip_bytes", "gzip size", ".tflite, gzip-compressed"),
    _size("parameters", "parameter_bytes", "Parameters", "Weights and biases alone"),
)
_OTHERS = (
    Measure(
        "latency",
        "Latency",
        "Latency p50",
        "ms",
        lambda found: found.latency.p50_ms if found.latency else None,
        format_ms,
        logarithmic=True,
    ),
    Measure(
        "ratio",
        "Latency ratio",
        "Latency, as a ratio to the baseline's",
        "",
        lambda found: found.latency.ratio if found.latency else None,
        format_times,
        logarithmic=True,
    ),
    Measure(
        "macs",
        "MACs",
        "Multiply-accumulates of one inference",
        "",
        lambda found: None if found.macs is None else float(found.macs),
        format_count,
        logarithmic=True,
    ),
    Measure(
        "memory",
        "Memory",
        "Peak memory",
        "kB",
        _kilobytes("peak_memory_bytes"),
        _show_kb,
        logarithmic=True,
    ),
    Measure(
        "agreement",
        "Agreement",
        "Same prediction as the baseline",
        "%",
        _percent("agreement"),
        lambda value: f"{value:.2f} %",
        larger_is_better=True,
    ),
    Measure(
        "sparsity",
        "Zeros",
        "Zeros among prunable weights",
        "%",
        _percent("sparsity"),
        lambda value: f"{value:.1f} %",
        larger_is_better=True,
    ),
    Measure(
        "energy",
        "Energy (estimate)",
        "Energy of one inference, an estimate",
        "µJ",
        _estimate("energy_uj", 1.0),
        format_energy,
        logarithmic=True,
    ),
    Measure(
        "ram",
        "Microcontroller RAM (estimate)",
        "RAM on a microcontroller, an estimate",
        "kB",
        _estimate("ram_bytes", 0.001),
        _show_kb,
        logarithmic=True,
    ),
    Measure(
        "time",
        "Time to make",
        "Time to make",
        "s",
        lambda found: sum(found.seconds.values()) if found.seconds else None,
        format_seconds,
        logarithmic=True,
    ),
)
