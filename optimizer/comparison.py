"""Variants against their baseline, as a table and as a suggestion: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd

from optimizer.format import format_times, is_share, latency_column, metric_title
from optimizer.measured import Measured, measured, state_text
from optimizer.quality import lost
from optimizer.store.records import Variant

NOT_MEASURED = "not measured"
_P50 = "Latency p50"
SizeKey = Literal["size_bytes", "gzip_bytes", "parameter_bytes"]


def comparison_table(variants: Sequence[Variant]) -> pd.DataFrame:
    """One row per variant: measures and differences to the baseline, numbers with units named.

    Columns of a measure that was not taken hold ``None``; ``State`` says why.
    """
    baseline = next((v for v in variants if v.is_baseline and v.results), None)
    base = measured(baseline)
    metric = study_metric(variants)
    table = pd.DataFrame([_row(variant, base, metric) for variant in variants])
    if _P50 in table:
        unit, factor, _ = latency_column(table[_P50])
        table[_P50] = factor * table[_P50].astype(float)
        table = table.rename(columns={_P50: f"{_P50} ({unit})"})
    if "State" in table and (table["State"] == "done").all():
        table = table.drop(columns="State")
    return table


def study_metric(variants: Sequence[Variant]) -> str:
    """The metric that a study's variants are measured by."""
    return next((found.metric for v in variants if (found := measured(v))), "accuracy")


def suggested(variants: Sequence[Variant]) -> Variant | None:
    """The smallest download that costs at most one point of accuracy (2 % of an error).

    A file that breaks one of its recipe's promises is not suggested.

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
        if found.gzip_bytes is not None
        and lost(found.value, base.value, base.higher_is_better) <= 0.01
        and not found.broken
    ]
    return done[min(good)[1]][0] if good else done[0][0]


def metric_column(metric: str) -> str:
    """The table's column of the task's metric."""
    return metric_title(metric) + (" (%)" if is_share(metric) else "")


def difference_column(metric: str) -> str:
    """The table's column of the metric's difference to the baseline."""
    return "Δ " + metric_title(metric) + (" (points)" if is_share(metric) else "")


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


def _row(variant: Variant, base: Measured | None, metric: str) -> dict[str, Any]:
    found = measured(variant)
    row: dict[str, Any] = {"id": variant.id, "Variant": variant.name, "State": state_text(variant)}
    if found is None:
        return row
    column, share = metric_column(metric), 100 if is_share(metric) else 1
    latency = found.latency
    row |= {
        "Size (kB)": _scaled(found.size_bytes, 0.001),
        "Smaller (×)": _ratio(base, found, "size_bytes"),
        "gzip (kB)": _scaled(found.gzip_bytes, 0.001),
        "gzip smaller (×)": _ratio(base, found, "gzip_bytes"),
        column: _scaled(found.value, share),
        difference_column(metric): _difference(found, base, share),
        _P50: latency.p50_ms if latency else None,
        "Latency": "" if variant.is_baseline else latency_verdict(found),
        "Latency ratio": latency.ratio if latency else None,
        "Agreement (%)": _scaled(found.agreement, 100),
        "Peak memory (kB)": _scaled(found.peak_memory_bytes, 0.001),
        "Zeros (%)": _scaled(found.sparsity, 100),
        "Distinct weights": found.max_distinct_weights,
        "Multiply-accumulates (k)": _scaled(found.macs, 0.001),
        "Time to make (s)": sum(found.seconds.values()),
    }
    return row


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else factor * value


def _ratio(base: Measured | None, found: Measured, key: SizeKey) -> float | None:
    reference: int | None = getattr(base, key) if base else None
    size: int | None = getattr(found, key)
    return reference / size if reference and size else None


def _difference(found: Measured, base: Measured | None, share: float) -> float | None:
    if base is None or base.value is None or found.value is None:
        return None
    return share * (found.value - base.value)
