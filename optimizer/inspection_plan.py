"""The stages that look closer at one variant, and what they left, as plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.keys import Stage, StoredResult
from optimizer.plan import StudyObjective
from optimizer.store import Store
from optimizer.store.records import Variant

PREDICTIONS, ACTIVATIONS, PROFILE = (
    "inspect_predictions",
    "inspect_activations",
    "inspect_profile",
)
INSPECTIONS = (PREDICTIONS, ACTIVATIONS, PROFILE)
FOUND = "inspection.json"
FORMAT = 1
"""What the stages write; raised when the page can no longer read what an older one wrote."""


def inspection_stages(
    variant: Mapping[str, str],
    baseline: Mapping[str, str],
    data: Stage,
    objective: StudyObjective,
    threads: int = 1,
    repeat: int = 0,
) -> list[Stage]:
    """The stages that inspect a variant, wherever its file was made.

    Args:
        variant, baseline: their stage name → artifact key, with ``convert`` and ``evaluate``.
        data: the stage that prepares the study's dataset.
        objective: the study's.
        threads: of the stages that run samples.
        repeat: another number measures the time of operators anew.
    """
    of = {"of": variant["convert"], "against": baseline["convert"], "format": FORMAT}
    file, reference = StoredResult(variant["convert"]), StoredResult(baseline["convert"])
    answers, reference_answers = (
        StoredResult(stages["evaluate"]) for stages in (variant, baseline)
    )
    room = "optimizer.inspection"
    return [
        Stage(
            PREDICTIONS,
            f"{room}.predictions:stage",
            "Compare predictions",
            {**objective.measured(), **of},
            {"variant": answers, "baseline": reference_answers, "data": data},
            resource="light",
        ),
        Stage(
            ACTIVATIONS,
            f"{room}.activations:stage",
            "Compare every operator's output",
            {"inputs": list(objective.inputs), **of},
            {"variant": file, "baseline": reference, "data": data},
            threads=threads,
        ),
        Stage(
            PROFILE,
            f"{room}.profile:stage",
            "Time every operator",
            {"threads": 1, **of, **({"repeat": repeat} if repeat else {})},
            {"variant": file},
            resource="quiet",
        ),
    ]


@dataclass(frozen=True)
class Inspection:
    """What is known of a variant beyond its measurements; each part ``None`` until it is.

    Attributes:
        predictions: see :func:`optimizer.inspection.predictions.stage`.
        activations: see :func:`optimizer.inspection.activations.stage`.
        profile: see :func:`optimizer.inspection.profile.profile_of`.
        samples_key: the artifact with the samples of the gallery.
    """

    predictions: dict[str, Any] | None
    activations: dict[str, Any] | None
    profile: dict[str, Any] | None
    samples_key: str | None

    @property
    def complete(self) -> bool:
        """Whether nothing is left to measure."""
        return None not in (self.predictions, self.activations, self.profile)


def read_inspection(store: Store, variant: Variant, baseline: Variant | None) -> Inspection:
    """What was found about a variant's present file, against its study's present baseline."""
    wanted = variant.stages.get("convert"), (baseline or variant).stages.get("convert"), FORMAT
    found: dict[str, dict[str, Any] | None] = {}
    for name in INSPECTIONS:
        key = variant.stages.get(name)
        found[name] = None
        if key is None or not store.artifacts.has(key):
            continue
        params = store.artifacts.meta(key).get("params") or {}
        if (params.get("of"), params.get("against"), params.get("format")) == wanted:
            found[name] = json.loads(store.artifacts.read(key, FOUND))
    known = found[PREDICTIONS] is not None
    return Inspection(
        found[PREDICTIONS],
        found[ACTIVATIONS],
        found[PROFILE],
        variant.stages[PREDICTIONS] if known else None,
    )
