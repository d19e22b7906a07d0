"""A variant's measurements as a value with ``None`` wherever something was not measured.

Results come from this machine's engine, from imported archives and from training that
diverged, so any of them may be missing; charts and tables read them through this door.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.data.objective import LOWER_IS_BETTER
from optimizer.store.records import Variant


@dataclass(frozen=True)
class Latency:
    """How long one inference takes, and how that compares with the baseline.

    Attributes:
        ratio: this variant's p50 divided by the baseline's, measured in turns.
        significant: whether the ratio differs from 1 beyond the noise.
        window: latencies with the same one were measured together; older ones have none.
    """

    p50_ms: float
    p90_ms: float | None
    p99_ms: float | None
    ratio: float | None
    ratio_ci: tuple[float, float] | None
    significant: bool | None
    runs: int | None
    rounds: int | None
    threads: int | None
    device: str | None
    delegate: str | None
    window: str | None = None


@dataclass(frozen=True)
class Promise:
    """What a recipe promised, and what was read out of the file about it."""

    promise: str
    kept: bool
    found: str


@dataclass(frozen=True)
class Measured:
    """What was measured on a variant's ``.tflite``.

    Attributes:
        metric: the headline, one of :data:`optimizer.data.objective.METRICS`.
        value: of the metric; shares from 0 to 1.
        interval: 95 % interval of the metric.
        sparsity: share of zeros among prunable weights, as read from the file.
        seconds: stage name → how long it took when it ran.
        cached: names of the stages whose results were there already.
        macs: multiply-accumulates of one inference, counted from the file's operators.
        promises: what the recipe promised; older variants have none.
        estimates: ``flash_bytes``, ``ram_bytes`` and ``energy_uj`` on a microcontroller, not
            measured; see :func:`optimizer.deploy.fit.estimates`. Older variants have none.
    """

    size_bytes: int | None
    gzip_bytes: int | None
    parameter_bytes: int | None
    metric: str
    value: float | None
    interval: tuple[float, float] | None
    higher_is_better: bool
    samples: int | None
    agreement: float | None
    mean_abs_difference: float | None
    latency: Latency | None
    peak_memory_bytes: int | None
    sparsity: float | None
    max_distinct_weights: int | None
    seconds: Mapping[str, float]
    cached: tuple[str, ...]
    notes: tuple[str, ...]
    macs: int | None
    promises: tuple[Promise, ...]
    estimates: Mapping[str, float | None]

    @property
    def broken(self) -> tuple[Promise, ...]:
        """The promises that the file does not keep."""
        return tuple(promise for promise in self.promises if not promise.kept)


@dataclass(frozen=True)
class LatencyWindows:
    """In how many sittings the latencies of variants were measured.

    Attributes:
        measured: variants whose latency is known.
        count: sittings; one for each variant where it is not known.
    """

    measured: int
    count: int

    @property
    def together(self) -> bool:
        """Whether all were measured in one sitting."""
        return self.measured > 0 and self.count == 1


def latency_windows(variants: Iterable[Variant]) -> LatencyWindows:
    """In how many sittings the latencies of variants were measured."""
    windows = []
    for variant in variants:
        found = measured(variant)
        if found and found.latency:
            windows.append(found.latency.window or variant.id)
    return LatencyWindows(len(windows), len(set(windows)))


def state_text(variant: Variant) -> str:
    """A variant's state, with the promises that were not kept."""
    found = measured(variant)
    if variant.state != "done" or found is None or not found.broken:
        return variant.state
    return "done, promise not kept: " + "; ".join(promise.promise for promise in found.broken)


def marked_name(variant: Variant) -> str:
    """A variant's name, with a mark when its file breaks a promise."""
    found = measured(variant)
    return f"{variant.name} (promise not kept)" if found and found.broken else variant.name


def measured(variant: Variant | None) -> Measured | None:
    """The measurements of a variant, or ``None`` when it has none yet.

    A page asks this several times of each of a thousand variants, so the answer is kept with the
    variant, which is a value: what the store says later is another one.
    """
    if variant is None or not variant.results:
        return None
    kept: dict[str, Any] = variant.__dict__
    if _KEPT not in kept:
        kept[_KEPT] = _read(variant.results)
    found: Measured = kept[_KEPT]
    return found


_KEPT = "_measured"


def _read(results: Mapping[str, Any]) -> Measured:
    metrics = results.get("metrics") or {}
    metric = results.get("metric") or next(iter(metrics), "accuracy")
    return Measured(
        size_bytes=results.get("size_bytes"),
        gzip_bytes=results.get("gzip_bytes"),
        parameter_bytes=results.get("parameter_bytes"),
        metric=metric,
        value=metrics.get(metric),
        interval=_pair(results.get("metric_interval")),
        higher_is_better=bool(results.get("higher_is_better", metric not in LOWER_IS_BETTER)),
        samples=results.get("accuracy_n"),
        agreement=results.get("agreement"),
        mean_abs_difference=results.get("mean_abs_difference"),
        latency=_latency(results.get("latency_ms") or {}),
        peak_memory_bytes=results.get("peak_memory_bytes"),
        sparsity=results.get("sparsity"),
        max_distinct_weights=results.get("max_distinct_weights"),
        seconds=results.get("seconds") or {},
        cached=tuple(results.get("cached") or ()),
        notes=tuple(results.get("notes") or ()),
        macs=results.get("macs"),
        promises=tuple(
            Promise(str(item.get("promise")), bool(item.get("kept")), str(item.get("found")))
            for item in results.get("promises") or ()
            if isinstance(item, Mapping)
        ),
        estimates=results.get("estimates") or {},
    )


def _latency(found: Mapping[str, Any]) -> Latency | None:
    if not found.get("p50"):
        return None
    return Latency(
        p50_ms=found["p50"],
        p90_ms=found.get("p90"),
        p99_ms=found.get("p99"),
        ratio=found.get("ratio") or None,
        ratio_ci=_pair(found.get("ratio_ci")),
        significant=found.get("significant"),
        runs=found.get("runs"),
        rounds=found.get("rounds"),
        threads=found.get("threads"),
        device=found.get("device"),
        delegate=found.get("delegate"),
        window=found.get("window"),
    )


def _pair(value: Any) -> tuple[float, float] | None:
    if not value or len(value) != 2 or None in value:
        return None
    return float(value[0]), float(value[1])
