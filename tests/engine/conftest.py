"""One real engine for all tests that need one: TensorFlow is imported once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from optimizer import samples
from optimizer.engine.client import stop_engine
from optimizer.store import Store
from optimizer.store.records import FINISHED

ROOT = Path(__file__).parents[2]


def start_engine(store):
    """An engine process of a store; waits until it is ready."""
    with (store.home / "engine.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "optimizer.engine"],
            cwd=ROOT,
            env={**os.environ, "FEATHERWEIGHT_HOME": str(store.home)},
            stdout=log,
            stderr=log,
        )
    wait_until(
        lambda: (
            (state := store.engine_state()) is not None
            and state.pid == process.pid
            and state.status == "ready"
        ),
        store,
        300,
    )
    return process


def wait_until(condition, store, seconds=300):
    """Poll until something holds; shows the engine's log when it never does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError((store.home / "engine.log").read_text()[-5000:])


def finish(store, run, seconds=600):
    """Wait for a run's end and return it."""
    wait_until(lambda: store.get_run(run.id).state in FINISHED, store, seconds)
    return store.get_run(run.id)


def stage_processes(pid):
    """The processes below an engine in which stages run: below its fork server, in own sessions."""
    try:
        servers = psutil.Process(pid).children()
        return [
            child
            for server in servers
            for child in server.children(recursive=True)
            if os.getsid(child.pid) != server.pid
        ]
    except (psutil.NoSuchProcess, ProcessLookupError):
        return []


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return Store.open(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="session")
def engine(store):
    yield start_engine(store)
    stop_engine(store)


@pytest.fixture(scope="session")
def study(store, engine):
    """The smallest sample, read by the engine."""
    model = store.add_model("cancer_mlp.h5", samples.load_sample_model("cancer_mlp"))
    data = store.add_dataset("cancer.npz", samples.DATASETS["cancer"].path.read_bytes())
    runs = [
        store.queue_run("import_model", "model", model_id=model.id),
        store.queue_run("prepare_data", "data", dataset_id=data.id),
    ]
    assert [finish(store, run).state for run in runs] == ["done", "done"]
    return store.create_study("cancer", model.id, data.id, "binary")
