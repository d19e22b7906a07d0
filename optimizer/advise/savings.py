"""What recipes save, so that one that cannot beat a measured variant is not advised."""

from __future__ import annotations

import math
from operator import ge

from optimizer.advise.case import Case
from optimizer.advise.situation import Situation
from optimizer.advise.wish import Priority, Wish
from optimizer.format import format_bytes
from optimizer.measured import Measured, measured
from optimizer.recipe import Recipe
from optimizer.store.records import Variant

_BITS = {"none": 32, "float16": 16, "dynamic": 8, "int8": 8, "int16x8": 8}
_COMPRESSED_BITS = {"none": 24, "float16": 12, "dynamic": 6, "int8": 6, "int16x8": 6}
_ACTIVATION_BITS = {"none": 32, "float16": 32, "dynamic": 32, "int8": 8, "int16x8": 16}
_SPEED = {"none": 0, "float16": 0, "int16x8": 0, "dynamic": 1, "int8": 2}
_SPEED_ON_GPU = {"none": 1, "float16": 2, "int16x8": 0, "dynamic": 0, "int8": 0}
"""Modes in the order of the speed that is documented, for CPUs and for GPUs."""


def a_measured_one_saves_as_much(case: Case) -> str | None:
    """What saves no more than a measured variant that keeps the limit need not be tried."""
    if case.wish.priority == "accuracy":
        return None
    own = savings(case.wish, case.recipe)
    best = next((v for v, its in _suiting(case) if all(map(ge, its, own))), None)
    if best is None:
        return None
    return f"“{best.name}” saves at least as much, and is measured to lose no more than it may."


def a_measured_one_is_smaller(case: Case) -> str | None:
    """What cannot become smaller than a measured variant that keeps the limit need not be tried."""
    priority = case.wish.priority
    if priority not in ("download", "flash"):
        return None
    least = least_bytes(case)
    known = [
        (size, variant)
        for variant, _ in _suiting(case)
        if (size := _size(variant, priority)) is not None
    ]
    if least is None or not known:
        return None
    size, best = min(known, key=lambda item: item[0])
    if least < size:
        return None
    return (
        f"Its weights alone are estimated to take {format_bytes(least)}; “{best.name}” is measured "
        f"at {format_bytes(size)}."
    )


def least_bytes(case: Case) -> float | None:
    """About how few bytes the weights can take, compressed or as they ship; ``None``: not known.

    Compressed, that is the entropy of zeros and clusters; weights that are neither are taken to
    compress to the bits of :data:`_COMPRESSED_BITS`, fewer than they did in experiments. Removed
    channels are taken to remove as large a share of the weights as of the arithmetic.
    """
    recipe, values = case.recipe, sum(weight.values for weight in case.situation.weights)
    if not values:
        return None
    final = recipe.prune.schedule.final if recipe.prune else 0.0
    zeros, removed = (final, 0.0) if recipe.leaves_zeros else (0.0, final)
    if case.wish.priority == "flash":
        stored = 1 - zeros if recipe.sparse_encoding else 1.0
        return values * (1 - removed) * stored * _BITS[case.mode] / 8
    count = recipe.cluster.number_of_clusters - (zeros > 0) if recipe.cluster else None
    others = float(_COMPRESSED_BITS[case.mode])
    others = min(others, math.log2(count)) if count else others
    bits = (1 - zeros) * others + _entropy(zeros)
    return values * (1 - removed) * bits / 8


def _entropy(share: float) -> float:
    """Bits of a yes or no of which so many are yes."""
    return -sum(p * math.log2(p) for p in (share, 1 - share) if p > 0)


def _size(variant: Variant, priority: Priority) -> int | None:
    found = measured(variant)
    if found is None:
        return None
    return found.gzip_bytes if priority == "download" else found.size_bytes


def _suiting(case: Case) -> list[tuple[Variant, tuple[float, ...]]]:
    """The measured variants that suit a wish, with what each saves."""
    memory = case.situation.memory
    if case.wish not in memory:
        memory[case.wish] = [
            (variant, savings(case.wish, variant.recipe))
            for variant in case.situation.done
            if suits(case.situation, case.wish, variant)
        ]
    found: list[tuple[Variant, tuple[float, ...]]] = memory[case.wish]
    return found


def suits(situation: Situation, wish: Wish, variant: Variant) -> bool:
    """Whether a measured variant is better than the baseline in what matters most.

    It keeps the limit and its promises, and has inputs and outputs that the target takes.
    """
    found = measured(variant)
    if found is None or found.broken or variant.is_baseline:
        return False
    if not _improves(found, measured(situation.baseline), wish):
        return False
    if wish.target in ("micro", "npu") and variant.recipe.quantize.io == "float32":
        return False
    if wish.may_lose is None:
        return True
    loss = situation.loss(variant)
    return loss is not None and loss <= wish.may_lose + 1e-9


def _improves(found: Measured, base: Measured | None, wish: Wish) -> bool:
    """Whether a variant is better than the baseline in what matters most, as far as is known.

    Time and memory on other hardware are not known; it is enough that the arithmetic is no more.
    """
    if base is None:
        return False
    if wish.priority == "accuracy":
        return found.value is not None
    if wish.priority == "latency" and wish.target == "cpu":
        latency = found.latency
        return bool(latency and latency.significant and (latency.ratio or 1.0) < 1)
    if wish.priority in ("latency", "memory") and wish.target != "cpu":
        return found.macs is not None and base.macs is not None and found.macs <= base.macs
    measures = {
        "download": (found.gzip_bytes, base.gzip_bytes),
        "flash": (found.size_bytes, base.size_bytes),
        "memory": (found.peak_memory_bytes, base.peak_memory_bytes),
    }
    own, reference = measures[wish.priority]
    return own is not None and reference is not None and own < reference


def savings(wish: Wish, recipe: Recipe) -> tuple[float, ...]:
    """How much a recipe saves in each way that counts for a wish; larger is more."""
    mode, final = recipe.quantize.mode, recipe.prune.schedule.final if recipe.prune else 0.0
    zeros, removed = (final, 0.0) if recipe.leaves_zeros else (0.0, final)
    shared = 1 / recipe.cluster.number_of_clusters if recipe.cluster else 0.0
    if wish.priority == "download":
        return zeros, removed, shared, -_BITS[mode]
    if wish.priority == "flash":
        return (zeros if recipe.sparse_encoding else 0.0), removed, -_BITS[mode]
    if wish.target == "gpu":
        return removed, _SPEED_ON_GPU[mode]
    if wish.priority == "latency":
        return removed, _SPEED[mode]
    return removed, -_ACTIVATION_BITS[mode]
