"""Situations with plausible facts, for tests of what is advised and said."""

from optimizer.advise.case import Case
from optimizer.advise.ladder import Step
from optimizer.advise.situation import LayerWeights, Operators, Situation
from optimizer.advise.wish import Wish
from optimizer.recipe import Recipe
from tests.variants import baseline, results, variant

ALL = ("prune", "cluster", "channels", "quantize_aware")


def layer(name, parameters=4000, techniques=ALL, kind="Dense"):
    """A layer that some techniques can act on."""
    able = {key: None if key in techniques else "It cannot." for key in ALL}
    return {"name": name, "type": kind, "parameters": parameters, "weights": [], "techniques": able}


def facts(*layers, kind="keras"):
    """``facts.json`` of a model; of two layers that everything can act on unless said."""
    known = list(layers) or [layer("big"), layer("small", 400)]
    return {"kind": kind, "layers": known, "inputs": [], "outputs": []}


def weights(**values):
    """The baseline's weight tensors: name → number of values."""
    return tuple(LayerWeights(name, n, 4 * n) for name, n in values.items())


def situation(*variants, model=None, task="multiclass", **more):
    """A study with a baseline and some variants."""
    known = {
        "data_facts": {"train": 1000, "test": 400},
        "metric": None if task == "unlabelled" else "accuracy",
        "weights": weights(big=40_000, small=4_000),
        **more,
    }
    return Situation(model or facts(), task=task, variants=(baseline(), *variants), **known)


def case(recipe, *variants, step=None, known=None, target="cpu", priority="download", lose=0.01):
    """A recipe to judge."""
    wish = Wish(target, priority, lose)
    return Case(Recipe.parse(recipe), known or situation(*variants), wish, step)


def done(name, recipe, value=0.96, **changes):
    """A measured variant; the baseline's accuracy is 0.96, its interval ±."""
    return variant(name, recipe, found=results(value=value, **changes))


def step(kind, kept=None, broke=None):
    """How a recipe stands to the measured ones of its family."""
    return Step(kind, kept, broke)


def operators(**in_float):
    """Of a file: which compute in float32."""
    return Operators({"int8": 5}, in_float)


INT8 = {"quantize": {"mode": "int8"}}
AWARE = {"quantize": {"mode": "int8", "aware": True}}
FLOAT16 = {"quantize": {"mode": "float16"}}
DYNAMIC = {"quantize": {"mode": "dynamic"}}
INT16 = {"quantize": {"mode": "int16x8"}}
ENDS = {"quantize": {"mode": "int8", "io": "int8"}}
PRUNE = {"prune": {"schedule": {"kind": "polynomial", "final_sparsity": 0.8}}}
CLUSTER = {"cluster": {"number_of_clusters": 16}}
CHANNELS = {"prune": {"structure": {"kind": "channels"}}}
SPARSE = {**PRUNE, "sparse_encoding": True}
ALL_THREE = {**PRUNE, **CLUSTER, **AWARE}
