"""Engines that are doubled, hang, meet a full disk or a clock that is set."""

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from optimizer.engine import client, lock, pool, service
from optimizer.engine.client import ensure_engine, stop_engine
from optimizer.engine.execution import Execution
from optimizer.engine.lock import EngineLock, EngineRunningError, holder, started_at
from optimizer.engine.runner import StageRunner
from optimizer.engine.service import MOST_VAIN_RESUMES, Engine
from optimizer.keys import Stage, StoredResult
from optimizer.logs.setup import stderr_path
from optimizer.run_progress import RESUMED
from optimizer.settings import Settings, capacity
from optimizer.store import Store, StoreError
from optimizer.store.database import Database
from optimizer.store.records import EngineState
from tests.engine.conftest import finish
from tests.faults.test_engine_walk import SWEEP, Workbench, ask, end, open_study, read_files
from tests.store.building import build_study, key


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "home")


@pytest.fixture
def bench(memory):
    opened = Workbench(memory / "home")
    opened.walk()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def working(tmp_path_factory):
    """An engine that works, and a study; shared by tests that leave it working."""
    opened = Workbench(tmp_path_factory.mktemp("working") / "home")
    opened.walk()
    opened.engine()
    assert [finish(opened.store, run).state for run in read_files(opened.store)] == ["done"] * 2
    open_study(opened.store)
    yield opened
    opened.close()


def say(store, **changes):
    """What an engine that is this process would say of itself."""
    pid = os.getpid()
    state = EngineState(pid, started_at(pid), "2026-08-01T12:00:00.000+00:00", "ready")
    store.set_engine_state(dataclasses.replace(state, **changes))


def test_two_apps_that_start_at_once_start_one_engine(bench):
    apps = [bench.launch("tests.faults.app", stdout=subprocess.PIPE) for _ in range(3)]
    try:
        bench.wait(lambda: (s := bench.store.engine_state()) is not None and s.status == "ready")
        for app in apps:
            while app.stdout.readline().strip() != "ready":
                assert app.poll() is None
        pid = holder(bench.home)
        assert bench.store.engine_state().pid == pid
        engines = [
            process.pid
            for process in psutil.process_iter(["cmdline", "environ"])
            if "tests.faults.engine" in (process.info["cmdline"] or ())
            and (process.info["environ"] or {}).get("FEATHERWEIGHT_HOME") == str(bench.home)
        ]
        assert engines == [pid]
        assert [finish(bench.store, run).state for run in read_files(bench.store)] == ["done"] * 2
    finally:
        for app in apps:
            end(app)


def test_an_engine_that_starts_beside_another_steps_back_and_disturbs_nothing(bench):
    pid = bench.engine()
    bench.wait(lambda: (s := bench.store.engine_state()) is not None and s.status == "ready")
    second = bench.launch("tests.faults.engine")
    assert second.wait(120) == 0
    # What an app that was late wrote of the second one is put right by the first.
    say(bench.store, status="starting")
    bench.wait(lambda: bench.store.engine_state().pid == pid)
    assert ensure_engine(bench.store).status == "ready"
    assert "Another engine works on this store already" in (bench.home / "engine.log").read_text()


def test_the_lock_of_a_dead_engine_holds_nobody_up(store):
    (store.home / lock.LOCK_FILE).write_text("4242\n")
    assert holder(store.home) is None
    with EngineLock(store.home):
        assert holder(store.home) == os.getpid()
        with pytest.raises(EngineRunningError, match="Another engine"), EngineLock(store.home):
            pass
    assert holder(store.home) is None


def test_a_process_id_that_was_given_again_is_no_engine_and_is_not_ended(store, monkeypatch):
    other = subprocess.Popen(["sleep", "600"])
    try:
        for status in ("ready", "warming", "starting", "stopping"):
            say(store, pid=other.pid, process_start=started_at(other.pid) - 100, status=status)
            assert client._status(store) is None
            assert not stop_engine(store)
        # Nor is this very process one, as long as it holds no lock.
        say(store)
        assert client._status(store) is None
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("years", [10, -10])
def test_a_clock_that_is_set_makes_no_engine_dead(store, monkeypatch, years):
    jump = years * 365 * 86_400
    with EngineLock(store.home):
        say(store)
        assert ensure_engine(store).status == "ready"
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        monkeypatch.setattr(psutil, "boot_time", lambda: jump)
        assert ensure_engine(store).status == "ready"
        say(store, heartbeat_at=f"{2026 + years}-08-01T12:00:02.000+00:00")
        assert ensure_engine(store).status == "ready"
        say(store, status="starting")
        assert client._is_starting(store.engine_state())


def test_an_engine_that_hangs_is_said_and_a_restart_ends_it(bench, monkeypatch):
    """Stopped, as by a debugger or a full terminal: it lives, holds its lock, and says nothing."""
    pid = bench.engine()
    bench.wait(lambda: (s := bench.store.engine_state()) is not None and s.status == "ready")
    monkeypatch.setattr(client, "_SILENT_SECONDS", 4.0)
    os.kill(pid, signal.SIGSTOP)
    bench.wait(lambda: ensure_engine(bench.store).status == "failed")
    found = ensure_engine(bench.store)
    assert f"(process {pid}) lives and has said nothing" in found.detail
    assert "Restart it on the Settings page" in found.detail
    assert stop_engine(bench.store, timeout_seconds=0.5)
    bench.wait(lambda: holder(bench.home) is None)


def test_an_engine_whose_app_does_not_look_after_it_is_stopped_all_the_same(store, monkeypatch):
    """It stays a zombie while the app that started it lives and nobody opens a page."""
    child = "import time; time.sleep(600)"
    code = (
        f"import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', {child!r}]); "
        "print(p.pid, flush=True); time.sleep(600)"
    )
    app = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        pid = int(app.stdout.readline())
        monkeypatch.setattr(client, "holder", lambda home: pid)
        assert stop_engine(store)
        assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    finally:
        app.kill()
        app.wait()


def test_a_folder_in_which_no_engine_can_start_is_said_and_can_be_looked_at(store, monkeypatch):
    stderr_path(store.home).mkdir()
    found = ensure_engine(store)
    assert found.status == "failed"
    assert "cannot be started" in found.detail
    assert "Is a directory" in found.detail
    assert "can be looked at" in found.detail
    assert ensure_engine(store).status == "failed"


def test_broken_settings_stop_an_engine_with_a_sentence_in_its_log(bench):
    (bench.home / "settings.json").write_text("{")
    engine = bench.launch("tests.faults.engine")
    assert engine.wait(120) == 1
    log = (bench.home / "engine.log").read_text()
    assert "cannot be read as JSON. Mend it, or delete it for the defaults." in log
    assert "Traceback" not in log


def failing(monkeypatch, for_a_while):
    """Let every change of the database meet a full disk as long as ``for_a_while()``."""
    write = Database.write

    def refused(self, **options):
        if for_a_while():
            raise StoreError("The store: the disk is full. Free some space and try again.")
        return write(self, **options)

    monkeypatch.setattr(Database, "write", refused)


def test_an_engine_outlives_a_disk_that_is_full_for_a_while(store, monkeypatch):
    """Runs end in words as soon as that can be written, and the next ones work."""
    study = build_study(store)
    broken = store.queue_run("latency", "Latency", study_id=study.id, variant_ids=[])
    refusals, full = [], []
    monkeypatch.setattr(service, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(service, "HEARTBEAT_SECONDS", 0.05)

    def is_full():
        refusals.extend([1] * bool(full))
        return bool(full)

    failing(monkeypatch, is_full)
    engine = Engine(store, Settings(slots=1))
    engine._preloads = False

    async def work(self):
        full.append(True)
        raise StoreError("The store: the disk is full. Free some space and try again.")

    monkeypatch.setattr(Execution, "_work", work)

    async def serve():
        serving = asyncio.create_task(
            engine.serve(finished=lambda: store.get_run(broken.id).state == "failed")
        )
        while len(refusals) < 8:
            await asyncio.sleep(0.01)
        assert not serving.done()
        assert store.get_run(broken.id).state == "running"
        full.clear()
        await serving

    asyncio.run(serve())
    assert store.get_run(broken.id).error.startswith("The store: the disk is full")
    assert store.engine_state() is None


def test_a_run_that_ends_engine_after_engine_fails_in_words(store, monkeypatch):
    study = build_study(store)
    variant = next(v for v in store.list_variants(study.id) if v.state == "queued")
    run = store.queue_run("variants", "Run", study_id=study.id, variant_ids=[variant.id])
    store.claim_run(run.id)
    for _ in range(MOST_VAIN_RESUMES):
        store.append_log(run.id, RESUMED)
    engine = Engine(store, Settings(slots=1))
    engine._recover()
    found = store.get_run(run.id)
    assert found.state == "failed"
    assert (
        f"The engine ended {MOST_VAIN_RESUMES + 1} times while this run was under way"
        in found.error
    )
    assert store.get_variant(variant.id).state == "failed"
    # A stage that was done in between, or somebody who stopped the engine, means it gets on.
    for line in ("Prune: done in 1.0 s", service.STOPPED):
        text = "\n".join([*[RESUMED] * 9, line, *[RESUMED] * 2])
        assert service._vain_resumes(text) == 2


def test_an_internal_error_leaves_nothing_of_the_run_under_way(working):
    """A stage's result that is not what it should be: a defect, but no run hangs on it."""
    store, (study,) = working.store, working.store.list_studies()
    recipe = {**SWEEP[1], "seed": 7}
    assert finish(store, ask(store, study, recipe)).state == "done"
    variant = next(v for v in store.list_variants(study.id) if v.recipe.seed == 7)
    stage = variant.stages["convert"]
    files = store.artifacts.read_all(stage)
    store.artifacts.discard(stage)
    store.artifacts.write(stage, {**files, "audit.json": b"{}"})
    run = ask(store, study, recipe, {**SWEEP[1], "seed": 8})
    ended = finish(store, run)
    assert ended.state == "failed"
    assert "An internal error ended this run: KeyError" in ended.error
    assert {v.state for v in store.list_variants(study.id)} <= {"done", "failed"}
    assert {s.state for s in store.list_stages(run.id)} <= {"done", "cancelled"}


def test_a_result_that_is_damaged_while_the_engine_lives_is_made_again(working):
    store, (study,) = working.store, working.store.list_studies()
    recipe = {**SWEEP[0], "seed": 9}
    assert finish(store, ask(store, study, recipe)).state == "done"
    variant = next(v for v in store.list_variants(study.id) if v.recipe.seed == 9)
    cluster = variant.stages["cluster"]
    store.artifacts.path(cluster, "model.keras").write_bytes(b"damaged")
    ended = finish(store, ask(store, study, {**recipe, "quantize": {"mode": "int8"}}))
    assert ended.state == "done"
    assert store.artifacts.verify(cluster)
    stored = [line[2] for line in working.journal() if line[0] == "stored"]
    assert stored.count(cluster) == 2


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_an_upload_that_is_lost_is_asked_for_again(working, damage):
    store, content = working.store, f"PK {damage}".encode()
    model = store.add_model("other.keras", content)
    path = store.file_path(model.sha256)
    path.unlink()
    if damage == "changed":
        path.write_bytes(b"PK modem")
    run = finish(store, store.queue_run("import_model", "Model", model_id=model.id))
    assert run.state == "failed"
    assert "Upload it again" in run.error
    assert "worker" not in run.error
    again = store.add_model("other.keras", content)
    assert again.id == model.id
    run = store.queue_run("import_model", "Model", model_id=again.id)
    assert finish(store, run).state == "done"


def test_damage_that_nobody_could_notice_in_time_is_said_and_then_mended(store, tmp_path):
    """Bits that turn on the medium change no file's time: reading them finds it."""
    store.artifacts.write(key("a"), {"model.keras": b"model"})
    stage = Stage("prune", "f:g", "Prune", {}, {"model": StoredResult(key("a"))})
    runner = StageRunner(store, pool.Pool(Settings(), capacity(Settings()), tmp_path))
    given = dataclasses.replace(stage, inputs={})
    store.artifacts.write(given.key, {"model.keras": b"model"})
    path = store.artifacts.path(given.key, "model.keras")
    times = path.stat()
    assert runner.has(given)
    path.write_bytes(b"modem")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert runner.has(given)
    with pytest.raises(StoreError, match=r"damaged\. Run its variant again"):
        runner._reader(given)()
    assert not runner.has(given)
