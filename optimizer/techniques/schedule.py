"""A recipe's sparsity schedule in optimizer steps. Runs in stage processes only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_model_optimization as tfmot

MASK_UPDATES = 20
"""How often, at least, the masks are updated between ``begin`` and ``end`` if steps allow."""


def timetable(schedule: Mapping[str, Any], steps: int) -> dict[int, float]:
    """The optimizer steps at which masks are updated, and the sparsity due there (0 to 1).

    tfmot's default of an update every 100 steps prunes nothing in a short fine-tuning. Here
    the last update, with the final sparsity, always falls within training.

    Args:
        schedule: a recipe's ``prune.schedule``.
        steps: optimizer steps of the training, at least 1.
    """
    last = max(1, steps - 1)
    if schedule["kind"] == "steps":
        jumps = {min(round(begin * steps), last): sparsity for begin, sparsity in schedule["steps"]}
        return dict(sorted(jumps.items()))
    begin = min(round(schedule["begin"] * steps), last - 1)
    if schedule["kind"] == "constant":
        every = min(schedule["frequency"] or max(1, (last - begin) // MASK_UPDATES), last - begin)
        return dict.fromkeys(range(begin, last + 1, every), schedule["target_sparsity"])
    end = min(max(round(schedule["end"] * steps), begin + 1), last)
    every = min(schedule["frequency"] or max(1, (end - begin) // MASK_UPDATES), end - begin)
    end = begin + (end - begin) // every * every
    initial, final = schedule["initial_sparsity"], schedule["final_sparsity"]
    return {
        step: final + (initial - final) * (1 - (step - begin) / (end - begin)) ** schedule["power"]
        for step in range(begin, end + 1, every)
    }


def final_sparsity(schedule: Mapping[str, Any]) -> float:
    """The sparsity that a schedule ends with, 0 to 1."""
    if schedule["kind"] == "steps":
        return float(schedule["steps"][-1][1])
    return float(schedule.get("final_sparsity", schedule.get("target_sparsity")))


def with_final(schedule: Mapping[str, Any], final: float) -> dict[str, Any]:
    """The same schedule with another final sparsity, as one layer may have."""
    if schedule["kind"] == "constant":
        return {**schedule, "target_sparsity": final}
    if schedule["kind"] == "polynomial":
        initial = min(schedule["initial_sparsity"], final)
        return {**schedule, "final_sparsity": final, "initial_sparsity": initial}
    scale = final / max(final_sparsity(schedule), 1e-9)
    return {**schedule, "steps": [[begin, min(final, scale * s)] for begin, s in schedule["steps"]]}


class TimetableSchedule(tfmot.sparsity.keras.PruningSchedule):
    """A timetable for tfmot's pruning wrapper.

    Args:
        table: what :func:`timetable` gives.
    """

    def __init__(self, table: Mapping[int, float]) -> None:
        self._steps = tf.constant(list(table), tf.int64)
        self._sparsities = tf.constant(list(table.values()), tf.float32)

    def __call__(self, step: Any) -> tuple[Any, Any]:
        """Whether masks are updated at a step, and the sparsity due there."""
        step = tf.cast(step, tf.int64)
        due = tf.reduce_any(tf.equal(self._steps, step))
        passed = tf.reduce_sum(tf.cast(self._steps <= step, tf.int32))
        return due, self._sparsities[tf.maximum(passed - 1, 0)]

    def get_config(self) -> dict[str, Any]:
        """Nothing: a schedule lives as long as its training and is never saved."""
        return {}
