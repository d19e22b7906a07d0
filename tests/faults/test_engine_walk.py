"""Kills of stages, engines and apps at every stage of a sweep; what was done is done once."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter

import psutil
import pytest

from optimizer.engine.client import stop_engine
from optimizer.engine.lock import holder
from optimizer.recipe import BASELINE, Recipe
from optimizer.store import Store
from tests.engine.conftest import ROOT, finish, stage_processes, wait_until
from tests.faults.writing import check_whole

STAGES = (
    *("import_model", "prepare_data", "prune", "cluster", "quantize_aware"),
    *("convert", "evaluate", "benchmark"),
)
SWEEP = (
    {"prune": {}, "cluster": {}, "quantize": {"mode": "int8", "aware": True}},
    {"prune": {}, "quantize": {"mode": "float16"}},
)


class Workbench:
    """A store, the engines that work on it, and the word they leave of what they do."""

    def __init__(self, home):
        self.home, self.store = home, Store.open(home)
        self.environment = {
            **os.environ,
            "FEATHERWEIGHT_HOME": str(home),
            "FEATHERWEIGHT_SLOTS": "1",
        }
        self.log = (home / "engine.log").open("ab")
        self.nursery, self.launched = None, []

    def launch(self, module, *arguments, **more):
        """A process of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=self.environment,
            stderr=self.log,
            text=True,
            **more,
        )
        self.launched.append(process)
        return process

    def engine(self):
        """Let an engine begin; its process id."""
        if self.nursery is None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self.nursery = self.launch("tests.faults.engine", "nursery", **pipes)
        self.nursery.stdin.write("\n")
        self.nursery.stdin.flush()
        return int(self.nursery.stdout.readline())

    def walk(self, *, phases=(), hold=()):
        """Where engines are to stand still from now on, and which stages never end."""
        draft = self.home / "walk.new"
        draft.write_text(json.dumps({"phases": phases, "hold": hold}))
        draft.replace(self.home / "walk.json")

    def journal(self):
        path = self.home / "journal"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def wait(self, condition, seconds=600):
        wait_until(condition, self.store, seconds)

    def close(self):
        for process in self.launched:
            if process is not self.nursery:  # a test that failed leaves apps, which start engines
                process.kill()
                process.wait()
        stop_engine(self.store)
        if self.nursery:
            self.nursery.communicate(timeout=60)
        self.log.close()


@pytest.fixture
def bench(memory):
    opened = Workbench(memory / "home")
    yield opened
    opened.close()


def read_model(store):
    """Ask for a model to be read; the run."""
    model = store.add_model("digits.keras", b"PK model")
    return store.queue_run("import_model", "Model", model_id=model.id)


def read_data(store):
    """Ask for data to be read; the run."""
    data = store.add_dataset("digits.npz", b"PK data")
    return store.queue_run("prepare_data", "Data", dataset_id=data.id)


def read_files(store):
    """Ask for both; the runs."""
    return [read_model(store), read_data(store)]


def open_study(store):
    """The study of the files that were read."""
    (model,), (data,) = store.list_models(), store.list_datasets()
    return store.create_study("Digits", model.id, data.id, "multiclass")


def ask(store, study, *recipes):
    variants = store.add_variants(study.id, [Recipe.parse(recipe) for recipe in recipes])
    ids = [variant.id for variant in variants]
    return store.queue_run("variants", "Sweep", study_id=study.id, variant_ids=ids)


def end(process):
    """Kill a process of ours."""
    process.kill()
    process.communicate()


def is_under_way(store, run, name):
    """Whether the process of a stage has said something."""
    return any(s.name == name and s.message == "under way" for s in store.list_stages(run.id))


def below(pid):
    """The processes below one, which end with it."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill(bench, pid):
    """Kill an engine and wait until nothing of it is left."""
    children = below(pid)
    os.kill(pid, signal.SIGKILL)
    bench.wait(lambda: holder(bench.home) is None)
    bench.wait(lambda: not any(c.is_running() and c.status() != "zombie" for c in children))


def walk_until_done(bench, runs):
    """Engines that are killed wherever they stand still, one after another, until runs are done."""
    places = []
    for _ in range(200):
        pid = bench.engine()
        before = len(places)

        def come_to_a_stand(before=before):
            places[:] = [line[1] for line in bench.journal() if line[0] == "at"]
            return len(places) > before or all(
                bench.store.get_run(run.id).state == "done" for run in runs
            )

        bench.wait(come_to_a_stand)
        kill(bench, pid)
        check_whole(bench.home).close()
        if all(bench.store.get_run(run.id).state == "done" for run in runs):
            return places
    raise AssertionError(f"The runs are never done: {places}")


def check_done_once(bench):
    """No stage was begun again after its result had been stored."""
    stored = set()
    for line in bench.journal():
        if line[0] == "started":
            assert line[2] not in stored, f"{line[1]} was done already, and is done again"
        elif line[0] == "stored":
            assert line[2] not in stored
            stored.add(line[2])
    return stored


def walk_a_sweep(bench, phases):
    """The whole of a sweep under engines that are killed in all these phases of each stage."""
    bench.walk(phases=phases)
    places = walk_until_done(bench, read_files(bench.store))
    study = open_study(bench.store)
    run = ask(bench.store, study, *SWEEP)
    places = walk_until_done(bench, [run])
    check_done_once(bench)
    log = bench.store.read_log(run.id)
    assert log.count("Resumed: the engine had ended while this was under way.") >= 6
    variants = bench.store.list_variants(study.id)
    assert {variant.state for variant in variants} == {"done"}
    assert all(variant.results["latency_ms"]["p50"] for variant in variants)
    assert {stage.state for stage in bench.store.list_stages(run.id)} == {"done"}
    return places


def test_an_engine_killed_at_every_stage_is_succeeded_and_nothing_is_done_twice(bench):
    places = walk_a_sweep(bench, ["running", "stored"])
    assert Counter(places) == Counter(f"{s}:{p}" for s in STAGES for p in ("running", "stored"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phases", "others"),
    [
        (
            ["writing", "stored", "claimed", "before"],
            {
                "variants:claimed",
                "variant-running:before",
                "variant-done:before",
                "run-done:before",
            },
        ),
        (["running", "recorded", "after"], {"variant-running:after", "variant-done:after"}),
    ],
)
def test_an_engine_killed_at_every_moment_is_succeeded(bench, phases, others):
    """Also between a stage and the next, and before and after everything that is recorded.

    In two walks: a stage that was stored is not begun again, and so never recorded as run.
    """
    places = set(walk_a_sweep(bench, phases))
    assert places >= {f"{stage}:{phase}" for stage in STAGES for phase in phases[:2]}
    assert places >= others


def test_a_stage_or_an_app_killed_at_every_stage_ends_nothing_else(bench):
    """A stage that is killed ends its variant in words; asked for again, only it is made."""
    store, study = bench.store, None
    bench.walk()
    apps = []

    def app():
        """A server of the app in place of the one before, which is killed."""
        for old in apps:
            end(old)
        apps[:] = [bench.launch("tests.faults.app", stdout=subprocess.PIPE)]
        return apps[0].stdout.readline().strip()

    assert app() in ("starting", "ready")
    bench.wait(lambda: (s := store.engine_state()) is not None and s.status == "ready")
    engine = holder(bench.home)
    for stage in STAGES:
        reads = {"import_model": read_model, "prepare_data": read_data}.get(stage)
        if reads is None and study is None:
            study = open_study(store)
        bench.walk(hold=[stage])
        run = reads(store) if reads else ask(store, study, *SWEEP)
        bench.wait(lambda stage=stage, run=run: is_under_way(store, run, stage))
        assert app() == "ready", "the next app finds the engine that the last one started"
        assert holder(bench.home) == engine
        bench.walk()
        for process in stage_processes(engine):
            process.kill()
        ended = finish(store, run)
        assert ended.state == "failed", stage
        assert "SIGKILL" in ended.error
        check_whole(bench.home, busy=True).close()
        if reads:
            assert finish(store, reads(store)).state == "done"
    assert finish(store, ask(store, study, *SWEEP)).state == "done"
    assert store.baseline(study.id).recipe == BASELINE
    check_done_once(bench)
    end(apps[0])
    assert holder(bench.home) == engine
