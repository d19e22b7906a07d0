"""Searches in the engine: found and confirmed, refused in words, cancelled, killed, resumed."""

import json
import os
import signal

import numpy as np
import psutil
import pytest

from optimizer.search.goal import SearchOptions
from tests.engine.conftest import finish, start_engine, wait_until

GRID = {
    "prune": [None, {"schedule": {"kind": "polynomial", "final_sparsity": [0.5, 0.8, 0.9]}}],
    "cluster": [None, {"number_of_clusters": [8, 16]}],
    "quantize": [{"mode": "none"}, {"mode": "dynamic"}, {"mode": "int8"}],
    "fine_tune": {"epochs": 2},
}


def search(store, study, **options):
    wanted = SearchOptions.parse({"space": GRID, "trials": 6, **options})
    dumped = wanted.model_dump(mode="json")
    return store.queue_run("search", "test", study_id=study.id, options=dumped)


def done(store, run, seconds=240):
    ended = finish(store, run, seconds)
    assert ended.state == "done", ended.error
    return ended, store.list_trials(run.id)


def test_a_search_finds_confirms_and_shares_its_stages(store, study):
    ended, trials = done(store, search(store, study, per_layer=True))
    answer = ended.result["answer"]
    assert answer["kind"] == "found"
    assert len([t for t in trials if t.origin != "study"]) == 6
    assert {t.state for t in trials} <= {"complete", "pruned"}
    winner = store.get_variant(answer["variant_id"])
    assert winner.state == "done"
    checks = answer["confirmations"][-1]
    judged = ended.result["goal"]["samples"]
    assert checks["parts"]["confirmation"]["samples"] == judged["confirmation"]
    assert judged["search"] + judged["confirmation"] == judged["whole"]
    whole = json.loads(store.artifacts.read(winner.stages["evaluate"], "metrics.json"))
    assert checks["parts"]["whole"]["metric"] == pytest.approx(whole["metrics"]["accuracy"])
    assert checks["parts"]["whole"]["lost"] <= 0.01
    trained = [t for t in trials if t.recipe.trains and t.intermediate]
    assert trained
    stages = store.list_stages(ended.id)
    assert any(stage.name == "sensitivity" for stage in stages)
    assert len({stage.key for stage in stages}) == len(stages)
    assert not any(stage.name == "benchmark" for stage in stages)

    again, more = done(store, search(store, study, per_layer=True))
    known = {t.recipe.hash for t in trials if t.state == "complete"}
    taken = {t.recipe.hash for t in more if t.origin == "study"}
    assert known <= taken
    assert again.result["answer"]["kind"] == "found"


def test_a_latency_limit_is_measured_anew_before_it_is_announced(store, study):
    ended, trials = done(
        store,
        search(
            store,
            study,
            objective="latency",
            constraints={"max_latency_ratio": 3.0, "max_accuracy_drop": 0.5},
            space={"quantize": {"mode": ["dynamic", "int8"]}},
        ),
    )
    answer = ended.result["answer"]
    assert answer["kind"] == "found"
    assert all(t.figures["latency_ratio"] > 0 for t in trials if t.state == "complete")
    checks = answer["confirmations"][-1]
    assert checks["latency_ratio"] <= 3.0
    low, high = checks["latency_interval"]
    assert low <= checks["latency_ratio"] <= high
    windows = [s for s in store.list_stages(ended.id) if s.name == "benchmark"]
    assert windows[-1].state == "done"
    assert not windows[-1].cached
    assert any("measured anew" in remark for remark in answer["remarks"])


def test_what_cannot_be_is_said_with_what_it_misses_by(store, study):
    limits = {"max_size_bytes": 3000, "max_accuracy_drop": 0.01}
    ended, trials = done(store, search(store, study, constraints=limits, trials=40))
    answer = ended.result["answer"]
    assert answer["kind"] == "not_achievable"
    assert "in this search space; the nearest is" in answer["text"]
    assert "of file size" in answer["text"]
    skipped = [t for t in trials if t.state == "refused"]
    assert skipped
    assert all("more than the limit of 3.00 kB" in t.message for t in skipped)
    assert all(t.variant_id is None for t in skipped)


def test_a_failing_trial_is_recorded_and_the_search_goes_on(store, study):
    grid = {
        "prune": {"schedule": {"kind": "constant", "target_sparsity": 0.5}},
        "fine_tune": {"epochs": 1, "learning_rate": [0.001, 9.0]},
        "quantize": {"mode": ["none", "dynamic"]},
        "seed": 5,
    }
    ended, trials = done(store, search(store, study, space=grid, constraints={
        "max_accuracy_drop": 0.5}))  # fmt: skip
    assert len(trials) == 4
    assert ended.result["answer"]["kind"] == "found"
    by_state = {t.state for t in trials}
    assert "complete" in by_state


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"space": {"quantize": {"mode": "none"}}}, "float32 baseline only"),
        ({"space": {"prune": {}, "layers": {"nope": {"final_sparsity": 0.5}}}}, "'nope'"),
        ({"space": {"prun": {}}}, "Unknown key 'prun'"),
    ],
)
def test_a_space_with_nothing_for_this_model_fails_in_words(store, study, options, words):
    ended = finish(store, search(store, study, **options))
    assert ended.state == "failed"
    assert words in ended.error


def test_time_ends_a_search(store, study):
    slow = {"prune": {}, "fine_tune": {"epochs": 900, "batch_size": 8}, "seed": [11, 12, 13]}
    ended, trials = done(store, search(store, study, space=slow, trials=None, minutes=0.1), 60)
    assert ended.result["answer"]["kind"] == "not_achievable"
    assert {t.state for t in trials if t.origin != "study"} == {"pruned"}
    assert all("time was up" in t.message for t in trials)


def test_a_trial_may_take_so_long_and_no_longer(store, study):
    slow = {"prune": {}, "fine_tune": {"epochs": 900, "batch_size": 8}, "seed": [21]}
    ended, (only,) = done(store, search(store, study, space=slow, minutes_per_trial=0.05), 60)
    assert only.state == "pruned"
    assert "0.05 minutes" in only.message
    stages = {s.name: s for s in store.list_stages(ended.id)}
    assert stages["prune"].state == "cancelled"


def test_cancel_ends_a_search(store, study):
    slow = {"prune": {}, "fine_tune": {"epochs": 900, "batch_size": 8}, "seed": [31, 32]}
    run = search(store, study, space=slow)
    wait_until(lambda: any(t.state == "running" for t in store.list_trials(run.id)), store)
    store.request_cancel(run.id)
    assert finish(store, run).state == "cancelled"
    assert all(t.state == "pruned" for t in store.list_trials(run.id))
    assert all(store.get_variant(i).state == "cancelled" for i in store.get_run(run.id).variant_ids)


def test_a_killed_search_is_gone_on_with_and_nothing_is_done_twice(store, study):
    grid = {**GRID, "seed": 77}
    run = search(store, study, space=grid, trials=8)

    def half_way():
        trials = store.list_trials(run.id)
        finished = [t for t in trials if t.state == "complete" and t.origin != "study"]
        return len(finished) >= 4 and any(t.state == "running" for t in trials)

    wait_until(half_way, store, 180)
    before = {t.number: t for t in store.list_trials(run.id) if t.state == "complete"}
    pid = store.engine_state().pid
    children = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(c.is_running() and c.status() != "zombie" for c in children), store)
    made = {k: store.artifacts.modified_at(k) for k in store.artifacts.keys()}  # noqa: SIM118
    start_engine(store)
    ended, trials = done(store, run)
    assert ended.result["answer"]["kind"] == "found"
    assert len([t for t in trials if t.origin != "study"]) == 8
    assert len({t.recipe.hash for t in trials}) == len(trials)
    for number, trial in before.items():
        assert trials[number] == trial
    for key, when in made.items():
        assert store.artifacts.modified_at(key) == when
    assert "Resumed" in store.read_log(run.id)


def test_a_hopeless_trial_is_ended_early(store, study, tmp_path):
    """After trials that learn, one whose learning rate ruins the model."""
    good = {
        "prune": {"schedule": {"kind": "constant", "target_sparsity": 0.3}},
        "fine_tune": {"epochs": 40},
        "seed": list(range(101, 107)),
    }
    _, trials = done(store, search(store, study, space=good, trials=6))
    assert all(t.intermediate for t in trials if t.state == "complete")
    bad = {**good, "fine_tune": {"epochs": 40, "learning_rate": 5.0}, "seed": 200}
    both = {
        "prune": good["prune"],
        "fine_tune": [good["fine_tune"], bad["fine_tune"]],
        "seed": [*good["seed"], 200],
    }
    _, trials = done(store, search(store, study, space=both, trials=14, seed=1))
    early = [t for t in trials if t.state == "pruned"]
    assert early
    assert all("behind the baseline" in t.message for t in early)
    assert all(t.recipe.fine_tune.learning_rate == 5.0 for t in early)
    assert np.isfinite([t.seconds for t in early]).all()
