"""The lessons, in the order in which they build on each other."""

from __future__ import annotations

from optimizer.lessons import (
    affine_quantization,
    calibration,
    collaborative_optimization,
    compressed_size,
    decision_table,
    folding_and_pitfalls,
    latency,
    quantization_aware_training,
    sparsity_schedules,
    structured_sparsity,
    weight_clustering,
)
from optimizer.lessons.lesson import Lesson

LESSONS: tuple[Lesson, ...] = (
    sparsity_schedules.LESSON,
    compressed_size.LESSON,
    weight_clustering.LESSON,
    affine_quantization.LESSON,
    calibration.LESSON,
    quantization_aware_training.LESSON,
    collaborative_optimization.LESSON,
    structured_sparsity.LESSON,
    latency.LESSON,
    folding_and_pitfalls.LESSON,
    decision_table.LESSON,
)
"""All of them."""


def find_lesson(lesson_id: str) -> Lesson | None:
    """The lesson with this id, if there is one."""
    return next((lesson for lesson in LESSONS if lesson.id == lesson_id), None)
