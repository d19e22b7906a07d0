"""A recipe's values as the constants of a plain script, and what no script can do."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.errors import InputError
from optimizer.recipe import Recipe

Facts = Mapping[str, Any]

_WRAPPABLE = frozenset(
    "Conv1D Conv2D Conv3D Conv2DTranspose Conv3DTranspose SeparableConv1D SeparableConv2D "
    "Dense".split()
)
"""Layer types that tfmot's wrappers take, called once and without a mask."""

_MASKING = frozenset("Embedding Masking LSTM GRU SimpleRNN RNN Bidirectional".split())
_NORMALIZING = ("BatchNormalization", "Dropout", "GaussianDropout", "GaussianNoise")
"""Directly, or as what a Dense layer may get it through."""
_LONGEST = 88
_OWN_LAYERS = ("TensorOperation", "RMSNormalization")
_NO_KERAS = "The model was not brought as a Keras model, which is what a script starts from."
_OWN = (
    "The model has operations of Keras 3 that Keras 2 lacks. Featherweight has layers of its own "
    "for them, so that a script without Featherweight cannot load the model."
)
_INITIALIZATIONS = {
    "kmeans++": "KMEANS_PLUS_PLUS",
    "linear": "LINEAR",
    "density": "DENSITY_BASED",
    "random": "RANDOM",
}


@dataclass(frozen=True)
class Constant:
    """A value as Python source, and what it means."""

    source: str
    comment: str


def refuse_the_impossible(facts: Facts, model_config: str | None) -> None:
    """See :func:`optimizer.takeaway.script.plain_script`.

    Raises:
        InputError: why there can be no script.
    """
    own = {layer["type"] for layer in facts["layers"]} & set(_OWN_LAYERS)
    inputs, outputs = len(facts["inputs"]), len(facts["outputs"])
    reason = None
    if (inputs, outputs) != (1, 1):
        reason = (
            f"The model has {inputs} input{'s' * (inputs != 1)} and {outputs} "
            f"output{'s' * (outputs != 1)}; scripts are written for one of each."
        )
    if facts.get("kind", "keras") != "keras":
        reason = _NO_KERAS
    elif own or "featherweight>" in (model_config or ""):
        reason = _OWN
    if reason:
        raise InputError(f"There is no plain script for this variant. {reason}")


def constants(recipe: Recipe, facts: Facts, threads: int) -> dict[str, Constant]:
    """Name → value for everything that a script of this recipe might use."""
    tune, quantize = recipe.fine_tune, recipe.quantize
    start = "the model before anything was done to it"
    if removes_channels(recipe):
        start = "the model after its channels were removed"
    values = {
        "MODEL": Constant(f'Path("{start_file(recipe)}")', start),
        "DATA": Constant('Path("data.npz")', "x_train, y_train, x_test, y_test"),
        "RESULT": Constant('Path("model.tflite")', "what the script writes"),
        "THREADS": Constant(str(threads), "another number changes the last digits of training"),
        "SEED": Constant(str(recipe.seed), "of everything random"),
        "EPOCHS": Constant(str(tune.epochs), "in each training"),
        "BATCH_SIZE": Constant(str(tune.batch_size), "training samples per step"),
        "LEARNING_RATE": Constant(repr(tune.learning_rate), "of Adam"),
        "CALIBRATION_SAMPLES": Constant(
            str(quantize.calibration_samples), "training samples that set activation ranges"
        ),
    }
    logits = facts["outputs"][0].get("activation") != "sigmoid"
    values["THRESHOLD"] = Constant("0.0" if logits else "0.5", "outputs above it are class 1")
    return values | _pruning(recipe, facts) | _clustering(recipe, facts) | _preserving(recipe)


def removes_channels(recipe: Recipe) -> bool:
    """Whether channels are removed, which takes more code than a plain script has room for."""
    return recipe.prune is not None and recipe.prune.structure.kind == "channels"


def start_file(recipe: Recipe) -> str:
    """The model file that a script of this recipe reads."""
    return "narrowed.keras" if removes_channels(recipe) else "model.keras"


def fits_wrappers(facts: Facts, technique: str, model_config: str | None) -> bool:
    """Whether tfmot's wrapper is known to fit every layer that a technique acts on."""
    types = {layer["type"] for layer in facts["layers"]}
    names = {layer["type"] for layer in facts["layers"] if _able(layer, technique)}
    return names <= _WRAPPABLE and not types & _MASKING and _each_called_once(model_config)


def normalizes_dense(facts: Facts, model_config: str | None) -> bool:
    """Whether a Dense layer may get the output of a BatchNormalization."""
    types = {layer["name"]: layer["type"] for layer in facts["layers"]}
    if "BatchNormalization" not in types.values():
        return False
    if model_config is None:
        return "Dense" in types.values()
    return any(
        types.get(source) in _NORMALIZING
        for layer in json.loads(model_config)["config"]["layers"]
        if layer["class_name"] == "Dense"
        for node in layer["inbound_nodes"]
        for source, *_ in node
    )


def _each_called_once(model_config: str | None) -> bool:
    if model_config is None:
        return False
    layers = json.loads(model_config)["config"]["layers"]
    return all(len(layer.get("inbound_nodes", [])) <= 1 for layer in layers)


def _able(layer: Mapping[str, Any], technique: str) -> bool:
    return layer["techniques"].get(technique, "unknown") is None


def _pruning(recipe: Recipe, facts: Facts) -> dict[str, Constant]:
    prune = recipe.prune
    if prune is None:
        return {}
    final = prune.schedule.final
    names = [layer["name"] for layer in facts["layers"] if _able(layer, "prune")]
    finals = dict.fromkeys(names, final)
    if prune.gentle_ends and names:
        finals |= dict.fromkeys((names[0], names[-1]), final / 2)
    for name, override in recipe.layers.items():
        if override.final_sparsity is not None:
            finals[name] = override.final_sparsity
    competing = [name for name in finals if prune.scope == "global" and finals[name] == final]
    dump = prune.model_dump(mode="json")
    return {
        "SCHEDULE": Constant(_source(dump["schedule"]), "begin and end are shares of the training"),
        "SPARSITY": Constant(_source(finals), "layer: share of zeros in the end"),
        "STRUCTURE": Constant(_source(dump["structure"]), "which weights become zero together"),
        "COMPETING": Constant(_source(competing), "layers that share one threshold"),
    }


def _clustering(recipe: Recipe, facts: Facts) -> dict[str, Constant]:
    cluster = recipe.cluster
    if cluster is None:
        return {}
    counts = {
        layer["name"]: cluster.number_of_clusters
        for layer in facts["layers"]
        if _able(layer, "cluster")
    }
    counts |= _cluster_overrides(recipe)
    initialization = _INITIALIZATIONS[cluster.cluster_centroids_init]
    params = {
        "cluster": cluster.model_dump(mode="json"),
        "preserve_sparsity": recipe.leaves_zeros,
        "seed": recipe.seed,
    }
    return {
        "CLUSTERS": Constant(_source(counts), "layer: number of shared values"),
        "CENTROIDS": Constant(
            f"tfmot.clustering.keras.CentroidInitialization.{initialization}",
            "where the shared values start",
        ),
        "CLUSTERING": Constant(_source(params), "how weights are shared"),
    }


def _preserving(recipe: Recipe) -> dict[str, Constant]:
    params = {
        "keep_zeros": recipe.leaves_zeros,
        "number_of_clusters": recipe.cluster and recipe.cluster.number_of_clusters,
        "layers": {
            name: {"number_of_clusters": count}
            for name, count in _cluster_overrides(recipe).items()
        },
    }
    skipped = [name for name, override in recipe.layers.items() if override.quantize is False]
    return {
        "PRESERVE": Constant(_source(params), "what quantization-aware training keeps"),
        "FLOAT_LAYERS": Constant(_source(skipped), "what quantization-aware training leaves out"),
        "PER_CHANNEL": Constant(
            str(recipe.quantize.granularity == "per_channel"),
            "whether each output channel of a convolution has a scale of its own",
        ),
    }


def _cluster_overrides(recipe: Recipe) -> dict[str, int]:
    return {
        name: override.number_of_clusters
        for name, override in recipe.layers.items()
        if override.number_of_clusters is not None
    }


def _source(value: Any) -> str:
    """A JSON value as Python source: on one line if it fits, else one entry per line."""
    line = _one_line(value)
    if len(line) <= _LONGEST or not isinstance(value, dict | list):
        return line
    if isinstance(value, dict):
        entries = [f"{_one_line(key)}: {_source(item)}" for key, item in value.items()]
        return "{\n" + textwrap.indent("".join(f"{entry},\n" for entry in entries), "    ") + "}"
    return "[\n" + textwrap.indent("".join(f"{_source(item)},\n" for item in value), "    ") + "]"


def _one_line(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{_one_line(key)}: {_one_line(item)}" for key, item in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_one_line, value))}]"
    return json.dumps(value) if isinstance(value, str) else repr(value)
