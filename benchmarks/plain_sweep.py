"""Variants as a straightforward script makes them: ``python -m benchmarks.plain_sweep FOLDER``.

``--threads N`` gives TensorFlow as many; without it, it takes what it likes, as a script's does.
``--part I N`` makes every N-th variant only, from the I-th on.

One process, one variant after the other, each from the baseline as the guides do it, with the
same training, conversion and data as the workbench, and accuracy in a loop over single samples.
Reads ``model.keras``, ``data.npz`` and ``recipes.json`` and prints a line of JSON per variant,
with the file's SHA-256.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.keys import Stage
from optimizer.plan import StudyObjective, StudyPlan, import_model, prepare_data
from optimizer.recipe import Recipe
from optimizer.stage import Files, ignore_progress
from optimizer.tf_environment import configure


def main(folder: Path, threads: int | None, part: tuple[int, int]) -> None:
    """Make variants of ``recipes.json``."""
    configure()
    import tensorflow as tf
    import tf_keras

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    read = {name: (folder / name).read_bytes() for name in ("model.keras", "data.npz")}
    plan = StudyPlan(
        import_model("0" * 64, "model.keras"),
        prepare_data("1" * 64, "data.npz", 0.2, 0),
        StudyObjective("multiclass"),
        threads=1,
    )
    given = {
        plan.model.key: call(plan.model, {"file": {"data": read["model.keras"]}}),
        plan.data.key: call(plan.data, {"file": {"data": read["data.npz"]}}),
    }
    with np.load(io.BytesIO(given[plan.data.key]["arrays.npz"])) as arrays:
        x, y = arrays["x_test"], arrays["y_test"]
    first, step = part
    for recipe in json.loads((folder / "recipes.json").read_text())[first::step]:
        started = time.perf_counter()
        tf_keras.backend.clear_session()
        tflite = _variant(plan, Recipe.parse(recipe), given)
        accuracy = evaluate(tflite, x, y)
        seconds = time.perf_counter() - started
        found = {"size_bytes": len(tflite), "sha256": hashlib.sha256(tflite).hexdigest()}
        print(json.dumps(found | {"accuracy": accuracy, "seconds": seconds}), flush=True)


def evaluate(tflite: bytes, x: np.ndarray, y: np.ndarray) -> float:
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


def _variant(plan: StudyPlan, recipe: Recipe, given: dict[str, Files]) -> bytes:
    made = dict(given)
    for stage in plan.variant(recipe).convert.upstream():
        if stage.key not in made:
            inputs = {name: made[source.key] for name, source in stage.inputs.items()}
            made[stage.key] = call(stage, inputs)
    return made[plan.variant(recipe).convert.key]["model.tflite"]


def call(stage: Stage, inputs: dict[str, Any]) -> Files:
    """Run a stage in this process."""
    module, _, name = stage.function.partition(":")
    files: Files = getattr(importlib.import_module(module), name)(
        stage.params, inputs, ignore_progress
    )
    return files


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1))
    given = parser.parse_args()
    main(given.folder, given.threads, tuple(given.part))
