"""Numbers as a person reads them, each with its unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any


def format_bytes(size_bytes: float) -> str:
    """Bytes in decimal units, as download sizes are given: ``227.8 kB``, ``1.58 MB``."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if abs(value) < 1000:
            digits = 0 if unit == "B" else 1 if abs(value) >= 10 else 2
            return f"{value:.{digits}f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"


def format_count(count: float) -> str:
    """A large count in three significant digits: ``950``, ``493 k``, ``1.72 M``, ``5.6 G``."""
    value = float(count)
    for unit in ("", " k", " M"):
        if abs(value) < 999.5:
            return f"{float(f'{value:.3g}'):g}{unit}"
        value /= 1000
    return f"{float(f'{value:.3g}'):g} G"


def format_ms(milliseconds: float) -> str:
    """A latency in three significant digits: ``2.51 µs``, ``0.452 ms``, ``12.3 ms``, ``11.2 s``."""
    if milliseconds >= 10_000:
        return f"{milliseconds / 1000:.1f} s"
    if milliseconds < 0.1:
        return f"{float(f'{1000 * milliseconds:.3g}'):g} µs"
    return f"{float(f'{milliseconds:.3g}'):g} ms"


def latency_column(milliseconds: Iterable[float | None]) -> tuple[str, float, str]:
    """How a column of latencies is written, all in the unit that fits the longest of them.

    Returns:
        The unit, the factor from milliseconds to it, and the printf format of its numbers.
    """
    known = [value for value in milliseconds if value is not None and not math.isnan(value)]
    longest = max(known, default=0.0)
    return ("ms", 1.0, "%.2f") if longest >= 1 else ("µs", 1000.0, "%.2f")


def format_energy(microjoules: float) -> str:
    """An energy in three significant digits: ``32 nJ``, ``0.875 µJ``, ``38.7 µJ``, ``1.2 mJ``."""
    if abs(microjoules) < 0.1:
        return f"{float(f'{1e3 * microjoules:.3g}'):g} nJ"
    if abs(microjoules) < 999.5:
        return f"{float(f'{microjoules:.3g}'):g} µJ"
    return f"{float(f'{1e-3 * microjoules:.3g}'):g} mJ"


def format_seconds(seconds: float) -> str:
    """A duration: ``40 ms``, ``0.4 s``, ``12 s``, ``3 min 20 s``, ``1 h 05 min``."""
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def format_times(ratio: float) -> str:
    """How many times: ``13.4×``; two digits below 10."""
    return f"{ratio:.2f}×" if ratio < 10 else f"{ratio:.1f}×"


def format_points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign: ``−0.5 points``."""
    points = 100 * difference
    sign = "+" if points > 0 else "−" if points < 0 else "±"
    return f"{sign}{abs(points):.2f} points"


def format_metric(name: str, value: float) -> str:
    """Accuracies as a percentage, other figures with four significant digits."""
    return f"{100 * value:.2f} %" if is_share(name) else f"{value:.4g}"


def is_share(metric: str) -> bool:
    """Whether a metric is a share of samples or labels, and so shown in per cent."""
    return metric.endswith("accuracy")


def format_when(iso_time: str) -> str:
    """How long ago a UTC ISO 8601 time was; its date when longer than a week, or still to come."""
    moment = datetime.fromisoformat(iso_time)
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if seconds < -86_400:  # the clock was set back since
        return f"{moment:%Y-%m-%d}"
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 86_400:
        return f"{seconds // 3600:.0f} h ago"
    if seconds < 7 * 86_400:
        return f"{seconds // 86_400:.0f} d ago"
    return f"{moment:%Y-%m-%d}"


METRIC_TITLES = {
    "accuracy": "Accuracy",
    "mae": "Mean absolute error",
    "mse": "Mean squared error",
    "r2": "R²",
    "auc": "AUC",
    "f1_macro": "F1, mean over classes",
    "f1_micro": "F1 over all labels",
    "subset_accuracy": "Accuracy, all labels right",
    "label_accuracy": "Accuracy per label",
}
"""Metric name → what the screen calls it."""


def metric_title(name: str) -> str:
    """What the screen calls a metric; a metric from elsewhere keeps its own name."""
    return METRIC_TITLES.get(name, name)


def lowered(title: str) -> str:
    """A title within a sentence; abbreviations such as ``AUC`` and ``R²`` keep their capitals."""
    return title[0].lower() + title[1:] if title[1:2].islower() else title


def metric_words(name: str) -> str:
    """A metric's title within a sentence: ``accuracy``, ``F1, mean over classes``, ``AUC``."""
    return lowered(metric_title(name))


def verification_sentence(verification: Mapping[str, Any]) -> str:
    """How exactly a converted model repeats the uploaded one's outputs."""
    samples, difference = verification["samples"], verification["max_abs_difference"]
    if difference == 0:
        return f"On {samples} random inputs its outputs are identical to the uploaded model's."
    text = (
        f"On {samples} random inputs its outputs differ from the uploaded model's by at most "
        f"{difference:.1e}"
    )
    relative, tolerance = (
        verification.get("max_relative_difference"),
        verification.get("tolerance"),
    )
    if relative is not None and tolerance is not None:
        text += f" (relative {relative:.1e}; more than {tolerance:.0e} would have been refused)"
    return text + "."
