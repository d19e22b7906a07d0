"""A measured variant in its study, and what can follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.advise.documents import MEASURED, Source
from optimizer.advise.situation import Situation, clearly_differs
from optimizer.advise.wish import loss_beyond
from optimizer.errors import InputError
from optimizer.format import format_metric
from optimizer.measured import Measured, measured
from optimizer.recipe import Recipe
from optimizer.store.records import Variant


@dataclass(frozen=True)
class Suggestion:
    """One thing to try, or to know.

    Attributes:
        title: in a few words.
        evidence: sentences with the figures it rests on, and the variants' names.
        recipe: what to run; ``None`` where it is something to know.
        source: what else it rests on.
    """

    title: str
    evidence: str
    recipe: Recipe | None = None
    source: Source = MEASURED


@dataclass(frozen=True)
class After:
    """A measured variant in its study: what a rule looks at.

    Attributes:
        found, base: what was measured of the variant and of the baseline.
        may_lose: on the scale of :func:`optimizer.quality.lost`; ``None`` without labels.
    """

    situation: Situation
    variant: Variant
    found: Measured
    base: Measured
    may_lose: float | None

    @property
    def recipe(self) -> Recipe:
        """Of the variant."""
        return self.variant.recipe

    @property
    def loss(self) -> float | None:
        """What it lost against the baseline."""
        return self.situation.loss(self.variant)

    def without(self, part: str) -> Variant | None:
        """The measured variant that lacks one part of the recipe, all else being the same."""
        changed = changed_recipe(self.recipe, {part: _NOTHING[part]})
        return self.situation.like(changed) if changed else None

    def fell_since(self, other: Variant | None) -> float | None:
        """What was lost since another variant, where that is beyond the 95 % interval."""
        before, mine = measured(other), self.situation.loss(self.variant)
        theirs = self.situation.loss(other)
        if before is None or mine is None or theirs is None or mine <= theirs:
            return None
        return mine - theirs if clearly_differs(self.variant, before.value) else None

    @property
    def lost_too_much(self) -> bool:
        """Whether it is known to have lost more than it may."""
        known = self.loss is not None and self.may_lose is not None
        return known and (self.loss or 0.0) > (self.may_lose or 0.0) + 1e-9

    def beyond(self, loss: float, other: Variant) -> str:
        """What was lost since another variant, in words."""
        since = loss_beyond(loss, self.found.metric, other.name)
        return (
            f"{since} ({value_text(other)} → {value_text(self.variant)}), beyond the 95 % interval"
        )


_NOTHING: dict[str, Any] = {"prune": None, "cluster": None, "quantize": {"mode": "none"}}


def changed_recipe(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe | None:
    """A recipe with some parts replaced, and without overrides that no longer apply."""
    plain: dict[str, Any] = {**recipe.model_dump(mode="json"), **changes}
    fields = {"final_sparsity": plain["prune"], "number_of_clusters": plain["cluster"]}
    aware = plain["quantize"].get("aware")
    layers = {}
    for name, own in plain["layers"].items():
        kept = {f: v for f, v in own.items() if fields.get(f, aware if f == "quantize" else None)}
        if any(value is not None for value in kept.values()):
            layers[name] = kept
    if plain["prune"] is None:
        plain["sparse_encoding"] = False
    try:
        return Recipe.parse({**plain, "layers": layers})
    except InputError:
        return None


def value_text(variant: Variant) -> str:
    """A variant's metric in words."""
    found = measured(variant)
    if found is None or found.value is None:
        return "not measured"
    return format_metric(found.metric, found.value)
