"""The same walk with real stages: TensorFlow trains, and what comes out is the same file."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from optimizer import samples
from optimizer.engine.client import stop_engine
from optimizer.engine.lock import holder
from optimizer.recipe import Recipe
from optimizer.store import Store
from tests.engine.conftest import ROOT, finish, stage_processes, start_engine, wait_until
from tests.faults.writing import check_whole

RECIPE = {
    "prune": {},
    "cluster": {},
    "quantize": {"mode": "int8", "aware": True},
    "fine_tune": {"epochs": 12, "batch_size": 8},
}
STAGES = ("prune", "cluster", "quantize_aware", "convert", "evaluate", "benchmark")


def reading(store):
    model = store.add_model("cancer_mlp.h5", samples.load_sample_model("cancer_mlp"))
    data = store.add_dataset("cancer.npz", samples.DATASETS["cancer"].path.read_bytes())
    return {
        "import_model": store.queue_run("import_model", "model", model_id=model.id),
        "prepare_data": store.queue_run("prepare_data", "data", dataset_id=data.id),
    }


def open_study(store):
    (model,), (data,) = store.list_models(), store.list_datasets()
    return store.create_study("cancer", model.id, data.id, "binary")


def ask(store, study):
    variant = store.add_variant(study.id, Recipe.parse(RECIPE))
    return store.queue_run("variants", "walk", study_id=study.id, variant_ids=[variant.id])


def under_way(store, run, name):
    """Wait until a stage runs, or has: some are over in a moment."""
    began = ("running", "done")
    wait_until(
        lambda: any(s.name == name and s.state in began for s in store.list_stages(run.id)), store
    )


def kill_stages(store, run, name):
    """Kill the process of a stage as soon as it runs; whether the run failed for it."""
    under_way(store, run, name)
    for process in stage_processes(store.engine_state().pid):
        process.kill()
    ended = finish(store, run, 900)
    assert ended.state == "done" or "SIGKILL" in ended.error
    return ended.state == "failed"


def succeed(store, run, name):
    """Kill the engine while a stage runs, and start the next."""
    under_way(store, run, name)
    pid = holder(store.home)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: holder(store.home) is None, store)
    check_whole(store.home).close()
    start_engine(store)


def files_of(store):
    """What the baseline and the variant became."""
    (study,) = store.list_studies()
    variants = store.list_variants(study.id)
    assert [variant.state for variant in variants] == ["done", "done"]
    assert all(variant.results["latency_ms"]["p50"] > 0 for variant in variants)
    return {v.name: store.artifacts.read(v.stages["convert"], "model.tflite") for v in variants}


@pytest.fixture
def undisturbed(tmp_path):
    """The files as they become when nothing is killed."""
    store = Store.open(tmp_path / "undisturbed")
    start_engine(store)
    assert [finish(store, run).state for run in reading(store).values()] == ["done", "done"]
    run = ask(store, open_study(store))
    assert finish(store, run, 900).state == "done"
    stop_engine(store)
    return files_of(store)


@pytest.mark.slow
def test_real_stages_killed_at_every_stage_end_in_words_and_the_next_run_makes_them(
    tmp_path, undisturbed
):
    store = Store.open(tmp_path / "home")
    start_engine(store)
    try:
        for name in ("import_model", "prepare_data"):
            kill_stages(store, reading(store)[name], name)
        assert [finish(store, run).state for run in reading(store).values()] == ["done", "done"]
        study = open_study(store)
        failed = [name for name in STAGES if kill_stages(store, ask(store, study), name)]
        assert {"prune", "cluster", "quantize_aware"} <= set(failed)
        assert finish(store, ask(store, study), 900).state == "done"
        assert files_of(store) == undisturbed
    finally:
        stop_engine(store)


@pytest.mark.slow
def test_a_real_engine_killed_at_every_stage_is_succeeded(tmp_path, undisturbed):
    store = Store.open(tmp_path / "home")
    start_engine(store)
    try:
        runs = reading(store)
        for name, run in runs.items():
            succeed(store, run, name)
        assert [finish(store, run).state for run in runs.values()] == ["done", "done"]
        run = ask(store, open_study(store))
        for name in STAGES:
            succeed(store, run, name)
        assert finish(store, run, 900).state == "done"
        assert files_of(store) == undisturbed
        check_whole(store.home).close()
    finally:
        stop_engine(store)


def start_app(home):
    """A real server of the app; returns it once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.headless", "true"]
    with (home / "server.log").open("ab") as log:
        app = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *options],
            cwd=ROOT,
            env={**os.environ, "FEATHERWEIGHT_HOME": str(home)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def answers():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health") as reply:
                return reply.status == 200
        except OSError:
            return False

    wait_until(answers, Store.open(home))
    return app


@pytest.mark.slow
def test_a_real_app_killed_at_every_stage_disturbs_no_run(tmp_path, undisturbed):
    store = Store.open(tmp_path / "home")
    start_engine(store)
    engine = holder(store.home)
    try:
        assert [finish(store, run).state for run in reading(store).values()] == ["done", "done"]
        run = ask(store, open_study(store))
        for name in STAGES:
            app = start_app(store.home)
            under_way(store, run, name)
            os.killpg(app.pid, signal.SIGKILL)
            app.wait()
        assert finish(store, run, 900).state == "done"
        assert holder(store.home) == engine
        assert files_of(store) == undisturbed
    finally:
        stop_engine(store)
