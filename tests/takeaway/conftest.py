"""The small digits models of the techniques' tests, and recipes run by the stages themselves."""

import importlib
import io
import json
import zipfile
from functools import cache
from pathlib import Path

import pytest

from optimizer.plan import StudyObjective, StudyPlan, import_model, prepare_data
from optimizer.recipe import Recipe
from optimizer.stage import ignore_progress
from tests.techniques import conftest as models

arrays, data = models.arrays, models.data
plain_model, plain_files = models.plain_model, models.plain_files
norm_model, norm_files = models.norm_model, models.norm_files

ROOT = Path(__file__).parents[2]
TUNE = {"epochs": 1, "batch_size": 64, "learning_rate": 0.002}
_MADE = ("import_model", "prepare_data")


def recipe(**parts):
    return Recipe.parse({"fine_tune": TUNE, **parts})


def model_config(files):
    with zipfile.ZipFile(io.BytesIO(files["model.keras"])) as archive:
        return archive.read("config.json").decode()


def facts_of(files):
    """What the product knows about a model, as far as scripts need it."""
    from optimizer.models.flat import load_flat
    from optimizer.techniques.eligible import clusterable, prunable, quantizable

    model = load_flat(files["model.keras"])
    quantize = quantizable(model)
    layers = [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "parameters": layer.count_params(),
            "techniques": {
                "prune": prunable(layer),
                "cluster": clusterable(layer),
                "quantize_aware": quantize[layer.name],
            },
        }
        for layer in model.layers
        if type(layer).__name__ != "InputLayer"
    ]
    ends = [{"name": "end", "shape": [None, 10], "activation": "softmax"}]
    return {"layers": layers, "inputs": ends, "outputs": ends}


def make(recipe, model, data):
    """A variant by the stages that the engine runs: its file, its accuracy, its pruned model."""
    plan = StudyPlan(
        import_model("0" * 64, "model.keras"),
        prepare_data("1" * 64, "data.npz", 0.2, 0),
        StudyObjective("multiclass"),
        threads=1,
    )
    variant = plan.variant(recipe)
    results = {plan.model.key: model, plan.data.key: data}
    for stage in [*variant.convert.upstream(), variant.evaluate]:
        if stage.name in _MADE:
            continue
        module, _, function = stage.function.partition(":")
        inputs = {
            name: results[source.key]
            for name, source in stage.inputs.items()
            if source.key in results
        }
        run = getattr(importlib.import_module(module), function)
        results[stage.key] = run(stage.params, inputs, ignore_progress)
    metrics = json.loads(results[variant.evaluate.key]["metrics.json"])
    pruned = [results[stage.key] for stage in variant.stages() if stage.name == "prune"]
    return results[variant.convert.key]["model.tflite"], metrics["value"], pruned


@cache
def sample_file(name):
    """A ``.tflite`` of the bundled sample study, by its variant's name."""
    with zipfile.ZipFile(ROOT / "sample_models" / "digits_cnn.study.zip") as archive:
        variants = json.loads(archive.read("study.json"))["variants"]
        key = next(item["stages"]["convert"] for item in variants if item["name"] == name)
        return archive.read(f"artifacts/{key}/model.tflite")


@pytest.fixture(scope="session")
def plain_facts(plain_files):
    return facts_of(plain_files)


@pytest.fixture(scope="session")
def norm_facts(norm_files):
    return facts_of(norm_files)
