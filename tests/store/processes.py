"""What the tests run in other processes; imported there by name, so no test lives here."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

from optimizer.recipe import Quantize, Recipe
from optimizer.store import RunStage, Store

from .building import key


def open_at_once(home: Path, start: Barrier, opened: Any) -> None:
    """Open a store that does not exist yet at the same moment as others."""
    start.wait()
    store = Store.open(home)
    opened.put(store.add_model("m.keras", b"the same bytes").id)


def work_in_study(home: Path, study_id: str, worker: int, start: Barrier) -> None:
    """Add and update variants, runs, stages, logs and artifacts beside other workers."""
    store = Store.open(home)
    start.wait()
    for i in range(25):
        shared = store.add_variant(study_id, Recipe(quantize=Quantize(mode="int8"), seed=i + 1))
        own = store.add_variant(
            study_id, Recipe(quantize=Quantize(mode="float16"), seed=1000 * worker + i + 1)
        )
        store.update_variant(own.id, state="done", results={"worker": worker, "i": i})
        run = store.queue_run("variants", f"{worker}.{i}", study_id=study_id, variant_ids=[own.id])
        stage = key(f"stage {i}")
        store.put_stage(RunStage(run.id, stage, "convert", "Convert", (shared.id,)))
        store.artifacts.write(stage, {"model.tflite": b"x" * 10_000, "layers.json": b"{}"})
        store.append_log(run.id, f"worker {worker} step {i}")


def claim_everything(home: Path, start: Barrier, claimed: Any) -> None:
    """Claim queued runs until there are none."""
    store = Store.open(home)
    start.wait()
    mine = []
    while queued := store.next_queued_runs(limit=5):
        mine += [run.id for run in queued if store.claim_run(run.id) is not None]
    claimed.put(mine)


def add_pairs_for_ever(home: Path, model_id: str, dataset_id: str, started: Event) -> None:
    """Until killed: a study and its two variants in one transaction, over and over."""
    store = Store.open(home)
    for i in range(1_000_000):
        with store._db.write():
            study = store.create_study(f"s{i}", model_id, dataset_id, "multiclass")
            store.add_variants(study.id, [Recipe(), Recipe(quantize=Quantize(mode="int8"))])
        if i == 3:
            started.set()


def write_artifacts_for_ever(home: Path, started: Event) -> None:
    """Until killed: one artifact after another."""
    store = Store.open(home)
    for i in range(1_000_000):
        files = {f"{name}.bin": bytes([i % 256]) * 300_000 for name in "abc"}
        store.artifacts.write(key(f"endless {i}"), files)
        if i == 3:
            started.set()


def die_at_every_flush(home: Path) -> None:
    """Write one artifact in a child that is killed at its n-th flush, for n = 1, 2, … until
    one survives; after each death the artifact must not be listed. Exits with 1 if it is.
    """
    store, content = Store.open(home), {"a.bin": b"a" * 5000, "b.bin": b"b" * 5000}
    for point in range(1, 100):
        target = key(f"kill point {point}")
        if (child := os.fork()) == 0:
            _kill_at_flush(point)
            store.artifacts.write(target, content)
            os._exit(0)
        died = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        whole = store.artifacts.verify(target) and store.artifacts.read_all(target) == content
        if store.artifacts.has(target) and not whole:
            os._exit(1)
        if not died:
            os._exit(0 if whole and point > 4 else 2)
    os._exit(3)


def write_on_both_sides_of_a_fork(home: Path) -> None:
    """Use one store in a parent and its forked child; exits with 1 when either goes wrong."""
    store = Store.open(home)
    store.add_model("before.keras", b"before")
    if (child := os.fork()) == 0:
        for i in range(20):
            store.add_model(f"child{i}.keras", b"child")
        os._exit(0)
    for i in range(20):
        store.add_model(f"parent{i}.keras", b"parent")
    failed = os.waitpid(child, 0)[1] != 0 or len(store.list_models()) != 41
    os._exit(int(failed))


def _kill_at_flush(point: int) -> None:
    flush, count = os.fsync, 0

    def counted(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == point:
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)
        flush(descriptor)

    os.fsync = counted
