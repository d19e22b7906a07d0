"""Sweeps to start from, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optimizer.errors import InputError
from optimizer.grid import Grid
from optimizer.recipe import Recipe
from optimizer.vary import NO_CLUSTERING, NO_PRUNING
from optimizer.vary_grid import vary

_INT8_QAT = "int8, quantization-aware training"


@dataclass(frozen=True)
class SweepPreset:
    """Settings to vary, and the recipe for the others.

    Attributes:
        varied: name of a setting → values, see :data:`optimizer.vary.SETTINGS`.
        reason: why one would choose it.
        base: the recipe that everything else is taken from.
    """

    varied: Mapping[str, tuple[str, ...]]
    reason: str
    base: Recipe = field(default_factory=Recipe)


def _based_on(**parts: Any) -> Recipe:
    return Recipe.parse(parts)


SWEEP_PRESETS = {
    "Sparsity × clusters × quantization": SweepPreset(
        {
            "sparsity": (NO_PRUNING, "50", "80"),
            "number_of_clusters": (NO_CLUSTERING, "16"),
            "quantization": ("None (float32)", "float16", "Dynamic range", "int8", _INT8_QAT),
        },
        "Thirty variants: every technique alone and together. Pruned and clustered models are "
        "trained once for all five quantizations.",
    ),
    "Every quantization": SweepPreset(
        {
            "quantization": (
                "None (float32)",
                "float16",
                "Dynamic range",
                "int8",
                _INT8_QAT,
                "int16×8",
            )
        },
        "Six variants, of which one trains: what each way to store numbers costs this model.",
    ),
    "How sparse": SweepPreset(
        {"sparsity": (NO_PRUNING, "25", "50", "60", "70", "80", "90", "95")},
        "Eight int8 variants: how much can be pruned before accuracy falls.",
        _based_on(quantize={"mode": "int8"}),
    ),
    "How few clusters": SweepPreset(
        {"number_of_clusters": (NO_CLUSTERING, "4", "8", "16", "32", "64")},
        "Six int8 variants: how few distinct weights are enough.",
        _based_on(quantize={"mode": "int8"}),
    ),
    "Fewer channels": SweepPreset(
        {
            "sparsity": (NO_PRUNING, "25", "50", "70"),
            "quantization": ("None (float32)", "int8"),
        },
        "Eight variants with channels removed: the way to lower latency on any hardware.",
        _based_on(
            prune={
                "structure": {"kind": "channels"},
                "criterion": "gradient",
                "scope": "global",
            },
            fine_tune={"epochs": 5},
        ),
    ),
}
"""Name → preset."""


def preset_of(base: Mapping[str, Any], varied: Mapping[str, Sequence[str]]) -> str | None:
    """The preset that gives the very recipes of a sweep, or ``None``.

    Args:
        base: a recipe as plain data.
        varied: see :func:`optimizer.vary_grid.vary`.
    """
    for name, preset in SWEEP_PRESETS.items():
        if {key: tuple(values) for key, values in varied.items()} == dict(preset.varied):
            try:
                found = Grid.parse(vary(base, varied)).expand()
            except InputError:
                return None
            own = vary(preset.base.model_dump(mode="json"), preset.varied)
            return name if found == Grid.parse(own).expand() else None
    return None
