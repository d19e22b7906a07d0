"""The engine as a process: results, sharing, cancel, faults, recovery, ports."""

import json
import os
import signal
import subprocess
import sys

import psutil

from optimizer.engine.client import ensure_engine, stop_engine
from optimizer.recipe import Recipe
from optimizer.store import Store
from tests.engine.conftest import ROOT, finish, stage_processes, start_engine, wait_until

LONG = {"prune": {}, "fine_tune": {"epochs": 900, "batch_size": 8}}


def ask(store, study, *recipes):
    """Queue recipes as one run."""
    variants = store.add_variants(study.id, [Recipe.parse(recipe) for recipe in recipes])
    ids = [variant.id for variant in variants]
    return store.queue_run("variants", "test", study_id=study.id, variant_ids=ids), ids


def stages(store, run):
    return {stage.name: stage for stage in store.list_stages(run.id)}


def under_way(store, run, name="prune"):
    """Wait until a stage of a run trains; returns it."""

    def training():
        stage = stages(store, run).get(name)
        return stage is not None and stage.state == "running" and stage.numbers.get("epoch", 0) >= 1

    wait_until(training, store)
    return stages(store, run)[name]


def test_a_variant_is_made_and_measured(store, study):
    run, (variant_id,) = ask(store, study, {"quantize": {"mode": "int8"}})
    assert finish(store, run).state == "done"
    variant = store.get_variant(variant_id)
    tflite = store.artifacts.read(variant.stages["convert"], "model.tflite")
    results = variant.results
    assert results["size_bytes"] == len(tflite)
    assert results["gzip_bytes"] < len(tflite)
    assert results["accuracy"] > 0.9
    low, high = results["metric_interval"]
    assert low < results["accuracy"] < high
    assert results["agreement"] > 0.9
    latency = results["latency_ms"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"]
    assert latency["ratio_ci"][0] <= latency["ratio"] <= latency["ratio_ci"][1]
    assert results["peak_memory_bytes"] > 0
    baseline = store.baseline(study.id)
    assert baseline.state == "done"
    assert baseline.results["latency_ms"]["ratio"] is None
    assert store.get_study(study.id).environment["tensorflow"]


def test_what_was_computed_is_shared(store, study):
    tune = {"fine_tune": {"epochs": 2}}
    first, _ = ask(store, study, {"prune": {}, **tune})
    assert finish(store, first).state == "done"
    second, (a, b) = ask(
        store,
        study,
        {"prune": {}, **tune, "quantize": {"mode": "float16"}},
        {"prune": {}, **tune, "quantize": {"mode": "dynamic"}},
    )
    assert finish(store, second).state == "done"
    assert stages(store, second)["prune"].cached
    for variant_id in (a, b):
        results = store.get_variant(variant_id).results
        assert "prune" in results["cached"]
        assert "convert" not in results["cached"]
        assert results["sparsity"] >= 0.79


def test_cancel_ends_the_stage_and_the_next_run_works(store, study):
    run, (variant_id,) = ask(store, study, LONG)
    under_way(store, run)
    assert stage_processes(store.engine_state().pid)
    store.request_cancel(run.id)
    assert finish(store, run).state == "cancelled"
    assert store.get_variant(variant_id).state == "cancelled"
    wait_until(lambda: not stage_processes(store.engine_state().pid), store)
    after, _ = ask(store, study, {"quantize": {"mode": "float16"}})
    assert finish(store, after).state == "done"


def test_a_stage_killed_from_outside_fails_that_run_in_words(store, study):
    run, (variant_id,) = ask(store, study, {**LONG, "seed": 1})
    under_way(store, run)
    for process in stage_processes(store.engine_state().pid):
        process.kill()
    ended = finish(store, run)
    assert ended.state == "failed"
    assert "SIGKILL" in ended.error
    assert "SIGKILL" in store.get_variant(variant_id).error
    after, _ = ask(store, study, {"quantize": {"mode": "dynamic"}})
    assert finish(store, after).state == "done"


def test_a_damaged_result_is_computed_again(store, study):
    recipe = {"quantize": {"mode": "int16x8"}}
    run, (variant_id,) = ask(store, study, recipe)
    assert finish(store, run).state == "done"
    key = store.get_variant(variant_id).stages["evaluate"]
    store.artifacts.path(key, "metrics.json").write_bytes(b"{}")
    stop_engine(store)
    start_engine(store)
    again, _ = ask(store, study, recipe)
    assert finish(store, again).state == "done"
    assert json.loads(store.artifacts.read(key, "metrics.json"))["n"] > 0


def test_a_killed_engine_is_succeeded_and_the_run_resumed(store, study):
    run, (variant_id,) = ask(
        store, study, {"prune": {}, "cluster": {}, "fine_tune": {"epochs": 40, "batch_size": 8}}
    )
    under_way(store, run, "cluster")
    pid = store.engine_state().pid
    children = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(c.is_running() and c.status() != "zombie" for c in children), store)
    start_engine(store)
    assert finish(store, run).state == "done"
    assert stages(store, run)["prune"].cached
    assert store.get_variant(variant_id).state == "done"
    assert "Resumed" in store.read_log(run.id)


def test_what_is_cancelled_while_no_engine_lives_is_cancelled_by_the_next(store, study):
    run, (variant_id,) = ask(store, study, {**LONG, "seed": 2})
    under_way(store, run)
    os.kill(store.engine_state().pid, signal.SIGKILL)
    store.request_cancel(run.id)
    start_engine(store)
    assert finish(store, run).state == "cancelled"
    assert store.get_variant(variant_id).state == "cancelled"
    assert stages(store, run)["prune"].state == "cancelled"


def test_a_second_engine_steps_back(store, study):
    pid = store.engine_state().pid
    second = subprocess.run(
        [sys.executable, "-m", "optimizer.engine"],
        cwd=ROOT,
        env={**os.environ, "FEATHERWEIGHT_HOME": str(store.home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Another engine" in second.stderr
    assert store.engine_state().pid == pid
    assert ensure_engine(store).status == "ready"


def test_only_loopback_listens(store, study):
    engine = psutil.Process(store.engine_state().pid)
    listening = [
        connection.laddr.ip
        for process in (engine, *engine.children(recursive=True))
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) <= {"127.0.0.1", "::1"}


def test_an_engine_that_cannot_start_is_reported_with_its_log(tmp_path, monkeypatch):
    store = Store.open(tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "distributed.py").write_text("raise ImportError('no distributed here')")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    assert ensure_engine(store).status == "starting"
    wait_until(lambda: ensure_engine(store).status == "failed", store)
    assert "no distributed here" in ensure_engine(store).detail


def test_the_engine_can_be_switched_off(tmp_path, monkeypatch):
    monkeypatch.setenv("FEATHERWEIGHT_NO_ENGINE", "1")
    store = Store.open(tmp_path)
    assert ensure_engine(store).status == "off"
    assert store.engine_state() is None


def test_a_runs_variants_are_measured_in_one_window(store, study):
    modes = [{"quantize": {"mode": mode}} for mode in ("float16", "dynamic", "int8")]
    run, ids = ask(store, study, *modes)
    assert finish(store, run).state == "done"
    latencies = [store.get_variant(variant_id).results["latency_ms"] for variant_id in ids]
    assert len({latency["window"] for latency in latencies}) == 1
    assert {latency["files"] for latency in latencies} == {4}, "with the baseline"
    assert len({latency["rounds"] for latency in latencies}) == 1
    assert all(latency["ratio"] for latency in latencies)
    (window,) = [stage for stage in store.list_stages(run.id) if stage.name == "benchmark"]
    assert set(window.variant_ids) == set(ids)
    # The same files again are not measured again; asked for, they are.
    again, _ = ask(store, study, *reversed(modes))
    assert finish(store, again).state == "done"
    assert stages(store, again)["benchmark"].cached
    anew = store.queue_run(
        "latency", "anew", study_id=study.id, variant_ids=ids, options={"repeat": 1}
    )
    assert finish(store, anew).state == "done"
    renewed = [store.get_variant(variant_id).results["latency_ms"] for variant_id in ids]
    assert {item["window"] for item in renewed}.isdisjoint(item["window"] for item in latencies)
    assert [stage.name for stage in store.list_stages(anew.id)] == ["benchmark"]
    assert all(store.get_variant(variant_id).results["accuracy"] > 0.9 for variant_id in ids)


def test_a_variant_is_listed_before_the_run_is_over_and_kept_when_that_is_cancelled(store, study):
    quick, slow = {"quantize": {"mode": "int8", "io": "int8"}}, {**LONG, "seed": 5}
    run, (first, second) = ask(store, study, quick, slow)
    wait_until(lambda: store.get_variant(first).results is not None, store)
    found = store.get_variant(first)
    assert found.state == "running"
    assert found.results["accuracy"] > 0.9
    assert found.results["latency_ms"] is None
    assert store.get_run(run.id).state == "running"
    store.request_cancel(run.id)
    assert finish(store, run).state == "cancelled"
    assert store.get_variant(first).state == "done"
    assert store.get_variant(second).state == "cancelled"
    # Asked for again, only its latency is missing.
    again, _ = ask(store, study, quick)
    assert finish(store, again).state == "done"
    assert store.get_variant(first).results["latency_ms"]["p50"] > 0
    assert stages(store, again)["convert"].cached
