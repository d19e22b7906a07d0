"""What half the multiply-accumulates bring: the preset “Lowest latency” on ``digits_mobilenet``."""

from __future__ import annotations

from benchmarks.findings import row
from benchmarks.live import bundled_study, quiet
from optimizer.measured import Measured, measured
from optimizer.presets import PRESETS
from optimizer.recipe import Quantize
from optimizer.session import run_recipes
from optimizer.store import Store

_WANTED_RATIO, _WANTED_POINTS = 0.7, 1.5


def narrowing(store: Store) -> None:
    """Rows for removed channels in float32, which the target is about, and then in int8."""
    study = bundled_study(store, "digits_mobilenet")
    preset = PRESETS["Lowest latency"].recipe
    in_float = preset.model_copy(update={"quantize": Quantize(mode="none")})
    baseline, *variants = (
        measured(variant) for variant in run_recipes(store, study, [in_float, preset], quiet)
    )
    for title, variant in zip(("float32", "int8"), variants, strict=True):
        what = f"half the multiply-accumulates removed, {title}"
        if baseline is None or variant is None:
            row(what, "failed")
            continue
        row(what, _figures(baseline, variant))


def _figures(baseline: Measured, variant: Measured) -> str:
    assert variant.latency is not None
    assert variant.latency.ratio is not None
    assert variant.latency.ratio_ci is not None
    low, high = variant.latency.ratio_ci
    points = 100 * ((variant.value or 0.0) - (baseline.value or 0.0))
    reached = variant.latency.ratio <= _WANTED_RATIO and points >= -_WANTED_POINTS
    return (
        f"{(variant.macs or 0) / (baseline.macs or 1):.2f} of the multiply-accumulates, "
        f"latency × {variant.latency.ratio:.2f} ({low:.2f} to {high:.2f}), "
        f"accuracy {points:+.1f} points of {100 * (baseline.value or 0.0):.1f} %: "
        f"{'reached' if reached else 'NOT REACHED'}"
    )
