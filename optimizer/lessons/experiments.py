"""Runs of lessons that are no variants: asking for them, and the newest one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optimizer.lessons.lesson import Lesson
from optimizer.lessons.practice import open_practice_study, practice_study
from optimizer.store import Store
from optimizer.store.records import Run, RunKind


def start_experiment(
    store: Store, kind: RunKind, lesson: Lesson, options: Mapping[str, Any]
) -> Run:
    """Ask the engine for an experiment on the sample; see :mod:`optimizer.engine.experiments`."""
    study = open_practice_study(store)
    return store.queue_run(
        kind, f"Lesson: {lesson.title}", study_id=study.id, options=dict(options)
    )


def newest_experiment(store: Store, kind: RunKind) -> Run | None:
    """The newest run of a kind in the study of the exercises, whatever its state."""
    study = practice_study(store)
    if study is None:
        return None
    runs = store.list_runs(study_id=study.id, limit=None)
    return next((run for run in runs if run.kind == kind), None)


def count_experiments(store: Store, kind: RunKind) -> int:
    """How many runs of a kind there were in the study of the exercises."""
    study = practice_study(store)
    if study is None:
        return 0
    return sum(run.kind == kind for run in store.list_runs(study_id=study.id, limit=None))
