"""What is known of a study when advice is asked for, as plain data; unknown things are ``None``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from optimizer.data.objective import UNLABELLED
from optimizer.measured import Measured, measured
from optimizer.quality import lost
from optimizer.recipe import Recipe
from optimizer.store.records import Variant

Core = tuple[Any, ...]


@dataclass(frozen=True)
class LayerWeights:
    """One weight tensor of the baseline's file.

    Attributes:
        name: the layer's, with the tensor's role where it has several.
        values: how many numbers.
        size_bytes: in the float32 file.
    """

    name: str
    values: int
    size_bytes: int


@dataclass(frozen=True)
class Operators:
    """What kinds of arithmetic a variant's file does.

    Attributes:
        by_kind: arithmetic, such as ``int8`` → number of operators; empty when not known.
        in_float: TFLite operator → how many of its kind compute in float32.
    """

    by_kind: Mapping[str, int]
    in_float: Mapping[str, int]


@dataclass(frozen=True)
class Situation:
    """A study as it stands.

    Attributes:
        model_facts, data_facts: as reading the files found them.
        task: of the study.
        metric: its headline; ``None`` without labels.
        variants: all of the study's.
        weights: of the baseline's file; empty before it is there.
        operators: variant's id → its file's, where that was read.
        sensitivity: the content of ``sensitivity.json``, or ``None`` when no scan was made.
    """

    model_facts: Mapping[str, Any]
    data_facts: Mapping[str, Any]
    task: str
    metric: str | None
    variants: tuple[Variant, ...] = ()
    weights: tuple[LayerWeights, ...] = ()
    operators: Mapping[str, Operators] = field(default_factory=dict)
    sensitivity: Mapping[str, Any] | None = None

    @cached_property
    def memory(self) -> dict[Any, Any]:
        """What was worked out of it before, as every candidate needs it again."""
        return {}

    @property
    def labelled(self) -> bool:
        """Whether something can be trained and a metric measured."""
        return UNLABELLED not in self.task.split("+")

    @cached_property
    def done(self) -> tuple[Variant, ...]:
        """The variants that have been measured."""
        return tuple(v for v in self.variants if v.state == "done" and measured(v))

    @cached_property
    def baseline(self) -> Variant | None:
        """The float32 baseline, once it is measured."""
        return next((variant for variant in self.done if variant.is_baseline), None)

    @cached_property
    def _by_core(self) -> dict[Core, Variant]:
        """Of variants of the same core the one that came last."""
        return {core(variant.recipe): variant for variant in self.done}

    @cached_property
    def _by_effect(self) -> dict[tuple[Core, str], Variant]:
        """Of variants of the same core, inputs and outputs one, if possible a measured one."""
        ordered = sorted(self.variants, key=lambda variant: variant.state == "done")
        return {(core(v.recipe), v.recipe.quantize.io): v for v in ordered}

    def like(self, recipe: Recipe) -> Variant | None:
        """A measured variant that does the same to the model as a recipe, see :func:`core`."""
        return self._by_core.get(core(recipe))

    def tried(self, recipe: Recipe) -> Variant | None:
        """A variant of the study, in whatever state, that a recipe would only repeat."""
        return self._by_effect.get((core(recipe), recipe.quantize.io))

    def loss(self, variant: Variant | None) -> float | None:
        """What a variant lost against the baseline, see :func:`optimizer.quality.lost`.

        ``None`` where one of both was not measured, or they have different metrics.
        """
        found, base = measured(variant), measured(self.baseline)
        if found is None or base is None or found.metric != base.metric:
            return None
        amount = lost(found.value, base.value, base.higher_is_better)
        return amount if math.isfinite(amount) else None

    def able(self, technique: str) -> list[str]:
        """Names of the layers with weights that a technique can act on."""
        return [
            layer["name"]
            for layer in self.layers_with_weights
            if (layer.get("techniques") or {}).get(technique, "unknown") is None
        ]

    @cached_property
    def layers_with_weights(self) -> list[Mapping[str, Any]]:
        """The model's layers that have parameters, as its facts list them."""
        return [layer for layer in self.model_facts.get("layers") or () if layer["parameters"]]

    def share_of_parameters(self, layers: Iterable[str]) -> float | None:
        """Which share of the model's parameters some layers have; ``None`` when not known."""
        counts = {layer["name"]: layer["parameters"] for layer in self.layers_with_weights}
        total = sum(counts.values())
        return sum(counts.get(name, 0) for name in layers) / total if total else None


def core(recipe: Recipe) -> Core:
    """What a recipe does to a model, without how exactly it is trained and what the ends are.

    Recipes of the same core differ in epochs, seeds, schedules, criteria or the dtype of inputs
    and outputs, so what one of them lost is evidence about the other.
    """
    prune, cluster, quantize = recipe.prune, recipe.cluster, recipe.quantize
    own = tuple(sorted((name, layer.model_dump_json()) for name, layer in recipe.layers.items()))
    return (
        prune and (prune.structure.model_dump_json(), round(prune.schedule.final, 4)),
        prune and prune.gentle_ends,
        cluster and (cluster.number_of_clusters, cluster.per_channel),
        (quantize.mode, quantize.aware, quantize.granularity),
        recipe.sparse_encoding,
        own,
    )


def clearly_differs(variant: Variant, value: float | None) -> bool:
    """Whether a metric's value lies outside a variant's 95 % interval; not where none is known."""
    found: Measured | None = measured(variant)
    if found is None or value is None or found.interval is None:
        return False
    low, high = found.interval
    return not low <= value <= high
