"""Variants as a straightforward script makes them: ``python -m benchmarks.plain_sweep FOLDER``.

One process, one variant after the other, each from the baseline as the guides do it, with the
same training, conversion and data as the workbench, and accuracy in a loop over single samples.
Reads ``model.keras``, ``data.npz`` and ``recipes.json`` and prints a line of JSON per variant.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.keys import Stage
from optimizer.plan import StudyObjective, StudyPlan, import_model, prepare_data
from optimizer.recipe import Recipe
from optimizer.stage import Files, ignore_progress
from optimizer.tf_environment import configure


def main(folder: str) -> None:
    """Make all variants of ``recipes.json``."""
    configure()
    import tf_keras

    read = {name: (Path(folder) / name).read_bytes() for name in ("model.keras", "data.npz")}
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
    for recipe in json.loads((Path(folder) / "recipes.json").read_text()):
        started = time.perf_counter()
        tf_keras.backend.clear_session()
        tflite = _variant(plan, Recipe.parse(recipe), given)
        accuracy = evaluate(tflite, x, y)
        seconds = time.perf_counter() - started
        line = {"size_bytes": len(tflite), "accuracy": accuracy, "seconds": seconds}
        print(json.dumps(line), flush=True)


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
    main(*sys.argv[1:])
