"""Run a ``.tflite`` on arrays: batching, and quantized inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from optimizer.errors import InputError, StageError

MAX_BATCH = 128
BATCH_BYTES = 4 * 2**20
"""Input bytes of a batch at most, so that a batch's activations stay small."""


def quantize(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Real values → what the tensor stores: rounded to the nearest step, clipped to the dtype.

    Args:
        values: real values, any shape and numeric dtype.
        details: the tensor's entry of ``get_input_details()``.
    """
    dtype = np.dtype(details["dtype"])
    scale, zero_point = details["quantization"]
    if not scale or not np.issubdtype(dtype, np.integer):
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    steps = np.round(np.asarray(values, np.float64) / scale) + zero_point
    return np.clip(steps, limits.min, limits.max).astype(dtype)


def dequantize(stored: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """What a tensor stores → real values as float32; see :func:`quantize`."""
    scale, zero_point = details["quantization"]
    if not scale or not np.issubdtype(stored.dtype, np.integer):
        return stored.astype(np.float32)
    return ((stored.astype(np.float64) - zero_point) * scale).astype(np.float32)


def build(tflite: bytes, threads: int = 1) -> Interpreter:
    """An interpreter (XNNPACK applied by default) for one input and one output.

    Raises:
        InputError: the model has several inputs or outputs.
        StageError: the runtime cannot load the model.
    """
    try:
        interpreter = Interpreter(model_content=tflite, num_threads=threads)
    except (ValueError, RuntimeError) as error:
        raise StageError(
            "The TensorFlow Lite runtime cannot load this model.", str(error)
        ) from None
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise InputError(
            "This version measures models with one input and one output; this model has "
            f"{len(inputs)} inputs and {len(outputs)} outputs."
        )
    return interpreter


def predict(
    tflite: bytes,
    x: np.ndarray,
    threads: int = 1,
    batch_size: int | None = None,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """Outputs of the model for every sample.

    Samples go through in batches where the model's batch dimension is free, and one by one
    where it is fixed or where the graph does not survive another batch size.

    Args:
        tflite: the file.
        x: samples, shape (n, …) with n ≥ 1, real values.
        threads: threads of the interpreter.
        batch_size: samples per batch; ``None`` chooses from the size of a sample.
        on_batch: called with (samples done, n), at most once per cent.

    Returns:
        Real values, float32, shape (n, …).

    Raises:
        InputError: the samples do not fit the model's input.
        StageError: the runtime cannot run the model.
    """
    if batch_size is None:
        bytes_each = max(1, 4 * int(np.prod(x.shape[1:])))
        batch_size = max(1, min(MAX_BATCH, BATCH_BYTES // bytes_each))
    batch_size = min(batch_size, len(x))
    runner = _batched(tflite, x.shape[1:], batch_size, threads) if batch_size > 1 else None
    if runner is None:
        batch_size = 1
        runner = _single(tflite, x.shape[1:], threads)
    outputs = []
    for start in range(0, len(x), batch_size):
        batch = x[start : start + batch_size]
        outputs.append(_run(runner, batch, batch_size))
        done = start + len(batch)
        if 100 * done // len(x) > 100 * start // len(x):
            on_batch(done, len(x))
    return np.concatenate(outputs)


def _run(interpreter: Interpreter, batch: np.ndarray, size: int) -> np.ndarray:
    details, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    values = quantize(batch, details)
    if len(values) < size:  # the last batch is filled up rather than reallocating the graph
        values = np.concatenate([values, np.repeat(values[-1:], size - len(values), axis=0)])
    interpreter.set_tensor(details["index"], values)
    interpreter.reset_all_variables()  # a fused LSTM would carry its state to the next sample
    try:
        interpreter.invoke()
    except (ValueError, RuntimeError) as error:
        raise StageError(
            "The TensorFlow Lite runtime failed while running this model.", str(error)
        ) from None
    return dequantize(interpreter.get_tensor(output["index"]), output)[: len(batch)]


def _batched(tflite: bytes, shape: tuple[int, ...], size: int, threads: int) -> Interpreter | None:
    """An interpreter resized to ``size`` samples, or ``None`` if the model does not allow it."""
    interpreter = build(tflite, threads)
    details = interpreter.get_input_details()[0]
    if len(details["shape_signature"]) != len(shape) + 1:
        return None
    try:
        interpreter.resize_tensor_input(details["index"], (size, *shape), strict=True)
        interpreter.allocate_tensors()
        interpreter.invoke()
    except (ValueError, RuntimeError):
        return None
    output = interpreter.get_output_details()[0]
    produced = interpreter.get_tensor(output["index"]).shape
    return interpreter if produced and produced[0] == size else None


def _single(tflite: bytes, shape: tuple[int, ...], threads: int) -> Interpreter:
    interpreter = build(tflite, threads)
    details = interpreter.get_input_details()[0]
    if tuple(details["shape"]) != (1, *shape):
        try:
            interpreter.resize_tensor_input(details["index"], (1, *shape), strict=True)
        except (ValueError, RuntimeError):
            raise InputError(
                f"The samples have shape {shape}; the model takes "
                f"{tuple(int(d) for d in details['shape_signature'][1:])}. Reshape the data."
            ) from None
    try:
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise StageError("The TensorFlow Lite runtime cannot run this model.", str(error)) from None
    return interpreter
