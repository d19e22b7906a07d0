"""The stages of a recipe, run one after the other as the engine does, for tests."""

import json

from optimizer.measure import accuracy
from optimizer.recipe import Recipe
from optimizer.stage import ignore_progress
from optimizer.techniques import clustering, conversion, pruning, quantize_aware

TUNE = {"epochs": 3, "batch_size": 64, "learning_rate": 0.002}
QUICK = {**TUNE, "epochs": 1}


def recipe_part(**changes):
    """Parameters that every training stage takes."""
    return {"fine_tune": TUNE, "layers": {}, "seed": 0, "task": "multiclass", **changes}


def override(**changes):
    """A layer override with what is not named left to the recipe."""
    return {"final_sparsity": None, "number_of_clusters": None, "quantize": None, **changes}


KERNELS = ("CONV_2D", "FULLY_CONNECTED")


def quantize(mode="none", **changes):
    recipe = Recipe.parse({"quantize": {"mode": mode, **changes}})
    return recipe.model_dump(mode="json")["quantize"]


def convert(model, data, *, sparse_encoding=False, **changes):
    params = {"quantize": quantize(**changes), "sparse_encoding": sparse_encoding, "seed": 0}
    return conversion.stage(params, {"model": model, "data": data}, ignore_progress)


def facts(converted):
    return json.loads(converted["layers.json"])


def kernels(converted):
    return [layer for layer in facts(converted)["layers"] if layer["type"] in KERNELS]


def measured_accuracy(converted, data):
    files = accuracy.stage(
        {"task": "multiclass"}, {"model": converted, "data": data}, ignore_progress
    )
    return json.loads(files["metrics.json"])["value"]


def half():
    """A schedule that ends with half of the weights zero."""
    return {"kind": "polynomial", "final_sparsity": 0.5}


def prune(files, data, layers=None, tune=TUNE, task="multiclass", loss=None, **part):
    prune = Recipe.parse({"prune": part}).model_dump(mode="json")["prune"]
    params = recipe_part(prune=prune, layers=layers or {}, fine_tune=tune, task=task, loss=loss)
    return pruning.stage(params, {"model": files, "data": data}, ignore_progress)


def cluster(
    files,
    data,
    *,
    preserve_sparsity=False,
    layers=None,
    number_of_clusters=8,
    tune=TUNE,
    task="multiclass",
    **part,
):
    part = Recipe.parse({"cluster": {"number_of_clusters": number_of_clusters, **part}})
    params = recipe_part(
        cluster=part.model_dump(mode="json")["cluster"],
        preserve_sparsity=preserve_sparsity,
        layers=layers or {},
        fine_tune=tune,
        task=task,
    )
    return clustering.stage(params, {"model": files, "data": data}, ignore_progress)


def train_quantized(
    files,
    data,
    *,
    keep_zeros=False,
    clusters=None,
    granularity="per_channel",
    layers=None,
    tune=TUNE,
    task="multiclass",
):
    params = recipe_part(
        keep_zeros=keep_zeros,
        number_of_clusters=clusters,
        granularity=granularity,
        layers=layers or {},
        fine_tune=tune,
        task=task,
    )
    return quantize_aware.stage(params, {"model": files, "data": data}, ignore_progress)


def broken_promises(converted):
    """The promises that a file does not keep."""
    promises = json.loads(converted["audit.json"])["promises"]
    return [item for item in promises if not item["kept"]]


def promises(converted):
    """What was promised of a file, in words."""
    return [item["promise"] for item in json.loads(converted["audit.json"])["promises"]]
