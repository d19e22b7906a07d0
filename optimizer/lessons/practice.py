"""Trying a lesson out: the study that exercises run in, and their measured results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from optimizer.bundled import STUDY_FILE
from optimizer.errors import InputError
from optimizer.format import (
    format_bytes,
    format_metric,
    format_ms,
    format_times,
    metric_title,
)
from optimizer.lessons.lesson import Lesson
from optimizer.measured import Latency, Measured, measured
from optimizer.recipe import BASELINE
from optimizer.store import Store
from optimizer.store.archive import import_study
from optimizer.store.records import ACTIVE, Run, Study, Variant

STUDY_NAME = "Lessons: handwritten digits"
_MARKER = "practice-study"
"""The file in a store that names the study of the exercises."""


def practice_study(store: Store) -> Study | None:
    """The study that exercises run in, if one has been made and not been deleted."""
    marker = store.marker(_MARKER)
    if not marker.exists():
        return None
    try:
        return store.get_study(marker.read_text().strip())
    except InputError:
        return None


def open_practice_study(store: Store) -> Study:
    """The same; made from the bundled sample when there is none.

    It is a study of its own, so that what students run does not fill the sample study.
    """
    known = practice_study(store)
    if known is not None:
        return known
    had = {study.id for study in store.list_studies()}
    sample = import_study(store, STUDY_FILE, origin="sample")
    study = store.create_study(STUDY_NAME, sample.model_id, sample.dataset_id, sample.task)
    if sample.id not in had:  # somebody deleted the sample study: it stays deleted
        store.delete_study(sample.id)
    (store.marker(_MARKER)).write_text(study.id)
    return study


def start(store: Store, lesson: Lesson) -> Run:
    """Ask the engine for a lesson's exercises; what was computed before is not computed again."""
    study = open_practice_study(store)
    recipes = [BASELINE, *(exercise.recipe for exercise in lesson.exercises)]
    variants = store.add_variants(study.id, recipes)
    ids = list(dict.fromkeys(variant.id for variant in variants if variant.state != "done"))
    return store.queue_run(
        "variants", f"Lesson: {lesson.title}", study_id=study.id, variant_ids=ids
    )


def exercise_variants(store: Store, lesson: Lesson) -> list[Variant | None]:
    """The baseline and the variant of each exercise, as they are; ``None``: never asked for."""
    study = practice_study(store)
    recipes = [BASELINE, *(exercise.recipe for exercise in lesson.exercises)]
    if study is None:
        return [None] * len(recipes)
    by_hash = {variant.recipe.hash: variant for variant in store.list_variants(study.id)}
    return [by_hash.get(recipe.hash) for recipe in recipes]


def active_runs(store: Store, variants: Sequence[Variant | None]) -> list[Run]:
    """Runs under way that any of the variants belongs to, the oldest first."""
    study = practice_study(store)
    if study is None:
        return []
    ids = {variant.id for variant in variants if variant}
    runs = store.list_runs(study_id=study.id, states=ACTIVE)
    return [run for run in reversed(runs) if ids & set(run.variant_ids)]


def _latency(show: Callable[[Latency], str]) -> Callable[[Measured], str | None]:
    return lambda found: show(found.latency) if found.latency else None


def _shown(value: float | None, show: Callable[[float], str]) -> str | None:
    return None if value is None else show(value)


COLUMNS: Mapping[str, tuple[str, Callable[[Measured], str | None]]] = {
    "metric": ("", lambda f: _shown(f.value, lambda v: format_metric(f.metric, v))),
    "agreement": ("Agrees with the baseline", lambda f: _shown(f.agreement, _percent)),
    "sparsity": ("Zeros in the file", lambda f: _shown(f.sparsity, _percent)),
    "distinct": ("Distinct weights in a layer", lambda f: _shown(f.max_distinct_weights, _count)),
    "size": ("File", lambda f: _shown(f.size_bytes, format_bytes)),
    "gzip": ("gzip", lambda f: _shown(f.gzip_bytes, format_bytes)),
    "macs": ("Multiply-accumulates", lambda f: _shown(f.macs, _count)),
    "latency": ("Latency p50", _latency(lambda found: format_ms(found.p50_ms))),
    "ratio": (
        "Latency / baseline",
        _latency(lambda found: format_times(found.ratio) if found.ratio else "–"),
    ),
}
"""Key → title of a column of results (``metric`` is called what it is) and its text."""

_AGAINST_BASELINE = ("agreement", "ratio")


def results_table(lesson: Lesson, variants: Sequence[Variant | None]) -> pd.DataFrame:
    """What was measured, a row for the baseline and for each exercise.

    Args:
        lesson: whose exercises they are.
        variants: as :func:`exercise_variants` returns them.
    """
    labels = ["Baseline, float32", *(exercise.label for exercise in lesson.exercises)]
    found = [measured(variant) for variant in variants]
    metric = next((item.metric for item in found if item), "accuracy")
    columns: dict[str, list[str]] = {"Variant": list(labels)}
    for key in lesson.exercise_columns:
        title, show = COLUMNS[key]
        texts = ["not measured" if item is None else show(item) or "not measured" for item in found]
        if key in _AGAINST_BASELINE:
            texts[0] = "–"
        columns[title or metric_title(metric)] = texts
    return pd.DataFrame(columns)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _count(number: float) -> str:
    return f"{number:,.0f}"
