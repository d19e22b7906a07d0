"""Writing a ``.tflite``, and reading back what was written. Runs in stage processes only.

Source: https://ai.google.dev/edge/litert/models/post_training_quantization.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from optimizer.data.arrays import load_arrays
from optimizer.errors import StageError
from optimizer.measure.audit import audit
from optimizer.measure.interpreter import signature_names
from optimizer.measure.tflite_file import TfliteFile, describe
from optimizer.stage import Files, Progress
from optimizer.techniques.promises import read_promises
from optimizer.techniques.source import Source, source_of
from optimizer.techniques.training import make_deterministic

_INT16X8 = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Convert a model to TFLite in the recipe's quantization mode, and run it once.

    Args:
        params: ``quantize``, ``sparse_encoding`` and ``seed`` as in a recipe.
        inputs: ``model`` with ``model.keras`` (``ranges.npz`` after QAT, ``promises.json``
            after pruning, clustering and QAT), ``saved_model.zip`` or a finished
            ``model.tflite``; ``data`` with ``arrays.npz`` where the mode needs a
            representative dataset.
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
    if "model.tflite" in inputs["model"]:
        return _as_it_is(inputs["model"]["model.tflite"], quantize)
    calibrates = quantize["mode"] in ("int8", "int16x8") and not quantize["aware"]
    model = source_of(inputs["model"], aware=quantize["aware"], calibrates=calibrates)
    samples = None
    if calibrates:
        samples = representative_samples(
            load_arrays(inputs["data"]).inputs_for(model.input_names, "train"),
            quantize["calibration_samples"],
            params["seed"],
        )
    progress(0.1, "converting to TFLite")
    tflite, notes = quantized(model, quantize, samples)
    progress(0.8, "running the file once")
    _outputs_on_random(tflite)
    if params["sparse_encoding"]:
        progress(0.9, "leaving out the zeros")
        tflite, more = _sparsely_encoded(model, quantize, tflite)
        notes += more
    names = model.layer_names
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


def _as_it_is(tflite: bytes, quantize: Mapping[str, Any]) -> Files:
    """An uploaded TFLite file, which is its study's baseline and nothing else."""
    if quantize["mode"] != "none":
        raise StageError(
            "The model is a TFLite file, which is measured as it is. Upload the Keras model it "
            "came from to quantize it."
        )
    _outputs_on_random(tflite)
    return {
        "model.tflite": tflite,
        "layers.json": json.dumps(describe(tflite)).encode(),
        "conversion.json": json.dumps({"notes": ["The uploaded file, as it is."]}).encode(),
        "audit.json": json.dumps({"promises": []}).encode(),
    }


def _ends(tflite: bytes, model: Source) -> dict[str, list[str]]:
    """The signature's names of inputs and outputs, in the model's order and not the file's."""
    inputs, outputs = signature_names(tflite)
    pairs = ((inputs, model.input_names), (outputs, model.output_names))
    ordered = [own if set(found) == set(own) else found for found, own in pairs]
    return {"inputs": ordered[0], "outputs": ordered[1]}


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


def quantized(
    model: Source, quantize: Mapping[str, Any], samples: Sequence[np.ndarray] | None
) -> tuple[bytes, list[str]]:
    """A model as ``.tflite``; falls back to float operators where int8 has no kernel.

    Args:
        model: what to convert.
        quantize: as in a recipe.
        samples: of each input, what to calibrate with; ``None`` where nothing is calibrated.

    Returns:
        The file, and notes for a person.

    Raises:
        StageError: TensorFlow cannot convert the model.
    """
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
    model: Source, quantize: Mapping[str, Any], dense: bytes
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
    model: Source,
    quantize: Mapping[str, Any],
    samples: Sequence[np.ndarray] | None,
    *,
    strict: bool,
) -> Any:
    converter = model.converter()
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
            converter.representative_dataset = _feed(model, samples)
        if quantize["granularity"] == "per_tensor":
            converter._experimental_disable_per_channel = True
        if quantize["io"] != "float32":
            converter.inference_input_type = tf.dtypes.as_dtype(quantize["io"])
            converter.inference_output_type = tf.dtypes.as_dtype(quantize["io"])
    return converter


def _feed(
    model: Source, samples: Sequence[np.ndarray]
) -> Callable[[], Iterator[dict[str, np.ndarray] | list[np.ndarray]]]:
    """One sample at a time; several inputs by name, as the converter has an order of its own."""
    cast = [x.astype(dtype) for x, dtype in zip(samples, model.input_dtypes, strict=True)]
    count = len(cast[0])
    if len(cast) == 1:
        return lambda: ([cast[0][i : i + 1]] for i in range(count))
    pairs = list(zip(model.input_names, cast, strict=True))
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
