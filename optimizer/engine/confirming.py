"""Looking at the best trials again, on test samples that the search did not judge by."""

from __future__ import annotations

import asyncio

import numpy as np

from optimizer.engine.trials import Trials
from optimizer.errors import FeatherweightError
from optimizer.search.confirmation import (
    MOST_CONFIRMED,
    Checked,
    Confirmation,
    contenders,
    verdict,
)
from optimizer.search.goal import Goal
from optimizer.search.judging import Judge, Part
from optimizer.store.records import Trial

_PARTS: tuple[Part, ...] = ("confirmation", "whole")


async def confirm(
    trials: Trials, goal: Goal, judge: Judge, baseline: np.ndarray, run_id: str
) -> list[Confirmation]:
    """Check contenders, the best first, until one keeps every limit.

    Args:
        trials: of the search.
        goal: with the limits.
        judge: divides the test set.
        baseline: its outputs over the test set.
        run_id: the search's, from which the number of each new latency window is made.

    Returns:
        What was found of each that was looked at; the last one is the winner's if it keeps all.
    """
    found: list[Confirmation] = []
    for trial in contenders(trials.listed, goal)[:MOST_CONFIRMED]:
        found.append(await _one(trials, trial, goal, judge, baseline, run_id))
        if found[-1].kept:
            break
    return found


async def _one(
    trials: Trials, trial: Trial, goal: Goal, judge: Judge, baseline: np.ndarray, run_id: str
) -> Confirmation:
    outputs = trials.outputs_of(trial)
    parts: dict[str, Checked] = {}
    if outputs is not None and judge.metric is not None:
        for part in _PARTS:
            parts[part] = await asyncio.to_thread(checked, judge, outputs, baseline, part)
    latency = None
    if trials.needs_latency:
        repeat = int(run_id[:7], 16) + trial.number + 1
        try:
            latency = await trials.measure_again(trial, repeat)
        except FeatherweightError as error:
            trials.log(f"Trial {trial.number}: its latency cannot be measured again: {error}")
            latency = (None, None)
    return verdict(trial, goal, parts, latency)


def checked(judge: Judge, outputs: np.ndarray, baseline: np.ndarray, part: Part) -> Checked:
    """What one part of the test set says about a candidate."""
    lost = judge.lost(outputs, baseline, part)
    return Checked(
        judge.size(part),
        judge.value(outputs, part),
        judge.value(baseline, part),
        lost if np.isfinite(lost) else None,
        judge.interval(outputs, baseline, part),
    )
