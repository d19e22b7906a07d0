"""Writing a ``.tflite``, and reading back what was written. Runs in stage processes only.

Source: https://ai.google.dev/edge/litert/models/post_training_quantization.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from optimizer.data.arrays import load_arrays
from optimizer.errors import StageError
from optimizer.measure.audit import audit
from optimizer.measure.interpreter import signature_names
from optimizer.measure.tflite_file import TfliteFile, describe
from optimizer.models.flat import load_flat
from optimizer.stage import Files, Progress
from optimizer.techniques.promises import read_promises
from optimizer.techniques.quantize_aware import restore
from optimizer.techniques.training import make_deterministic

_RECURRENT = (keras.layers.RNN, keras.layers.Bidirectional)
_INT16X8 = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Convert a model to TFLite in the recipe's quantization mode, and run it once.

    Args:
        params: ``quantize``, ``sparse_encoding`` and ``seed`` as in a recipe.
        inputs: ``model`` with ``model.keras`` (``ranges.npz`` after QAT, ``promises.json``
            after pruning, clustering and QAT); ``data`` with ``arrays.npz`` where the mode
            needs a representative dataset.
        progress: told before each step.

    Returns:
        ``model.tflite``; ``layers.json``: what :func:`describe` reads out of it;
        ``conversion.json`` with notes for a person, and ``inputs`` and ``outputs``: the
        signature's names in the model's order; ``audit.json`` with what :func:`audit`
        found about each of the recipe's promises.

    Raises:
        StageError: TensorFlow cannot convert the model, or the runtime cannot execute the file.
    """
    make_deterministic(params["seed"])
    quantize = params["quantize"]
    progress(0.0, "building the model")
    if quantize["aware"]:
        model = restore(inputs["model"])
    else:
        model = load_flat(inputs["model"]["model.keras"])
    samples = None
    if quantize["mode"] in ("int8", "int16x8") and not quantize["aware"]:
        samples = representative_samples(
            load_arrays(inputs["data"]).inputs_for(model.input_names, "train"),
            quantize["calibration_samples"],
            params["seed"],
        )
    progress(0.1, "converting to TFLite")
    tflite, notes = _convert(model, quantize, samples)
    progress(0.8, "running the file once")
    _outputs_on_random(tflite)
    if params["sparse_encoding"]:
        progress(0.9, "leaving out the zeros")
        tflite, more = _sparsely_encoded(model, quantize, tflite)
        notes += more
    names = _layer_names(model)
    found = audit(
        TfliteFile.read(tflite, names),
        read_promises(inputs["model"]),
        quantize,
        sparse_encoding=params["sparse_encoding"],
        known_layers=names,
    )
    return {
        "model.tflite": tflite,
        "layers.json": json.dumps(describe(tflite, names)).encode(),
        "conversion.json": json.dumps({"notes": notes, **_ends(tflite, model)}).encode(),
        "audit.json": json.dumps({"promises": found}).encode(),
    }


def _layer_names(model: Any) -> list[str]:
    """The names a person knows: a QAT wrapper's layer counts, not the wrapper."""
    return [getattr(layer, "layer", layer).name for layer in model.layers]


def _ends(tflite: bytes, model: Any) -> dict[str, list[str]]:
    """The signature's names of inputs and outputs, in the model's order and not the file's."""
    inputs, outputs = signature_names(tflite)
    own = list(model.output_names)
    return {
        "inputs": list(model.input_names) if set(inputs) == set(model.input_names) else inputs,
        "outputs": own if set(outputs) == set(own) else outputs,
    }


def representative_samples(
    x_train: Sequence[np.ndarray], count: int, seed: int
) -> list[np.ndarray]:
    """Training samples drawn at random, without replacement, for calibrating int8 ranges.

    Args:
        x_train: of each input, shape (n, …).
        count: how many, at most n.
        seed: of the draw.

    Returns:
        Of each input, float32, shape (min(count, n), …); the same samples of all of them.
    """
    rng = np.random.default_rng(seed)
    n = len(x_train[0])
    chosen = rng.choice(n, min(count, n), replace=False)
    return [x[chosen].astype("float32") for x in x_train]


def _convert(
    model: Any, quantize: Mapping[str, Any], samples: Sequence[np.ndarray] | None
) -> tuple[bytes, list[str]]:
    """The ``.tflite`` and notes; falls back to float operators where int8 has no kernel."""
    try:
        return _converter(model, quantize, samples, strict=True).convert(), []
    except Exception as error:
        if quantize["mode"] not in ("int8", "int16x8") or quantize["aware"]:
            raise StageError(_converter_message(error), log=str(error)) from None
        reason = _first_line(error)
    try:
        tflite = _converter(model, quantize, samples, strict=False).convert()
    except Exception as error:
        raise StageError(_converter_message(error), log=str(error)) from None
    note = f"Some operators have no {quantize['mode']} form and stay in float ({reason})."
    return tflite, [note]


def _sparsely_encoded(
    model: Any, quantize: Mapping[str, Any], dense: bytes
) -> tuple[bytes, list[str]]:
    """The file in TFLite's sparse encoding; the dense one, with the reason, if that is wrong."""
    converter = _converter(model, quantize, None, strict=True)
    converter.optimizations = [
        *converter.optimizations,
        tf.lite.Optimize.EXPERIMENTAL_SPARSITY,
    ]
    try:
        sparse = converter.convert()
        pairs = zip(_outputs_on_random(dense), _outputs_on_random(sparse), strict=True)
        if all(np.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in pairs):
            return sparse, []
        reason = "the runtime computes something else from it"
    except Exception as error:
        reason = _first_line(error)
    return dense, [
        f"The zeros are stored after all: sparse encoding does not work here ({reason})."
    ]


def _converter(
    model: Any, quantize: Mapping[str, Any], samples: Sequence[np.ndarray] | None, *, strict: bool
) -> Any:
    converter = _source(model)
    mode = quantize["mode"]
    if mode == "none":
        return converter
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif mode in ("int8", "int16x8"):
        if samples is not None:
            operators = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8 if mode == "int8" else _INT16X8]
            operators += [] if strict else [tf.lite.OpsSet.TFLITE_BUILTINS]
            converter.target_spec.supported_ops = operators
            converter.representative_dataset = _feed(model.input_names, samples)
        if quantize["granularity"] == "per_tensor":
            converter._experimental_disable_per_channel = True
        if quantize["io"] != "float32":
            converter.inference_input_type = tf.dtypes.as_dtype(quantize["io"])
            converter.inference_output_type = tf.dtypes.as_dtype(quantize["io"])
    return converter


def _source(model: Any) -> Any:
    """A converter for the model; recurrent layers only convert with a fixed batch of one."""
    if not any(isinstance(layer, _RECURRENT) for layer in model.layers):
        return tf.lite.TFLiteConverter.from_keras_model(model)
    signature = [
        tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    ]
    function = tf.function(lambda *tensors: model(list(tensors), training=False))
    concrete = function.get_concrete_function(*signature)
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)


def _feed(
    names: Sequence[str], samples: Sequence[np.ndarray]
) -> Callable[[], Iterator[dict[str, np.ndarray] | list[np.ndarray]]]:
    """One sample at a time; several inputs by name, as the converter has an order of its own."""
    count = len(samples[0])
    if len(samples) == 1:
        return lambda: ([samples[0][i : i + 1]] for i in range(count))
    pairs = list(zip(names, samples, strict=True))
    return lambda: ({name: x[i : i + 1] for name, x in pairs} for i in range(count))


def _outputs_on_random(tflite: bytes) -> list[np.ndarray]:
    """The file's outputs on seeded random input: a missing kernel only shows when it runs.

    Raises:
        StageError: the runtime cannot execute the file.
    """
    from ai_edge_litert.interpreter import Interpreter

    random = np.random.default_rng(0)
    try:
        interpreter = Interpreter(model_content=tflite)
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            values = random.random(detail["shape"])
            interpreter.set_tensor(detail["index"], values.astype(detail["dtype"]))
        interpreter.invoke()
        details = interpreter.get_output_details()
        return [interpreter.get_tensor(detail["index"]) for detail in details]
    except (RuntimeError, ValueError) as error:
        raise StageError(
            "The file was written, but the TFLite runtime cannot execute it: "
            f"{_first_line(error)}. Try another quantization mode.",
            log=str(error),
        ) from None


def _converter_message(error: Exception) -> str:
    return (
        f"TensorFlow could not convert the model: {_first_line(error)}. "
        "Try another quantization mode; the log has the converter's full message."
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300].rstrip(".")
