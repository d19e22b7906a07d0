"""A study's variants as columns of numbers, which a thousand of them need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.comparison import study_metric
from optimizer.measured import Measured, marked_name, measured
from optimizer.measures import Measure, measures
from optimizer.pareto import pareto_front
from optimizer.store.records import Variant

FACETS: dict[str, str] = {
    "quantization": "Quantization",
    "pruning": "Pruning",
    "clustered": "Clustering",
    "promises": "Promises",
    "state": "State",
}
"""What variants can be filtered by → what the screen calls it."""

FACET_VALUES: dict[str, dict[str, str]] = {
    "quantization": {
        "none": "float32",
        "float16": "float16",
        "dynamic": "dynamic range",
        "int8": "int8",
        "int8_qat": "int8 QAT",
        "int16x8": "int16×8",
    },
    "pruning": {
        "none": "not pruned",
        "unstructured": "single weights",
        "block": "blocks",
        "n_m": "n:m pattern",
        "channels": "channels",
    },
    "clustered": {"yes": "clustered", "no": "not clustered"},
    "promises": {"kept": "kept", "broken": "not kept"},
    "state": {state: state for state in ("done", "running", "queued", "failed", "cancelled")},
}
"""Facet → its values, in the order they are offered → what the screen calls them."""


@dataclass(frozen=True, eq=False)
class Table:
    """All variants of a study. Treat it as a value: it is shared between sessions.

    Attributes:
        names: one per variant, all different; a broken promise is marked.
        measures: those taken in at least one variant.
        values: measure → float64, shape (variants,); NaN where not measured (yet).
        intervals: ``metric`` and ``ratio`` → 95 % intervals, shape (variants, 2); NaN where none.
        baseline: its place, or ``None`` when it has no results.
        facets: facet → bool per value that occurs, shape (variants,).
    """

    variants: tuple[Variant, ...]
    ids: tuple[str, ...]
    names: tuple[str, ...]
    measures: Mapping[str, Measure]
    values: Mapping[str, np.ndarray]
    intervals: Mapping[str, np.ndarray]
    baseline: int | None
    facets: Mapping[str, Mapping[str, np.ndarray]]
    places: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.variants)

    def filtered(self, chosen: Mapping[str, Sequence[str]]) -> np.ndarray:
        """Which variants have one of the chosen values in each facet; no choice means all."""
        kept = np.ones(len(self), bool)
        for facet, values in chosen.items():
            found = [self.facets[facet][value] for value in values if value in self.facets[facet]]
            if found:
                kept &= np.any(found, axis=0)
        return kept

    def measured_in(self, keys: Sequence[str]) -> np.ndarray:
        """Which variants have all of these measures."""
        return np.all([np.isfinite(self.values[key]) for key in keys], axis=0)

    def costs(self, key: str) -> np.ndarray:
        """A measure with the sign that makes smaller better."""
        sign = -1.0 if self.measures[key].larger_is_better else 1.0
        return sign * self.values[key]

    def front(self, keys: Sequence[str], among: np.ndarray) -> np.ndarray:
        """Which of the variants ``among`` (flags) no other of them dominates in ``keys``."""
        places = np.flatnonzero(among & self.measured_in(keys))
        flags = np.zeros(len(self), bool)
        costs = np.column_stack([self.costs(key)[places] for key in keys])
        flags[places] = pareto_front(costs)
        return flags


def explore_table(variants: Sequence[Variant]) -> Table:
    """Read the variants once."""
    variants = tuple(variants)
    metric = study_metric(variants)
    found = [measured(variant) for variant in variants]
    known = measures(variants, metric)
    baseline = next(
        (place for place, v in enumerate(variants) if v.is_baseline and found[place]), None
    )
    values = {key: _column(measure, found) for key, measure in known.items()}
    _complete_baseline(values, baseline)
    scale = 100.0 if known.get("metric") and known["metric"].unit == "%" else 1.0
    return Table(
        variants,
        tuple(variant.id for variant in variants),
        _different([marked_name(variant) for variant in variants]),
        known,
        values,
        {
            "metric": scale * _pairs([item.interval if item else None for item in found]),
            "ratio": _pairs(
                [item.latency.ratio_ci if item and item.latency else None for item in found]
            ),
        },
        baseline,
        _facets(variants, found),
        {variant.id: place for place, variant in enumerate(variants)},
    )


def _column(measure: Measure, found: Sequence[Measured | None]) -> np.ndarray:
    column = np.array(
        [np.nan if item is None else measure.read(item) for item in found], dtype=float
    )
    return np.where(column > 0, column, np.nan) if measure.logarithmic else column


def _complete_baseline(values: Mapping[str, np.ndarray], baseline: int | None) -> None:
    """The baseline's ratio to itself is 1, and it agrees with itself, without measuring."""
    if baseline is None:
        return
    if "agreement" in values:
        values["agreement"][baseline] = 100.0
    if "ratio" in values and "latency" in values and np.isfinite(values["latency"][baseline]):
        values["ratio"][baseline] = 1.0


def _pairs(pairs: Sequence[tuple[float, float] | None]) -> np.ndarray:
    return np.array([pair or (np.nan, np.nan) for pair in pairs], float).reshape(-1, 2)


def _different(names: Sequence[str]) -> tuple[str, ...]:
    """Names with a number where several variants share one."""
    counts, seen = Counter(names), Counter[str]()
    different = []
    for name in names:
        seen[name] += 1
        different.append(f"{name} ({seen[name]})" if counts[name] > 1 else name)
    return tuple(different)


def _facets(
    variants: Sequence[Variant], found: Sequence[Measured | None]
) -> dict[str, dict[str, np.ndarray]]:
    rows = [_facet_row(variant, item) for variant, item in zip(variants, found, strict=True)]
    facets = {}
    for place, facet in enumerate(FACETS):
        column = np.array([row[place] for row in rows], dtype=object)
        present = [value for value in FACET_VALUES[facet] if (column == value).any()]
        facets[facet] = {value: column == value for value in present}
    return facets


def _facet_row(variant: Variant, found: Measured | None) -> tuple[str, str, str, str, str]:
    """The variant's value of each facet, in the order of :data:`FACETS`."""
    recipe = variant.recipe
    return (
        "int8_qat" if recipe.quantize.aware else recipe.quantize.mode,
        recipe.prune.structure.kind if recipe.prune else "none",
        "yes" if recipe.cluster else "no",
        "broken" if found and found.broken else "kept",
        variant.state,
    )
