"""What all variants of a study share, put together from its records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optimizer.data.task import outputs_are_logits
from optimizer.keys import Stage
from optimizer.plan import StudyObjective, StudyPlan, import_model, prepare_data
from optimizer.store import Store
from optimizer.store.records import Dataset, Model, Study

_PROCESS_BYTES = 700 * 10**6
"""What a stage process holds before it does anything: TensorFlow and the toolkit."""
_COPIES_OF_WEIGHTS, _COPIES_OF_DATA = 10, 3
"""Weights, gradients, Adam's two moments, masks, the student's copy, the converter's copies; and
the arrays as they arrive, as tensors, and in batches."""


def study_plan(store: Store, study_id: str, threads: int) -> StudyPlan:
    """What all variants of a study share."""
    study = store.get_study(study_id)
    model, data = store.get_model(study.model_id), store.get_dataset(study.dataset_id)
    assert model.facts is not None, "a study is made of a model that was read"
    return StudyPlan(
        import_model(model.sha256, model.file_name),
        data_stage(data),
        study_objective(study, model.facts),
        threads,
        expected_memory(model, data),
    )


def data_stage(data: Dataset) -> Stage:
    """The stage that prepares a dataset."""
    return prepare_data(data.sha256, data.file_name, data.test_share, data.split_seed, data.options)


def study_objective(study: Study, model_facts: Mapping[str, Any]) -> StudyObjective:
    """What the variants of a study are trained for and measured by."""
    return StudyObjective(
        study.task,
        tuple(outputs_are_logits(model_facts)),
        tuple(entry["name"] for entry in model_facts["inputs"]),
        tuple(entry["name"] for entry in model_facts["outputs"]),
        study.objective.get("loss"),
        study.objective.get("metric"),
    )


def expected_memory(model: Model, data: Dataset) -> int:
    """Bytes that a training stage is expected to need, from the sizes of weights and arrays.

    A rule of thumb that leaves out activations, which depend on the batch: it decides how many
    stages may run side by side, and a stage that needs more after all is given more.
    """
    weights = int((model.facts or {}).get("parameter_bytes") or 0)
    facts = data.facts or {}
    values = 1
    for length in facts.get("x_shape") or ():
        values *= int(length or 1)
    samples = int(facts.get("train") or 0) + int(facts.get("test") or 0)
    arrays = max(4 * values * samples, data.size_bytes)
    return _PROCESS_BYTES + _COPIES_OF_WEIGHTS * weights + _COPIES_OF_DATA * arrays
