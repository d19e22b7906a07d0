"""Stages on a Dask cluster of separate processes, on loopback with mutual TLS."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from optimizer import samples
from optimizer.engine.client import stop_engine
from optimizer.engine.cluster import security_from
from optimizer.engine.remote import make_certificates, worker_host
from optimizer.errors import InputError
from optimizer.recipe import Recipe
from optimizer.store import Store
from tests.engine.conftest import ROOT, finish, stage_processes, start_engine, wait_until

RECIPE = {"prune": {}, "cluster": {}, "quantize": {"mode": "int8", "aware": True}}
LONG = {"prune": {}, "fine_tune": {"epochs": 60, "batch_size": 8}}


class Cluster:
    """A scheduler and its workers, each a process."""

    def __init__(self, folder):
        self.folder, self.tls = folder, folder / "tls"
        make_certificates(self.tls)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"tls://127.0.0.1:{self.port}"
        self.processes = {}
        self.start_scheduler()

    def start_scheduler(self):
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--tls", str(self.tls)]
        self.launch("scheduler", "scheduler", *options)
        self.wait("scheduler", "Scheduler at")

    def start_worker(self, name, *options):
        self.launch_worker(name, *options)
        return self.address_of(name)

    def launch_worker(self, name, *options):
        tls = ["--tls", str(self.tls), "--host", "127.0.0.1", "--slots", "1"]
        self.launch(name, "worker", self.address, *tls, *options)

    def address_of(self, name):
        """A worker's address, once it is ready."""
        self.wait(name, "Worker at")
        return re.search(r"Worker at (\S+):", self.said(name))[1]

    def launch(self, name, *arguments):
        with (self.folder / f"{name}.log").open("w") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "optimizer.engine.remote", *arguments],
                cwd=ROOT,
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
                stdout=log,
                stderr=log,
            )

    def wait(self, name, ready):
        deadline = time.monotonic() + 90
        while ready not in self.said(name):
            assert self.processes[name].poll() is None, self.said(name)
            assert time.monotonic() < deadline, self.said(name)
            time.sleep(0.05)

    def said(self, name):
        return (self.folder / f"{name}.log").read_text()

    def kill(self, name):
        os.kill(self.processes[name].pid, signal.SIGKILL)
        self.processes.pop(name).wait()

    def stop(self):
        for name in list(self.processes):
            self.kill(name)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    running = Cluster(tmp_path_factory.mktemp("cluster"))
    running.launch_worker("plain")
    running.launch_worker("labelled", "--benchmark")
    running.plain, running.labelled = map(running.address_of, ("plain", "labelled"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def remote(cluster, tmp_path_factory):
    """A store whose engine runs its stages on the cluster, with the smallest sample in it."""
    store = Store.open(tmp_path_factory.mktemp("remote"))
    settings = {"FEATHERWEIGHT_SCHEDULER": cluster.address, "FEATHERWEIGHT_TLS": str(cluster.tls)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        start_engine(store)
    yield store, read_sample(store)
    stop_engine(store)


def read_sample(store):
    model = store.add_model("cancer_mlp.h5", samples.load_sample_model("cancer_mlp"))
    data = store.add_dataset("cancer.npz", samples.DATASETS["cancer"].path.read_bytes())
    runs = [
        store.queue_run("import_model", "model", model_id=model.id),
        store.queue_run("prepare_data", "data", dataset_id=data.id),
    ]
    assert [finish(store, run).state for run in runs] == ["done", "done"]
    return store.create_study("cancer", model.id, data.id, "binary")


def ask(store, study, *recipes):
    variants = store.add_variants(study.id, [Recipe.parse(recipe) for recipe in recipes])
    ids = [variant.id for variant in variants]
    return store.queue_run("variants", "test", study_id=study.id, variant_ids=ids), ids


def file_of(store, variant_id):
    return store.artifacts.read(store.get_variant(variant_id).stages["convert"], "model.tflite")


def test_the_same_recipe_gives_the_same_keys_and_bytes_as_at_home(remote, cluster, store, study):
    there, (far,) = ask(*remote, RECIPE)
    here, (near,) = ask(store, study, RECIPE)
    assert finish(remote[0], there).state == finish(store, here).state == "done"
    assert remote[0].get_variant(far).stages == store.get_variant(near).stages
    assert file_of(remote[0], far) == file_of(store, near)
    log = remote[0].read_log(there.id)
    assert f"Measure latency: started on {cluster.labelled}" in log
    assert (
        log.count(f"Prune: started on {cluster.plain}")
        + log.count(f"Prune: started on {cluster.labelled}")
        == 1
    )


def test_the_engine_says_where_stages_run(remote, cluster):
    state = remote[0].engine_state()
    assert f"{cluster.address}: 2 of 2 workers usable, 2 stages at a time" in state.detail
    assert state.slots == 2
    assert {worker["address"]: worker["benchmark"] for worker in state.workers} == {
        cluster.plain: False,
        cluster.labelled: True,
    }


def test_a_stage_whose_worker_is_lost_is_run_again(remote, cluster):
    """Both slots train, so that the worker that is killed has a stage under way."""
    store, study = remote
    run, ids = ask(store, study, LONG, {**LONG, "seed": 1})
    wait_until(lambda: sum(s.state == "running" for s in store.list_stages(run.id)) == 2, store)
    assert f"Prune: started on {cluster.plain}" in store.read_log(run.id)
    children = psutil.Process(cluster.processes["plain"].pid).children(recursive=True)
    cluster.kill("plain")
    assert finish(store, run, 180).state == "done"
    assert [store.get_variant(variant_id).state for variant_id in ids] == ["done", "done"]
    log = store.read_log(run.id)
    assert log.count("Prune: started") == 3
    assert "its worker was lost; it is run again" in log
    wait_until(
        lambda: not any(c.is_running() and c.status() != "zombie" for c in children), store, 20
    )


def test_cancelling_kills_the_stage_on_the_worker(remote, cluster):
    store, study = remote
    run, _ = ask(store, study, {**LONG, "seed": 2, "fine_tune": {"epochs": 900, "batch_size": 4}})
    pid = cluster.processes["labelled"].pid
    wait_until(lambda: bool(stage_processes(pid)), store)
    store.request_cancel(run.id)
    assert finish(store, run).state == "cancelled"
    wait_until(lambda: not stage_processes(pid), store)


def test_a_benchmark_waits_for_a_labelled_worker_and_says_so(remote, cluster):
    store, study = remote
    cluster.kill("labelled")
    cluster.plain = cluster.start_worker("plain")
    run, (variant_id,) = ask(store, study, {"quantize": {"mode": "float16"}})
    wait_until(
        lambda: "waits for a worker that may measure latency" in store.read_log(run.id), store
    )
    assert store.get_variant(variant_id).results["latency_ms"] is None
    cluster.labelled = cluster.start_worker("labelled", "--benchmark")
    assert finish(store, run).state == "done"
    assert store.get_variant(variant_id).results["latency_ms"]["p50"] > 0


def test_a_lost_scheduler_is_joined_again(remote, cluster):
    store, study = remote
    run, (variant_id,) = ask(store, study, {**LONG, "seed": 3})
    wait_until(
        lambda: any(s.numbers.get("epoch", 0) >= 1 for s in store.list_stages(run.id)), store
    )
    cluster.stop()
    cluster.start_scheduler()
    cluster.start_worker("labelled", "--benchmark")
    assert finish(store, run, 180).state == "done"
    assert store.get_variant(variant_id).results["sparsity"] > 0.79


def test_only_loopback_listens(remote, cluster):
    pids = [process.pid for process in cluster.processes.values()]
    listening = [
        connection.laddr.ip
        for pid in (*pids, remote[0].engine_state().pid)
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_who_has_other_certificates_does_not_get_in(cluster, tmp_path):
    make_certificates(tmp_path / "other")
    command = ["worker", cluster.address, "--tls", str(tmp_path / "other"), "--host", "127.0.0.1"]
    done = subprocess.run(
        [sys.executable, "-m", "optimizer.engine.remote", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "Cannot connect" in done.stderr


def test_without_tls_a_worker_listens_on_this_machine_only():
    assert worker_host("tcp://127.0.0.1:8786", None) == "127.0.0.1"
    assert worker_host("tls://10.0.0.5:8786", "10.0.0.6") == "10.0.0.6"
    for host in ("0.0.0.0", "10.0.0.6", "::"):
        with pytest.raises(InputError, match="without TLS"):
            worker_host("tcp://127.0.0.1:8786", host)


def test_a_key_that_others_can_read_is_refused(tmp_path):
    make_certificates(tmp_path / "tls")
    assert security_from(str(tmp_path / "tls")).require_encryption
    (tmp_path / "tls" / "key.pem").chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        security_from(str(tmp_path / "tls"))


def test_certificates_are_private_and_never_written_over(tmp_path):
    make_certificates(tmp_path / "tls")
    for file in (tmp_path / "tls").iterdir():
        assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(InputError, match="is there already"):
        make_certificates(tmp_path / "tls")
