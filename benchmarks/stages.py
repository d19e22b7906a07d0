"""What the engine adds to a stage, and evaluation in batches."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import guide_cnn
from benchmarks.findings import row
from benchmarks.live import cold_store, quiet, study_of
from optimizer.engine.pool import Pool
from optimizer.engine.process import preload
from optimizer.engine.runner import StageRunner
from optimizer.keys import Source, Stage
from optimizer.measure.interpreter import predict
from optimizer.recipe import Recipe
from optimizer.session import run_recipes
from optimizer.settings import Settings, capacity
from optimizer.store import Store
from optimizer.store.records import Study
from optimizer.study_plan import study_plan

ROOT = Path(__file__).resolve().parents[1]
_CHAIN, _REPEATS, _IMAGES = 20, 3, 2000
_EPOCHS = 4
_RECIPE = {"prune": {}, "fine_tune": {"epochs": _EPOCHS}}


def overhead() -> None:
    """Stages that do nothing, one after the other, through scheduler, process and store."""
    with tempfile.TemporaryDirectory(prefix="featherweight-bench-") as folder:
        seconds = asyncio.run(_chain(Store.open(Path(folder))))
    row("the engine's own time per stage", f"{seconds:.3f} s", "at most 0.3 s")


async def _chain(store: Store) -> float:
    pool = Pool(Settings(), capacity(Settings()), store.home / "tmp")
    await pool.start()
    await asyncio.to_thread(preload)
    runner = StageRunner(store, pool)
    source: Stage | Source = Source(store.files.write(b"x" * 10**6))
    started = time.perf_counter()
    for number in range(_CHAIN):
        function = "optimizer.engine.process:ready"
        stage = Stage("nothing", function, "Nothing", {"number": number}, {"file": source})
        await runner.run(stage, lambda _: None)
        source = stage
    seconds = time.perf_counter() - started
    await pool.stop()
    return seconds / _CHAIN


def alone() -> None:
    """One pruning with the engine, as a call in a script, and as a whole script."""
    through_engine, calls, scripts = [], [], []
    with tempfile.TemporaryDirectory(prefix="featherweight-plain-") as name, cold_store() as store:
        folder = Path(name)
        study = study_of(store, *guide_cnn.files(folder))
        run_recipes(store, study, [], quiet)
        _write_inputs(store, study, folder)
        for seed in range(_REPEATS):
            recipe = {**_RECIPE, "seed": seed}
            run_recipes(store, study, [Recipe.parse(recipe)], quiet)
            run = store.list_runs(study_id=study.id, limit=1)[0]
            (stage,) = (s for s in store.list_stages(run.id) if s.name == "prune")
            through_engine.append(stage.seconds or 0.0)
            started = time.perf_counter()
            command = [sys.executable, "-m", "benchmarks.one_stage", name, json.dumps(recipe)]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            scripts.append(time.perf_counter() - started)
            calls.append(float(done.stdout.split()[-1]))
    engine, call, script = map(median, (through_engine, calls, scripts))
    row("one pruning: with the engine / the same call in a script", f"{engine / call:.2f}", "1.05")
    row("the same / a fresh script with its imports", f"{engine / script:.2f}", "well below 1")


def _write_inputs(store: Store, study: Study, folder: Path) -> None:
    """What pruning starts from, as files."""
    plan = study_plan(store, study.id, threads=1)
    for name, stage in (("model", plan.model), ("data", plan.data)):
        (folder / name).mkdir()
        for file, content in store.artifacts.read_all(stage.key).items():
            (folder / name / file).write_bytes(content)


def batches() -> None:
    """Evaluation of a ``.tflite`` on 2,000 images, in batches and one by one."""
    with tempfile.TemporaryDirectory(prefix="featherweight-plain-") as name, cold_store() as store:
        study = study_of(store, *guide_cnn.files(Path(name)))
        modes = [{"quantize": {"mode": mode}} for mode in ("float16", "int8")]
        variants = run_recipes(store, study, [Recipe.parse(mode) for mode in modes], quiet)
        files = [store.artifacts.read(v.stages["convert"], "model.tflite") for v in variants]
    arrays = guide_cnn.images()
    x, y = arrays["x_train"][:_IMAGES], arrays["y_train"][:_IMAGES]
    for title, tflite in zip(("float32", "float16", "int8"), files, strict=True):
        times = []
        for _ in range(_REPEATS):
            started = time.perf_counter()
            (scores,) = predict(tflite, [x])
            middle = time.perf_counter()
            accuracy = _one_by_one(tflite, x, y)
            times.append((middle - started, time.perf_counter() - middle))
            assert abs(float(np.mean(scores.argmax(1) == y)) - accuracy) < 0.002
        ratio = median(one / batch for batch, one in times)
        row(f"evaluating {_IMAGES:,} images, {title}: one by one / batches", f"{ratio:.1f} times")


def _one_by_one(tflite: bytes, x: np.ndarray, y: np.ndarray) -> float:
    """Accuracy as the guides measure it: one sample at a time."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    right = 0
    for sample, label in zip(x, y, strict=True):
        interpreter.set_tensor(source["index"], sample[None].astype("float32"))
        interpreter.invoke()
        right += int(interpreter.get_tensor(target["index"])[0].argmax() == label)
    return right / len(y)
