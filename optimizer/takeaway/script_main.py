"""The two functions of a plain script that are written anew for each recipe."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping
from typing import Any

from optimizer.data.objective import UNLABELLED, losses_for
from optimizer.presets import explain
from optimizer.recipe import Prune, Recipe
from optimizer.takeaway.script_values import fits_wrappers, normalizes_dense, removes_channels

Facts = Mapping[str, Any]

_LOOPS = frozenset("RNN SimpleRNN LSTM GRU Bidirectional".split())
_FIXED_BATCH = _LOOPS | frozenset("ConvLSTM1D ConvLSTM2D ConvLSTM3D GroupNormalization".split())
_POOLINGS_3D = frozenset(("MaxPooling3D", "AveragePooling3D"))
_OPERATORS = {
    "int8": "tf.lite.OpsSet.TFLITE_BUILTINS_INT8",
    "int16x8": "tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
}
_CRITERIA = {
    "magnitude": "lambda *_: magnitude",
    "gradient": "taylor",
    "random": "lambda *_: at_random(SEED)",
}


def converter_function(recipe: Recipe, facts: Facts) -> str:
    """``make_converter``: the recipe's way to a ``.tflite``."""
    quantize, calibrates = recipe.quantize, calibrated(recipe)
    fixed = _has(facts, _FIXED_BATCH)
    source = "keras_converter" if fixed else "tf.lite.TFLiteConverter.from_keras_model"
    lines = [f"converter = {source}(model)"]
    if quantize.mode != "none":
        lines.append("converter.optimizations = [tf.lite.Optimize.DEFAULT]")
    if quantize.mode == "float16":
        lines.append("converter.target_spec.supported_types = [tf.float16]")
    if calibrates:
        lines += [
            "converter.target_spec.supported_ops = operators",
            "converter.representative_dataset = representative_dataset(model, data.x_train)",
        ]
    if quantize.granularity == "per_tensor":
        lines.append("converter._experimental_disable_per_channel = True")
    if quantize.io != "float32":
        lines += [
            f"converter.inference_input_type = tf.{quantize.io}",
            f"converter.inference_output_type = tf.{quantize.io}",
        ]
    arguments = ", data: Arrays, operators: list[Any]" if calibrates else ""
    head = (
        f'def make_converter(model: Any{arguments}) -> Any:\n    """How the file is written."""\n'
    )
    return head + _indented([*lines, "return converter"])


def main_function(
    recipe: Recipe, facts: Facts, task: str, loss: str | None, model_config: str | None
) -> str:
    """``main``: the recipe, step by step."""
    explained = iter(enumerate(explain(recipe), 1))
    lines = [
        "tf.config.threading.set_intra_op_parallelism_threads(THREADS)",
        "tf.config.threading.set_inter_op_parallelism_threads(1)",
        "data = load_data(DATA)",
        "model = keras.models.load_model(MODEL, compile=False)",
    ]
    steps = _training(recipe, facts, model_config)
    lines += _objective(facts, task, loss) if steps else []
    if removes_channels(recipe):
        number, words = next(explained)
        lines += ["", *_comment(number, f"{words} Featherweight has done that: see MODEL.")]
    for step in steps:
        number, words = next(explained)
        lines += ["", *_comment(number, words), "make_deterministic(SEED)", step]
    number, words = next(explained)
    lines += ["", *_comment(number, words), *_conversion(recipe, facts)]
    lines += ["RESULT.write_bytes(tflite)", "print(sizes(tflite))"]
    if task != UNLABELLED:
        lines.append(f"print({task}_score(predict(tflite, data.x_test), data))")
    head = 'def main() -> None:\n    """Make the file, and print its size and its quality."""\n'
    return head + _indented(lines)


def _comment(number: int, words: str) -> list[str]:
    return textwrap.wrap(f"{number}. {words}", 94, initial_indent="# ", subsequent_indent="#    ")


def calibrated(recipe: Recipe) -> bool:
    """Whether conversion takes the ranges of activations from training samples."""
    return recipe.quantize.mode in _OPERATORS and not recipe.quantize.aware


def _indented(lines: list[str]) -> str:
    return "\n".join(f"    {line}" if line else "" for line in lines) + "\n"


def _objective(facts: Facts, task: str, loss: str | None) -> list[str]:
    (name,) = losses_for([task], loss)
    activation = facts["outputs"][0].get("activation")
    shaped = 'data.y_train.reshape(len(data.y_train), *model.output_shape[1:]).astype("float32")'
    targets = {"multiclass": "data.y_train", "reconstruction": "data.x_train"}.get(task, shaped)
    return [
        f'loss = make_loss("{name}", "{activation}")',
        f"targets = {targets}",
        "objective = Objective([data.x_train], [targets], [loss])",
    ]


def _training(recipe: Recipe, facts: Facts, model_config: str | None) -> list[str]:
    """One statement per stage that trains."""
    steps = []
    if recipe.prune and not removes_channels(recipe):
        steps.append(_prune(recipe.prune, fits_wrappers(facts, "prune", model_config)))
    if recipe.cluster:
        wrappers = "in_preserving_wrappers" if recipe.leaves_zeros else "in_clustering_wrappers"
        fit = fits_wrappers(facts, "cluster", model_config)
        usual = fit and not recipe.leaves_zeros and not recipe.cluster.per_channel
        step = "cluster" if usual else "cluster_everywhere"
        start = "fold_into_next(model)" if normalizes_dense(facts, model_config) else "model"
        steps.append(f"model = {step}({start}, objective, {wrappers})")
    if recipe.quantize.aware:
        steps.append("model = train_quantized(model, data, objective)")
    return steps


def _prune(prune: Prune, wrappers_fit: bool) -> str:
    usual = (prune.structure.kind, prune.criterion, prune.scope)
    criterion = _CRITERIA[prune.criterion]
    if usual != ("unstructured", "magnitude", "layer"):
        return f"model = prune_by_masks(model, objective, {criterion})"
    if wrappers_fit:
        return "model = prune(model, objective)"
    return f"model = prune_by_both(model, objective, {criterion})"


def _conversion(recipe: Recipe, facts: Facts) -> list[str]:
    lines = []
    if calibrated(recipe) and _has(facts, _LOOPS):
        lines.append("model = unrolled(model)  # representative data covers no loops")
    if _has(facts, _POOLINGS_3D):
        lines.append("model = with_flat_pooling(model)  # TFLite has no 3-D pooling")
    return lines + _written(recipe)


def _has(facts: Facts, types: Collection[str]) -> bool:
    return any(layer["type"] in types for layer in facts["layers"])


def _written(recipe: Recipe) -> list[str]:
    if recipe.sparse_encoding:
        return [
            "dense = make_converter(model).convert()",
            "tflite = without_zeros(make_converter(model), dense)",
        ]
    if not calibrated(recipe):
        return ["tflite = make_converter(model).convert()"]
    return [
        f"operators = [{_OPERATORS[recipe.quantize.mode]}]",
        "try:",
        "    tflite = make_converter(model, data, operators).convert()",
        "except Exception:  # an operator has no integer form: it stays in float",
        "    operators.append(tf.lite.OpsSet.TFLITE_BUILTINS)",
        "    tflite = make_converter(model, data, operators).convert()",
    ]
