"""One pruning as a script: ``python -m benchmarks.one_stage FOLDER RECIPE`` prints its seconds.

``FOLDER`` has what the stages before it left, in ``model`` and ``data``.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from optimizer.keys import Stage
from optimizer.plan import StudyObjective, StudyPlan, import_model, prepare_data
from optimizer.recipe import Recipe
from optimizer.stage import Files, ignore_progress
from optimizer.tf_environment import configure


def main(folder: str, recipe: str) -> None:
    """Read model and data, then prune; only that is timed."""
    configure()
    import tensorflow as tf
    import tensorflow_model_optimization  # noqa: F401

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    plan = StudyPlan(
        import_model("0" * 64, "model.keras"),
        prepare_data("1" * 64, "data.npz", 0.2, 0),
        StudyObjective("multiclass"),
        threads=1,
    )
    stages = plan.variant(Recipe.parse(json.loads(recipe))).stages()
    (prune,) = (stage for stage in stages if stage.name == "prune")
    inputs = {
        name: {path.name: path.read_bytes() for path in (Path(folder) / name).iterdir()}
        for name in prune.inputs
    }
    started = time.perf_counter()
    _call(prune, inputs)
    print(time.perf_counter() - started)


def _call(stage: Stage, inputs: Mapping[str, Files]) -> None:
    module, _, name = stage.function.partition(":")
    getattr(importlib.import_module(module), name)(stage.params, inputs, ignore_progress)


if __name__ == "__main__":
    main(*sys.argv[1:])
