"""What is announced never breaks a limit, whatever the figures are."""

import numpy as np
import pytest

from optimizer.search.answer import answer
from optimizer.search.confirmation import Checked, contenders, verdict
from optimizer.search.goal import Constraints, Figures, Goal
from tests.search.synthetic import BASELINE, goal, space, trial

CANDIDATES = space().candidates


def checked(metric, baseline=0.97, samples=200):
    return Checked(samples, metric, baseline, baseline - metric, (-0.01, 0.02))


def random_search(rng):
    """A goal, trials and what confirming them would find, all at random."""
    objective = rng.choice(["download", "size", "latency", "accuracy"])
    limits = Constraints(
        max_accuracy_drop=rng.choice([None, 0.0, 0.01, 0.05]),
        max_size_bytes=rng.choice([None, 50_000, 100_000]),
        max_latency_ratio=rng.choice([None, 0.7, 1.0]),
    )
    aim = Goal(str(objective), limits, "accuracy", True, BASELINE)
    trials = []
    for number in range(int(rng.integers(0, 12))):
        found = Figures(
            int(rng.integers(1_000, 200_000)),
            int(rng.integers(30_000, 120_000)),
            float(rng.uniform(0.85, 1.0)),
            float(rng.uniform(0.4, 1.4)) if rng.random() < 0.9 else None,
        )
        trials.append(trial(number, CANDIDATES[int(rng.integers(174))], found, aim))
    confirmations = []
    for each in contenders(trials, aim)[:5]:
        parts = {
            name: checked(float(rng.uniform(0.9, 1.0)), float(rng.uniform(0.93, 1.0)))
            for name in ("confirmation", "whole")
        }
        ratio = float(rng.uniform(0.4, 1.4)) if rng.random() < 0.9 else None
        needs = objective == "latency" or limits.max_latency_ratio is not None
        confirmations.append(verdict(each, aim, parts, (ratio, None) if needs else None))
        if confirmations[-1].kept:
            break
    return aim, trials, confirmations


@pytest.mark.parametrize("seed", range(300))
def test_what_is_found_breaks_no_limit(seed):
    aim, trials, confirmations = random_search(np.random.default_rng(seed))
    found = answer(trials, confirmations, aim, "budget")
    limits = aim.constraints
    if found["kind"] == "not_achievable":
        assert found["text"].startswith("Not achievable within the budget")
        assert not any(each.kept for each in confirmations)
        return
    won = next(t for t in trials if t.number == found["number"])
    checks = next(c for c in confirmations if c.number == won.number)
    figures = Figures.read(won.figures)
    assert won.variant_id == found["variant_id"]
    if limits.max_accuracy_drop is not None:
        assert BASELINE.metric - figures.metric <= limits.max_accuracy_drop + 1e-9
        for part in checks.parts.values():
            assert part.baseline - part.metric <= limits.max_accuracy_drop + 1e-9
    if limits.max_size_bytes is not None:
        assert figures.size_bytes <= limits.max_size_bytes
    if limits.max_latency_ratio is not None:
        assert figures.latency_ratio <= limits.max_latency_ratio + 1e-9
        assert checks.latency_ratio <= limits.max_latency_ratio * (1 + 1e-8)


def test_contenders_come_by_cost_and_infeasible_ones_never():
    aim = goal()
    sizes, metrics = [30, 10, 20, 5], [0.97, 0.96, 0.99, 0.95]
    trials = [
        trial(i, CANDIDATES[i], Figures(size, 1, metric), aim)
        for i, (size, metric) in enumerate(zip(sizes, metrics, strict=True))
    ]
    assert [t.number for t in contenders(trials, aim)] == [1, 2, 0]


def test_a_lucky_candidate_is_passed_over_and_said():
    aim = goal()
    trials = [
        trial(i, CANDIDATES[i], Figures(size, 1, 0.97), aim) for i, size in enumerate([10, 20])
    ]
    lucky = verdict(trials[0], aim, {"confirmation": checked(0.9)}, None)
    sound = verdict(trials[1], aim, {"confirmation": checked(0.965)}, None)
    assert not lucky.kept
    found = answer(trials, [lucky, sound], aim, "budget")
    assert (found["kind"], found["number"]) == ("found", 1)
    assert any("1 candidate" in remark for remark in found["remarks"])
    assert any("On 200 test samples" in remark for remark in found["remarks"])
    assert any("too few to be sure of 1 point" in remark for remark in found["remarks"])


def test_the_nearest_is_said_with_what_it_misses():
    aim = goal(max_accuracy_drop=0.01, max_size_bytes=40_000)
    trials = [
        trial(0, CANDIDATES[0], Figures(10, 60_000, 0.97), aim),
        trial(1, CANDIDATES[1], Figures(10, 40_000, 0.954), aim),
        trial(2, CANDIDATES[2], Figures(10, 40_000, 0.90), aim),
    ]
    found = answer(trials, [], aim, "budget")
    assert (found["kind"], found["number"]) == ("not_achievable", 0)
    assert "misses by 20.0 kB of file size" in found["text"]
    found = answer(trials[1:], [], aim, "space")
    assert "Not achievable in this search space" in found["text"]
    assert "misses by 0.6 points of accuracy" in found["text"]


def test_nothing_finished_is_said_too():
    found = answer([], [], goal(), "budget")
    assert found["kind"] == "not_achievable"
    assert "no trial came to its end" in found["text"]


def test_a_latency_measured_anew_decides():
    aim = goal("latency", max_latency_ratio=0.8)
    won = trial(0, CANDIDATES[0], Figures(1, 1, 0.97, 0.75), aim)
    assert verdict(won, aim, {}, (0.78, (0.7, 0.9))).kept
    assert not verdict(won, aim, {}, (0.82, (0.7, 0.9))).kept
    assert not verdict(won, aim, {}, (None, None)).kept
