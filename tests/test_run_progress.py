"""A run summed up: the same few lines for five hundred stages as for five."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from optimizer.run_progress import run_progress
from optimizer.store.records import Run, RunStage

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def run(**options):
    return Run(
        "run", "variants", "Sweep", None, None, "study", (), options, "running", None,
        NOW.isoformat(), NOW.isoformat(), None, False,
    )  # fmt: skip


def stage(index, state="waiting", name="prune", ago=None, **more):
    started = None if ago is None else (NOW - timedelta(seconds=ago)).isoformat()
    return RunStage(
        "run", f"{index:064d}", name, name.capitalize(), state=state, started_at=started, **more
    )


def test_many_stages_are_sums_and_a_few_lines():
    stages = [stage(index) for index in range(400)]
    stages += [stage(400 + index, "done", seconds=2.0, ago=99) for index in range(50)]
    stages += [stage(450 + index, "done", cached=True) for index in range(30)]
    stages += [stage(480 + index, "running", "convert", ago=1) for index in range(11)]
    stages += [stage(491 + index, "failed", message="It fell over.") for index in range(9)]
    found = run_progress(run(), stages, NOW)
    assert [item.name for item in found.running] == ["convert"] * 8
    assert (found.stages, found.finished, found.cached) == (500, 80, 30)
    assert (len(found.running), found.more_running) == (8, 3)
    assert (len(found.failed), found.more_failed) == (8, 1)
    assert found.done == {"Prune": 50}
    assert found.waiting == {"Prune": 400}
    assert found.fraction == pytest.approx(80 / 500)


def test_time_left_goes_by_what_this_run_has_done():
    two_at_a_time = [stage(index, "done", seconds=10.0, ago=20) for index in range(4)]
    waiting = [stage(index) for index in range(4, 8)]
    found = run_progress(run(), [*two_at_a_time, *waiting], NOW)
    assert found.seconds_left == pytest.approx(20.0)
    half = replace(stage(9, "running", ago=5), fraction=0.5)
    alone = [stage(0, "done", seconds=10.0, ago=15), half]
    assert run_progress(run(), alone, NOW).seconds_left == pytest.approx(5.0)
    milestone = replace(stage(9, "running", "convert", ago=4), fraction=0.1)
    known = stage(0, "done", "convert", seconds=6.0, ago=10)
    assert run_progress(run(), [known, milestone], NOW).seconds_left == pytest.approx(2.0)


def test_time_left_of_what_has_not_run_yet_is_what_was_expected():
    stages = [stage(0, "done", seconds=10.0, ago=10), stage(1, name="benchmark")]
    assert run_progress(run(), stages, NOW).seconds_left is None
    expected = run_progress(run(expected={"benchmark": 30.0}), stages, NOW)
    assert expected.seconds_left == pytest.approx(30.0)
    not_listed = run_progress(run(expected={"benchmark": 30.0}), stages[:1], NOW)
    assert not_listed.seconds_left == pytest.approx(30.0)


def test_time_left_is_not_guessed_before_anything_is_known():
    assert run_progress(run(expected={"prune": 5.0}), [stage(0)], NOW).seconds_left is None
    assert run_progress(run(), [], NOW).fraction == 0.0
