"""Lesson: which technique for which hardware, goal, loss and data.

The rules are the advisor's own (:data:`optimizer.advise.rules.RULES`), those that rest on
documentation and not on a person's model; here are only those about the data at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from optimizer.advise import documented
from optimizer.advise.case import IMPOSSIBLE, OUT, Case, Reason
from optimizer.advise.documents import AWARE, COUNTED, POST_TRAINING, Source
from optimizer.advise.ladder import Step
from optimizer.advise.rules import RULES
from optimizer.advise.situation import Situation
from optimizer.advise.wish import Target, Wish
from optimizer.lessons.lesson import Lesson, Reference
from optimizer.recipe import Recipe

Data = Literal["none", "unlabelled", "labelled"]
DATA: Mapping[Data, str] = {
    "none": "None",
    "unlabelled": "Typical inputs, without labels",
    "labelled": "Training data with labels",
}
"""What a person has → what the screen calls it."""

LOSSES: Mapping[float, str] = {
    0.002: "Next to nothing (0.2 points)",
    0.01: "1 point",
    0.03: "3 points",
}
"""What may be lost of the accuracy → what the screen calls it."""

PREDICTED = Wish("micro", "flash", 0.01)
"""What the student predicts for, with labelled data."""

LESSON = Lesson(
    id="decision-table",
    title="The decision table",
    question="So many techniques: which one first?",
    minutes=6,
    terms={
        "delegate": "is a part of the runtime that hands operators to other hardware, or to faster "
        "kernels.",
    },
    remember=(
        "Begin with the hardware: what it cannot run needs no further thought.",
        "Then the goal: zeros and shared values are for downloads, integers and fewer channels for "
        "flash and time.",
        "The cheapest thing that keeps the limit wins: quantize after training first, and train "
        "only for what that cannot reach. Then measure.",
    ),
    references=(
        Reference(POST_TRAINING.title, POST_TRAINING.url),
        Reference(AWARE.title, AWARE.url),
        Reference(
            "TFMOT: which optimization to use",
            "https://www.tensorflow.org/model_optimization/guide",
        ),
    ),
    exercise_columns=("metric", "size", "gzip", "ratio"),
)


@dataclass(frozen=True)
class Technique:
    """A row of the table.

    Attributes:
        label: what the screen calls it, without how weights are stored.
        lesson_id: the lesson that explains it.
        parts: of its recipe; ``None`` for the mode of ``end``.
        end: how weights are stored; ``None``: as the target likes it.
    """

    key: str
    label: str
    lesson_id: str
    parts: Mapping[str, Any]
    end: Mapping[str, Any] | None = None


_PRUNE: dict[str, Any] = {"prune": {"schedule": {"kind": "polynomial", "final_sparsity": 0.5}}}
_CLUSTER: dict[str, Any] = {"cluster": {"number_of_clusters": 16}}
_NARROW: dict[str, Any] = {
    "prune": {
        "structure": {"kind": "channels"},
        "schedule": {"kind": "polynomial", "final_sparsity": 0.5},
    }
}
_AWARE: dict[str, Any] = {"mode": "int8", "aware": True}

TECHNIQUES = (
    Technique("float16", "float16 weights", "affine-quantization", {}, {"mode": "float16"}),
    Technique("dynamic", "Dynamic range", "folding-and-pitfalls", {}, {"mode": "dynamic"}),
    Technique("int8", "int8 after training", "calibration", {}, {"mode": "int8"}),
    Technique("aware", "int8 QAT", "quantization-aware-training", {}, _AWARE),
    Technique("int16", "int16×8", "folding-and-pitfalls", {}, {"mode": "int16x8"}),
    Technique("prune", "Prune 50 %", "compressed-size", _PRUNE),
    Technique("cluster", "Cluster 16", "weight-clustering", _CLUSTER),
    Technique("both", "Prune 50 %, cluster 16", "collaborative-optimization", _PRUNE | _CLUSTER),
    Technique("channels", "Remove channels", "structured-sparsity", _NARROW),
)
"""The rows of the table."""


def recipe_for(technique: Technique, target: Target) -> Recipe:
    """A technique as a recipe for a target.

    What says nothing about how weights are stored ends in float16 on a GPU and in int8 elsewhere;
    pruning and clustering together end in quantization-aware training, which keeps both. On
    integer hardware int8 models take and return integers.
    """
    end = technique.end
    if end is None:
        whole = _AWARE if technique.key == "both" else {"mode": "int8"}
        end = {"mode": "float16"} if target == "gpu" else whole
    io = {"io": "int8"} if end["mode"] == "int8" and target in ("micro", "npu") else {}
    return Recipe.parse({**technique.parts, "quantize": {**end, **io}})


def training_needs_labels(case: Case, data: Data) -> str | None:
    """Whatever trains needs labelled data."""
    if case.recipe.trains and data != "labelled":
        return "It trains, and training needs data with labels."
    return None


def calibration_needs_inputs(case: Case, data: Data) -> str | None:
    """Full integer quantization after training needs typical inputs."""
    if case.integers and not case.recipe.trains and data == "none":
        return "Its activations' ranges are found on 100 to 500 typical inputs; there are none."
    return None


def needs_no_data(case: Case, data: Data) -> str | None:
    """float16 and dynamic range need no data."""
    if not case.integers and not case.recipe.trains and data == "none":
        return "It needs no data at all."
    return None


@dataclass(frozen=True)
class DataRule:
    """A line of the table about the data at hand; as the advisor's rules otherwise."""

    judge: Callable[[Case, Data], str | None]
    source: Source
    points: int


DATA_RULES = (
    DataRule(training_needs_labels, AWARE, IMPOSSIBLE),
    DataRule(calibration_needs_inputs, POST_TRAINING, IMPOSSIBLE),
    DataRule(needs_no_data, POST_TRAINING, +1),
)
DOCUMENTED = tuple(rule for rule in RULES if rule.judge.__module__ == documented.__name__)
"""The advisor's rules that look at no model."""

FOLLOWS = Source("Follows from what it does")
_EMPTY = Situation({}, {}, "multiclass", "accuracy")

Standing = Literal["first", "worth", "neutral", "rather_not", "useless", "impossible"]
STANDINGS: Mapping[Standing, str] = {
    "first": "Try first",
    "worth": "Worth trying",
    "neutral": "Nothing speaks for it",
    "rather_not": "Rather not",
    "useless": "Does not serve the goal",
    "impossible": "Impossible",
}
"""What the rules make of a technique → what the screen calls it."""


@dataclass(frozen=True)
class Verdict:
    """What the rules say about one technique.

    Attributes:
        reasons: the weightiest first.
        points: their sum.
    """

    technique: Technique
    recipe: Recipe
    standing: Standing
    reasons: tuple[Reason, ...]
    points: int


def judge(technique: Technique, wish: Wish, data: Data) -> Verdict:
    """What the rules say about a technique for a wish and with some data."""
    recipe = recipe_for(technique, wish.target)
    case = Case(recipe, _EMPTY, wish, Step("start"))
    found = [
        Reason(text, FOLLOWS if rule.source == COUNTED else rule.source, rule.points, rule.name)
        for rule in DOCUMENTED
        if (text := rule.judge(case)) is not None
    ]
    found += [
        Reason(text, rule.source, rule.points, rule.judge.__name__)
        for rule in DATA_RULES
        if (text := rule.judge(case, data)) is not None
    ]
    found.sort(key=lambda reason: -abs(reason.points))
    points = sum(reason.points for reason in found)
    return Verdict(technique, recipe, _standing(points), tuple(found), points)


def _standing(points: int) -> Standing:
    if points <= IMPOSSIBLE // 2:
        return "impossible"
    if points <= OUT // 2:
        return "useless"
    if points < 0:
        return "rather_not"
    return "worth" if points else "neutral"


def decide(wish: Wish, data: Data) -> list[Verdict]:
    """All techniques, the best first; what has the most points is to be tried first.

    Of equal points what does not train comes first.
    """
    found = [judge(technique, wish, data) for technique in TECHNIQUES]
    found.sort(key=lambda verdict: (-verdict.points, verdict.recipe.trains))
    best = found[0]
    if best.points > 0:
        found[0] = Verdict(best.technique, best.recipe, "first", best.reasons, best.points)
    return found
