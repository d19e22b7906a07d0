"""The advice itself: what is measured and suits, what to try, and what is left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from optimizer.advise.case import IMPOSSIBLE, OUT, Case, Reason
from optimizer.advise.documents import COUNTED
from optimizer.advise.ladder import candidates
from optimizer.advise.rules import against_target, reasons
from optimizer.advise.savings import suits
from optimizer.advise.situation import Situation
from optimizer.advise.wish import Wish
from optimizer.feasible import objections
from optimizer.format import format_bytes, format_count, format_metric, format_times
from optimizer.measured import Measured, measured
from optimizer.recipe import Recipe
from optimizer.store.records import Variant

MOST = 5
FEWEST = 3
"""A short list has so many recipes where there are, the measured ones counted."""


@dataclass(frozen=True)
class Advice:
    """One recipe to try.

    Attributes:
        points: the sum of the reasons' points.
    """

    recipe: Recipe
    reasons: tuple[Reason, ...]
    points: int


@dataclass(frozen=True)
class LeftOut:
    """A recipe that is not advised, and the weightiest reason."""

    recipe: Recipe
    reason: Reason


@dataclass(frozen=True)
class Standing:
    """The measured variant that comes first for a wish.

    Attributes:
        figure: what matters most of it, in words.
    """

    variant: Variant
    figure: str


@dataclass(frozen=True)
class Report:
    """The answer to a wish.

    Attributes:
        standing: of what is measured and suits, the first first.
        advice: what to try, the first first.
        left_out: what is not advised, or not possible with the model.
        impossible: why nothing can be done to the model at all, where that is so.
    """

    standing: tuple[Standing, ...]
    advice: tuple[Advice, ...]
    left_out: tuple[LeftOut, ...]
    impossible: str | None = None


def report(situation: Situation, wish: Wish) -> Report:
    """What to do for a wish in a study.

    Every advised recipe is valid, can act on the model and its data, and is not in the study.
    """
    judged: list[tuple[str, Advice]] = []
    left_out: list[LeftOut] = []
    refused: list[LeftOut] = []
    for candidate in candidates(situation, wish):
        problems = objections(candidate.recipe, situation.model_facts, situation.task)
        if problems:
            refused.append(LeftOut(candidate.recipe, _refusal(problems[0])))
            continue
        said = reasons(Case(candidate.recipe, situation, wish, candidate.step))
        points = sum(reason.points for reason in said)
        if points > 0:
            judged.append((candidate.family, Advice(candidate.recipe, tuple(said), points)))
        elif said and (worst := min(said, key=lambda reason: reason.points)).points < 0:
            left_out.append(LeftOut(candidate.recipe, worst))
    everything = not judged and not left_out and not situation.done[1:]
    standing = _standing(situation, wish)
    advice = _short_list(judged, MOST - bool(standing))
    return Report(
        standing[: max(1, FEWEST - len(advice))],
        advice,
        (*sorted(left_out, key=lambda item: item.reason.points <= OUT), *refused),
        refused[0].reason.text if everything and refused else None,
    )


def _refusal(problem: str) -> Reason:
    """Why a recipe cannot run on the model or its data, as a reason."""
    return Reason(problem, COUNTED, IMPOSSIBLE, "objections")


def _short_list(judged: Sequence[tuple[str, Advice]], most: int) -> tuple[Advice, ...]:
    """The best of each kind, with room for one that needs no training.

    Recipes that do the same to the weights and differ in how they are quantized are of a kind.
    """
    ordered = sorted(judged, key=lambda item: (-item[1].points, _trainings(item[1].recipe)))
    kinds: set[str] = set()
    chosen: list[Advice] = []
    for family, advice in ordered:
        kind = family.rpartition(" · ")[0]
        if kind and kind in kinds:
            continue
        kinds.add(kind)
        chosen.append(advice)
    short = chosen[:most]
    quick = [advice for advice in chosen if not advice.recipe.trains]
    if quick and all(advice.recipe.trains for advice in short):
        short = [*short[: most - 1], quick[0]]
    return tuple(short)


def _trainings(recipe: Recipe) -> int:
    return (recipe.prune is not None) + (recipe.cluster is not None) + recipe.quantize.aware


def _standing(situation: Situation, wish: Wish) -> tuple[Standing, ...]:
    """The measured variants that suit, the first first."""
    found = []
    for index, variant in enumerate(situation.done):
        case, taken = Case(variant.recipe, situation, wish), measured(variant)
        against = against_target(case)
        if taken is None or not suits(situation, wish, variant) or against <= IMPOSSIBLE:
            continue
        main = _main_cost(taken, wish)
        if math.isfinite(main):
            order = (-against, main) if wish.priority in ("latency", "memory") else (main, -against)
            size = float(taken.size_bytes or math.inf)
            found.append(((*order, size, index), Standing(variant, _figure(taken, wish))))
    return tuple(standing for _, standing in sorted(found, key=lambda item: item[0]))


def _main_cost(found: Measured, wish: Wish) -> float:
    if wish.priority == "download":
        return _known(found.gzip_bytes)
    if wish.priority == "flash":
        return _known(found.size_bytes)
    if wish.priority == "accuracy":
        value = _known(found.value)
        return -value if found.higher_is_better and math.isfinite(value) else value
    if wish.target != "cpu":  # time and memory there are not measured here; arithmetic is the same
        return _known(found.macs)
    if wish.priority == "latency":
        return _known(found.latency.ratio if found.latency else None)
    return _known(found.peak_memory_bytes)


def _figure(found: Measured, wish: Wish) -> str:
    if wish.priority == "download":
        return f"{format_bytes(_known(found.gzip_bytes))} gzip-compressed"
    if wish.priority == "flash":
        return f"{format_bytes(_known(found.size_bytes))} as it ships"
    if wish.priority == "accuracy":
        return f"{format_metric(found.metric, _known(found.value))}"
    if wish.target != "cpu":
        what = "time" if wish.priority == "latency" else "memory"
        return (
            f"{format_count(_known(found.macs))} multiply-accumulates; {what} on that hardware is "
            "not measured here"
        )
    if wish.priority == "latency":
        assert found.latency is not None
        times = format_times(_known(found.latency.ratio))
        return f"{times} the baseline's latency where it was measured"
    return f"{format_bytes(_known(found.peak_memory_bytes))} peak memory where it was measured"


def _known(value: float | None) -> float:
    return math.inf if value is None else float(value)
