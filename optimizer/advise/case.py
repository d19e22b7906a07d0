"""One recipe in one situation for one wish: what a rule looks at, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from optimizer.advise.documents import Source
from optimizer.advise.ladder import Step
from optimizer.advise.situation import Situation, core
from optimizer.advise.wish import Wish
from optimizer.recipe import Recipe
from optimizer.store.records import Variant

OUT = -100
"""Points of a rule that takes a recipe off the list."""
IMPOSSIBLE = -1000
"""Points of a rule that says that the target cannot run it."""


@dataclass(frozen=True)
class Case:
    """A recipe to judge.

    Attributes:
        step: how it stands to measured recipes of its family; ``None`` for a variant.
    """

    recipe: Recipe
    situation: Situation
    wish: Wish
    step: Step | None = None

    @property
    def mode(self) -> str:
        """The quantization mode."""
        return self.recipe.quantize.mode

    @property
    def aware(self) -> bool:
        """Whether it trains quantization-aware."""
        return self.recipe.quantize.aware

    @property
    def integers(self) -> bool:
        """Whether weights and activations become integers."""
        return self.mode in ("int8", "int16x8")

    @property
    def zeros(self) -> bool:
        """Whether pruning leaves zeros in the weights."""
        return self.recipe.leaves_zeros

    @property
    def clusters(self) -> bool:
        """Whether weights share values."""
        return self.recipe.cluster is not None

    @property
    def narrows(self) -> bool:
        """Whether channels are removed."""
        return self.recipe.prune is not None and not self.recipe.leaves_zeros

    @property
    def quantized_alone(self) -> Variant | None:
        """A measured variant that is quantized after training in this mode, and nothing else."""
        mode = self.mode
        if mode == "none":
            return None
        alone = Recipe.parse({"quantize": {"mode": mode}})
        found = self.situation.like(alone)
        return None if found is None or core(found.recipe) != core(alone) else found


Judge = Callable[[Case], str | None]


@dataclass(frozen=True)
class Rule:
    """One line of the table of rules.

    Attributes:
        judge: says its sentence when the rule concerns a case, else ``None``. The first line of
            its docstring is the rule itself.
        source: what it rests on.
        points: what it adds to a recipe's rank; :data:`OUT` takes the recipe off the list, and
            with :data:`IMPOSSIBLE` a measured variant is out as well.
    """

    judge: Judge
    source: Source
    points: int

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.judge.__name__

    @property
    def text(self) -> str:
        """The rule in a sentence."""
        return (self.judge.__doc__ or "").splitlines()[0]


@dataclass(frozen=True)
class Reason:
    """What one rule says about one recipe."""

    text: str
    source: Source
    points: int
    rule: str
