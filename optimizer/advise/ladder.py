"""Families of recipes, each ordered from gentle to harsh, and which of a family to try next.

Within a family recipes differ in one thing: how much is taken away. So what one of them lost says
where to look: harsher than what kept the limit, gentler than what broke it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from optimizer.advise.situation import Situation
from optimizer.advise.wish import Wish
from optimizer.errors import InputError
from optimizer.recipe import Recipe
from optimizer.search.per_layer import alternatives
from optimizer.store.records import Variant

_SPARSITIES = (0.5, 0.6, 0.7, 0.8, 0.9)
_CLUSTERS = (64, 32, 16, 8, 4)
_BOTH = ((0.5, 32), (0.5, 16), (0.6, 16), (0.7, 16), (0.8, 16), (0.8, 8), (0.9, 8), (0.9, 4))
_REMOVED = (0.2, 0.35, 0.5, 0.65)
_BEARABLE = 0.02
"""A loss from which on a harsher start is sensible: TFMOT's table has InceptionV3 lose 0.1 points
at 50 % zeros and 2.0 at 75 %."""

_ENDS: tuple[dict[str, Any], ...] = (
    {"mode": "int8"},
    {"mode": "int8", "aware": True},
    {"mode": "dynamic"},
    {"mode": "float16"},
    {"mode": "none"},
    {"mode": "int16x8"},
)
"""How a model is quantized in the end; of equally advised recipes the first comes first."""

StepKind = Literal["start", "same", "harsher", "gentler", "between"]


@dataclass(frozen=True)
class Step:
    """Why this one of a family is proposed.

    Attributes:
        kind: ``start`` where none of the family was measured, ``same`` where it was with other
            inputs and outputs or in float32, otherwise how it stands to those that were.
        kept: the harshest that kept the limit.
        broke: the gentlest after it that broke it.
    """

    kind: StepKind
    kept: Variant | None = None
    broke: Variant | None = None


@dataclass(frozen=True)
class Candidate:
    """A recipe that is not in the study yet."""

    family: str
    recipe: Recipe
    step: Step


def candidates(situation: Situation, wish: Wish) -> list[Candidate]:
    """One recipe of each family that has any left to try; they may still be impossible."""
    found = (
        _next_of(family, rungs, situation, wish) for family, rungs in _families(situation, wish)
    )
    return [candidate for candidate in found if candidate]


def next_step(
    kept: Sequence[bool | None], free: Sequence[bool], start: int
) -> tuple[int, StepKind] | None:
    """Which rung of a ladder to try next.

    Args:
        kept: of each rung, gentle to harsh, whether the limit was kept; ``None``: not measured.
        free: of each, whether trying it would be something new.
        start: where to begin when none was measured.

    Returns:
        The rung and how it stands to the measured ones; ``None`` when nothing is left to try.
    """
    best = max((i for i, outcome in enumerate(kept) if outcome), default=None)
    worst = next(
        (
            i
            for i, outcome in enumerate(kept)
            if outcome is False and i > (-1 if best is None else best)
        ),
        None,
    )
    if best is not None and free[best]:
        return best, "same"
    low = 0 if best is None else best + 1
    high = len(kept) if worst is None else worst
    open_rungs = [i for i in range(low, high) if free[i] and kept[i] is None]
    if not open_rungs:
        return None
    if best is None and worst is None:
        return min(open_rungs, key=lambda i: abs(i - start)), "start"
    if best is None:
        return open_rungs[-1], "gentler"
    if worst is None:
        return open_rungs[0], "harsher"
    return open_rungs[len(open_rungs) // 2], "between"


def _next_of(
    family: str, rungs: Sequence[Recipe], situation: Situation, wish: Wish
) -> Candidate | None:
    measured = [_evidence(situation, recipe) for recipe in rungs]
    kept = [_keeps(situation, variant, wish) for variant in measured]
    free = [situation.tried(recipe) is None for recipe in rungs]
    start = len(rungs) // 2 if (wish.may_lose or 0.0) >= _BEARABLE else 0
    found = next_step(kept, free, start)
    if found is None:
        return None
    place, kind = found
    below = [v for v, outcome in zip(measured[: place + 1], kept, strict=False) if outcome]
    above = [
        v for v, outcome in zip(measured[place:], kept[place:], strict=True) if outcome is False
    ]
    step = Step(kind, below[-1] if below else None, above[0] if above else None)
    return Candidate(family, rungs[place], step)


def _evidence(situation: Situation, recipe: Recipe) -> Variant | None:
    """A measured variant that says what a recipe would lose; float16 is taken to be as float32."""
    found = situation.like(recipe)
    if found or recipe.quantize.mode != "float16" or not recipe.trains:
        return found
    plain = {**recipe.model_dump(mode="json"), "quantize": {"mode": "none"}}
    return situation.like(Recipe.parse(plain))


def _keeps(situation: Situation, variant: Variant | None, wish: Wish) -> bool | None:
    """Whether a variant lost no more than may be lost; ``None`` when that is not known.

    Where there are no labels nothing can be lost that could be measured.
    """
    if variant is None:
        return None
    if wish.may_lose is None:
        return True
    loss = situation.loss(variant)
    return None if loss is None else loss <= wish.may_lose + 1e-9


def _families(situation: Situation, wish: Wish) -> Iterator[tuple[str, Sequence[Recipe]]]:
    """Name and recipes, gentle to harsh, of every family; all of them are valid recipes."""
    by_layer = alternatives(situation.sensitivity) if situation.sensitivity else None
    for body, end, rungs in _plain_families(wish.target in ("micro", "npu")):
        yield f"{body} · {end}" if body else end, rungs
        if by_layer and body in ("prune", "prune · cluster"):
            own = _all(rungs, by_layer)
            if own:
                yield f"{body} by layer · {end}", own


@cache
def _plain_families(integer_ends: bool) -> tuple[tuple[str, str, tuple[Recipe, ...]], ...]:
    """What is done before quantizing, the quantization, and the recipes; for all models alike."""
    found: list[tuple[str, str, tuple[Recipe, ...]]] = []
    for end in _ENDS:
        io = {"io": "int8"} if integer_ends and end["mode"] == "int8" else {}
        quantize = {"quantize": {**end, **io}}
        name = f"{end['mode']}{' QAT' if end.get('aware') else ''}"
        if end["mode"] != "none":
            found.append(("", name, (Recipe.parse(quantize),)))
        for body, parts in _BODIES.items():
            rungs = _valid({**part, **quantize} for part in parts)
            if rungs:
                found.append((body, name, tuple(rungs)))
    return tuple(found)


def _valid(values: Iterator[dict[str, Any]]) -> list[Recipe]:
    found = []
    for value in values:
        try:
            found.append(Recipe.parse(value))
        except InputError:  # sparse encoding goes with floats only
            continue
    return found


def _all(rungs: Sequence[Recipe], change: Callable[[Recipe], Recipe | None]) -> list[Recipe]:
    return [changed for rung in rungs if (changed := change(rung))]


def _pruned(sparsity: float) -> dict[str, Any]:
    return {"prune": {"schedule": {"kind": "polynomial", "final_sparsity": sparsity}}}


def narrowed(removed: float) -> dict[str, Any]:
    """A recipe's parts that remove channels until a share of the arithmetic is gone."""
    return {
        "prune": {
            "structure": {"kind": "channels"},
            "schedule": {"kind": "polynomial", "final_sparsity": removed},
            "criterion": "gradient",
            "scope": "global",
        },
        "fine_tune": {"epochs": 5},
    }


_BODIES: dict[str, list[dict[str, Any]]] = {
    "prune": [_pruned(sparsity) for sparsity in _SPARSITIES],
    "prune · sparse encoding": [
        {**_pruned(sparsity), "sparse_encoding": True} for sparsity in _SPARSITIES
    ],
    "cluster": [{"cluster": {"number_of_clusters": count}} for count in _CLUSTERS],
    "prune · cluster": [
        {**_pruned(sparsity), "cluster": {"number_of_clusters": count}} for sparsity, count in _BOTH
    ],
    "channels": [narrowed(removed) for removed in _REMOVED],
    "channels · cluster": [
        {**narrowed(removed), "cluster": {"number_of_clusters": 32}} for removed in _REMOVED
    ],
}
"""What is done to the model before it is quantized → recipes' parts, gentle to harsh."""
