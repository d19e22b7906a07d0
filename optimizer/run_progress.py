"""How far a run is, in as few lines for five hundred stages as for five."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import mean
from typing import Any

from optimizer.plan import STAGE_NAMES
from optimizer.store.records import Run, RunStage

RESUMED = "Resumed: the engine had ended while this was under way."
"""What a run's log says when the next engine goes on with it."""
FEW_STAGES = 12
"""Up to so many stages are shown one by one."""
_MOST_LINES = 8
_STEADY = ("sensitivity", "prune", "cluster", "quantize_aware", "benchmark")
"""Stages whose fraction grows with time; others report a few milestones."""


@dataclass(frozen=True)
class RunProgress:
    """What a run's stages say together.

    Attributes:
        fraction: share of the stages done, those under way counted in part; 0 to 1.
        cached: stages whose results were there already; not among the ``done``.
        running, failed: the first few of them.
        more_running, more_failed: how many others there are.
        done, waiting, cancelled: how many stages, by label.
        seconds_left: ``None`` while too little is known.
    """

    fraction: float
    stages: int
    cached: int
    running: tuple[RunStage, ...]
    more_running: int
    failed: tuple[RunStage, ...]
    more_failed: int
    done: Mapping[str, int]
    waiting: Mapping[str, int]
    cancelled: Mapping[str, int]
    seconds_left: float | None

    @property
    def finished(self) -> int:
        """How many stages have their results."""
        return self.cached + sum(self.done.values())


def run_progress(run: Run, stages: Sequence[RunStage], now: datetime) -> RunProgress:
    """Sum up a run.

    Args:
        run: its ``options`` may have ``expected``: name of a stage → seconds, for what has not
            run yet in it.
        stages: of the run.
        now: in UTC.
    """
    order = {name: index for index, name in enumerate(STAGE_NAMES)}
    stages = sorted(stages, key=lambda stage: order.get(stage.name, len(order)))
    running = [stage for stage in stages if stage.state == "running"]
    failed = [stage for stage in stages if stage.state == "failed"]
    ended = [stage for stage in stages if stage.state == "done"]
    parts = len(ended) + sum(min(1.0, stage.fraction or 0.0) for stage in running)
    return RunProgress(
        fraction=min(1.0, parts / len(stages)) if stages else 0.0,
        stages=len(stages),
        cached=sum(stage.cached for stage in ended),
        running=tuple(running[:_MOST_LINES]),
        more_running=max(0, len(running) - _MOST_LINES),
        failed=tuple(failed[:_MOST_LINES]),
        more_failed=max(0, len(failed) - _MOST_LINES),
        done=Counter(stage.label for stage in ended if not stage.cached),
        waiting=Counter(stage.label for stage in stages if stage.state == "waiting"),
        cancelled=Counter(stage.label for stage in stages if stage.state == "cancelled"),
        seconds_left=_seconds_left(run.options.get("expected") or {}, stages, now),
    )


def stage_seconds_left(stage: RunStage, elapsed: float) -> float | None:
    """How long a running stage still takes, when its progress tells; ``elapsed`` in seconds."""
    if stage.name not in _STEADY or not stage.fraction or not 0.05 < stage.fraction < 1:
        return None
    return elapsed * (1 - stage.fraction) / stage.fraction


def _seconds_left(
    expected: Mapping[str, Any], stages: Sequence[RunStage], now: datetime
) -> float | None:
    """How long the stages that are not done will take.

    A stage is expected to take as long as those of its name took in this run, and the run to go
    on doing as much per second as it has done. What is expected and not listed yet, as the
    measuring of latency at the end, is still to come.
    """
    took: dict[str, list[float]] = {}
    for stage in stages:
        if stage.state == "done" and not stage.cached and stage.seconds is not None:
            took.setdefault(stage.name, []).append(stage.seconds)
    begun = [stage.started_at for stage in stages if stage.started_at and not stage.cached]
    work = sum(sum(seconds) for seconds in took.values())
    left = 0.0
    for stage in stages:
        if stage.state not in ("waiting", "running"):
            continue
        known = mean(took[stage.name]) if stage.name in took else expected.get(stage.name)
        if known is None:
            return None
        elapsed = _seconds_since(stage.started_at, now) if stage.state == "running" else 0.0
        remaining = stage_seconds_left(stage, elapsed) if elapsed else None
        left += max(0.0, known - elapsed) if remaining is None else remaining
        work += elapsed
    if not begun or not work:
        return None
    listed = {stage.name for stage in stages}
    left += sum(seconds for name, seconds in expected.items() if name not in listed)
    return left * _seconds_since(min(begun), now) / work


def _seconds_since(moment: str | None, now: datetime) -> float:
    return max(0.0, (now - datetime.fromisoformat(moment)).total_seconds()) if moment else 0.0
