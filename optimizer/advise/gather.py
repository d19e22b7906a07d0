"""Reading what is known of a study out of the store."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from optimizer.advise.situation import LayerWeights, Operators, Situation
from optimizer.comparison import study_metric
from optimizer.data.objective import METRICS, UNLABELLED, split_task
from optimizer.errors import FeatherweightError
from optimizer.measure.tflite_file import operators_of
from optimizer.search.per_layer import sensitivity_stage
from optimizer.settings import Settings, capacity
from optimizer.store import Store
from optimizer.store.records import Study, Variant
from optimizer.study_plan import study_plan


def situation(store: Store, study: Study, variants: Iterable[Variant]) -> Situation:
    """What is known of a study.

    Args:
        store: where its files are.
        study, variants: as the store has them.

    Returns:
        Without the operators of files, which :func:`with_operators` adds for those of interest.
    """
    known = tuple(variants)
    model, data = store.get_model(study.model_id), store.get_dataset(study.dataset_id)
    facts = model.facts or {"layers": [], "inputs": [], "outputs": []}
    baseline = next((v for v in known if v.is_baseline and v.state == "done"), None)
    return Situation(
        facts,
        data.facts or {},
        study.task,
        _metric(study, known),
        known,
        _weights(store, baseline),
        {},
        _sensitivity(store, study) if model.facts else None,
    )


def operators(store: Store, variant: Variant) -> Operators | None:
    """The operators of a variant's file; ``None`` when it cannot be read.

    Files from before they were listed beside the file are looked into.
    """
    key = variant.stages.get("convert")
    if key is None:
        return None
    try:
        listed = _read_json(store, key, "layers.json")
        if "float_operators" in listed:
            return Operators(listed.get("ops") or {}, listed["float_operators"])
        kinds, in_float = operators_of(store.artifacts.read(key, "model.tflite"))
    except (FeatherweightError, OSError, ValueError):
        return None
    return Operators(kinds, in_float)


def _metric(study: Study, variants: tuple[Variant, ...]) -> str | None:
    """The study's metric; ``None`` without labels."""
    first = split_task(study.task)[0]
    if first == UNLABELLED:
        return None
    if any(variant.results for variant in variants):
        return study_metric(variants)
    return study.objective.get("metric") or METRICS[first][0]


def _weights(store: Store, baseline: Variant | None) -> tuple[LayerWeights, ...]:
    if baseline is None or "convert" not in baseline.stages:
        return ()
    try:
        layers = _read_json(store, baseline.stages["convert"], "layers.json")["layers"]
    except (FeatherweightError, OSError, ValueError):
        return ()
    return tuple(
        LayerWeights(layer["name"], math.prod(layer["shape"]), layer["bytes"]) for layer in layers
    )


def _sensitivity(store: Store, study: Study) -> dict[str, Any] | None:
    """The scan of the study's model, if one was made with the code and threads of today."""
    try:
        threads = capacity(Settings.load(store.home)).threads
        key = sensitivity_stage(study_plan(store, study.id, threads)).key
        if not store.artifacts.has(key):
            return None
        return _read_json(store, key, "sensitivity.json")
    except (FeatherweightError, OSError, ValueError):
        return None


def _read_json(store: Store, key: str, file: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(store.artifacts.read(key, file))
    return found
