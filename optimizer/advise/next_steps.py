"""What to try next, after a variant was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from optimizer.advise import steps
from optimizer.advise.after import After, Suggestion
from optimizer.advise.situation import Situation, core
from optimizer.advise.wish import limit_text, loss_text
from optimizer.feasible import objections
from optimizer.measured import measured
from optimizer.recipe import Recipe
from optimizer.store.records import Variant

NEXT: tuple[Callable[[After], Suggestion | None], ...] = (
    steps.promise_was_broken,
    steps.fell_at_clustering,
    steps.fell_at_pruning,
    steps.training_can_win_int8_back,
    steps.training_may_win_back,
    steps.int8_is_not_faster,
    steps.int16_is_slower,
    steps.zeros_show_only_compressed,
    steps.room_is_left,
    steps.difference_is_noise,
)
"""The rules, the most urgent first."""


@dataclass(frozen=True)
class NextSteps:
    """What follows from a variant's measurements.

    Attributes:
        suggestions: what to try or to know, the most urgent first.
        why_none: why there is nothing to try, where there is not.
    """

    suggestions: tuple[Suggestion, ...]
    why_none: str | None = None


def next_steps(situation: Situation, variant: Variant, may_lose: float | None) -> NextSteps:
    """What to try after a variant was measured.

    Every recipe can act on the model and its data, and is not in the study.

    Args:
        situation: its study, with the operators of its file where they are known.
        variant: of the study.
        may_lose: on the scale of :func:`optimizer.quality.lost`; ``None`` without labels.
    """
    found, base = measured(variant), measured(situation.baseline)
    if variant.is_baseline:
        return NextSteps((), "This is the baseline, which the others are compared with.")
    if variant.state != "done" or found is None:
        return NextSteps((), "It has not been measured, so nothing follows from it.")
    if base is None:
        return NextSteps((), "The baseline has not been measured, so nothing can be compared.")
    after = After(situation, variant, found, base, may_lose)
    said = [suggestion for rule in NEXT if (suggestion := rule(after))]
    useful = tuple(checked for each in said if (checked := _checked(after, each)))
    if any(suggestion.recipe for suggestion in useful):
        return NextSteps(useful)
    return NextSteps(useful, _nothing(after))


def _nothing(after: After) -> str:
    """Why nothing is worth trying, with what it rests on."""
    text = "Nothing that was measured of it asks for another try"
    if after.loss is None or after.may_lose is None:
        return f"{text}."
    metric = after.found.metric
    return f"{text}: it {loss_text(after.loss, metric)}, and {limit_text(after.may_lose, metric)}."


def _checked(after: After, suggestion: Suggestion) -> Suggestion | None:
    """A suggestion that can be run, or is worth knowing without; a repetition says so."""
    recipe = suggestion.recipe
    if recipe is None:
        return suggestion
    situation = after.situation
    if objections(recipe, situation.model_facts, situation.task):
        return None
    tried = _tried(after, recipe)
    if tried is None:
        return suggestion
    state = "is in the study already" if tried.state == "done" else f"is {tried.state}"
    return Suggestion(
        suggestion.title, f"{suggestion.evidence} “{tried.name}” {state}.", None, suggestion.source
    )


def _tried(after: After, recipe: Recipe) -> Variant | None:
    """A variant that a recipe would only repeat; other training of the same is no repetition."""
    if core(recipe) != core(after.recipe):
        return after.situation.tried(recipe)
    return next((v for v in after.situation.variants if v.recipe == recipe), None)
