"""The engine as it is, but for stages that take no time, and with places where it stands still.

``python -m tests.faults.engine`` works on ``FEATHERWEIGHT_HOME``. ``… nursery`` reads lines from
standard input and forks an engine for each, which is quicker than starting one. In the store's
folder it reads and writes

- ``walk.json``: ``phases``, at which it stands still the first time it comes to them, as
  ``stage:phase`` each; and ``hold``, the stages that are to be under way for ever;
- ``visited``: the places where an engine has stood still;
- ``journal``: ``started`` and ``stored`` with the stage and its key, and ``at`` with the place.
"""

import dataclasses
import json
import os
import sys
import time
import zipfile
from functools import cache
from pathlib import Path

from optimizer.bundled import STUDY_FILE
from optimizer.engine import __main__ as program
from optimizer.engine import pool, process, run_stages, runner, service
from optimizer.engine.forks import Forks
from optimizer.store import Store
from optimizer.store.artifacts import Artifacts

NAMES = {
    "models.stage:import_model": "import_model",
    "data.stage:prepare_data": "prepare_data",
    "techniques.pruning:stage": "prune",
    "techniques.clustering:stage": "cluster",
    "techniques.quantize_aware:stage": "quantize_aware",
    "techniques.conversion:stage": "convert",
    "measure.accuracy:stage": "evaluate",
    "measure.latency:stage": "benchmark",
}
"""What runs a stage → its name."""
LABELS = {
    "Read the model": "import_model",
    "Read the data": "prepare_data",
    "Prune": "prune",
    "Cluster": "cluster",
    "Quantization-aware training": "quantize_aware",
    "Convert to TFLite": "convert",
    "Measure accuracy": "evaluate",
    "Measure latency": "benchmark",
}


def home():
    return Path(os.environ["FEATHERWEIGHT_HOME"])


def note(*words):
    """Write a line into the journal."""
    with (home() / "journal").open("a") as file:
        file.write(" ".join(words) + "\n")


def wanted():
    """What ``walk.json`` says now."""
    try:
        return json.loads((home() / "walk.json").read_text())
    except FileNotFoundError:
        return {}


def is_new(place):
    """Whether the engine is to stand still at a place and none has yet."""
    visited = home() / "visited"
    seen = visited.read_text().split() if visited.exists() else []
    return place.partition(":")[2] in wanted().get("phases", ()) and place not in seen


def visit(place):
    """Note that the engine stands still here, so that the next one does not."""
    with (home() / "visited").open("a") as file:
        file.write(place + "\n")
    note("at", place)


def stand_still(place):
    """Whoever comes here waits to be killed."""
    if is_new(place):
        visit(place)
        time.sleep(3600)


@cache
def smallest_tflite():
    with zipfile.ZipFile(STUDY_FILE) as archive:
        names = [info for info in archive.infolist() if info.filename.endswith(".tflite")]
        return archive.read(min(names, key=lambda info: info.file_size))


def quick(key, call, *rest):
    """A job like the real one, for the stage that takes no time."""
    name = NAMES[call.function.removeprefix("optimizer.")]
    held = is_new(f"{name}:running")
    walk = {"stage": name, "hold": held or name in wanted().get("hold", ())}
    if name == "convert":
        walk["tflite"] = smallest_tflite()
    if held:
        _held[key] = f"{name}:running"
    call = dataclasses.replace(call, function="tests.faults.stages:work", params={"walk": walk})
    _names[key] = name
    return pool.Job(key, call, *rest)


_held, _names = {}, {}


def install():
    """Put the quick stages and the places into the engine."""
    run, write = pool.Pool.run, Artifacts.write
    log, claim = run_stages.RunStages.log, Store.claim_run
    update_variant, update_run = Store.update_variant, Store.update_run

    async def watched_run(self, job, listen):
        def hear(event):
            if event.get("started"):
                note("started", _names[job.key], job.key)
                if job.key in _held and is_new(_held[job.key]):
                    visit(_held[job.key])
            listen(event)

        return await run(self, job, hear)

    def watched_write(self, key, files, meta=None):
        name = _names[key]
        stand_still(f"{name}:writing")
        write(self, key, files, meta)
        note("stored", name, key)
        stand_still(f"{name}:stored")

    def watched_log(self, text, *event, **fields):
        log(self, text, *event, **fields)
        label, _, ending = text.partition(": ")
        if ending.startswith("done in"):
            stand_still(f"{LABELS[label]}:recorded")

    def watched_claim(self, run_id):
        claimed = claim(self, run_id)
        stand_still(f"{claimed.kind}:claimed")
        return claimed

    def watched_variant(self, variant_id, **changes):
        stand_still(f"variant-{changes['state']}:before")
        update_variant(self, variant_id, **changes)
        stand_still(f"variant-{changes['state']}:after")

    def watched_update(self, run_id, **changes):
        stand_still(f"run-{changes.get('state')}:before")
        update_run(self, run_id, **changes)

    pool.Pool.run, Artifacts.write = watched_run, watched_write
    run_stages.RunStages.log, Store.claim_run = watched_log, watched_claim
    Store.update_variant, Store.update_run = watched_variant, watched_update
    runner.Job = quick
    process._forks = Forks(preload="tests.faults.stages")
    service.preload = lambda: None
    service.MOST_VAIN_RESUMES = 10_000  # what ends the engine here is the test


def nursery():
    """Fork an engine for each line."""
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            os.setsid()
            os._exit(program.main())
        print(child, flush=True)
        os.waitpid(child, 0)


if __name__ == "__main__":
    install()
    if sys.argv[1:] == ["nursery"]:
        nursery()
    else:
        raise SystemExit(program.main())
