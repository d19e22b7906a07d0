"""What the script prints about its file."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from optimizer.takeaway.steps.data import Arrays
from optimizer.takeaway.steps.values import THRESHOLD


def predict(tflite: bytes, x: np.ndarray) -> np.ndarray:
    """The file's outputs for all samples, one by one, as real values."""
    interpreter = tf.lite.Interpreter(model_content=tflite)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(source["index"], (1, *x.shape[1:]))
    interpreter.allocate_tensors()
    outputs = []
    for sample in x:
        interpreter.set_tensor(source["index"], quantized(sample[np.newaxis], source))
        interpreter.reset_all_variables()
        interpreter.invoke()
        outputs.append(dequantized(interpreter.get_tensor(target["index"]), target))
    return np.concatenate(outputs)


def quantized(values: np.ndarray, details: Mapping[str, Any]) -> np.ndarray:
    """Real values as an input stores them: rounded to the nearest step, clipped to the dtype."""
    scale, zero_point = details["quantization"]
    if not scale:
        return values.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    steps = np.round(values.astype("float64") / scale) + zero_point
    return np.clip(steps, limits.min, limits.max).astype(details["dtype"])


def dequantized(stored: np.ndarray, details: Mapping[str, Any]) -> np.ndarray:
    """What an output stores as real values."""
    scale, zero_point = details["quantization"]
    if not scale:
        return stored.astype("float32")
    return ((stored.astype("float64") - zero_point) * scale).astype("float32")


def multiclass_score(outputs: np.ndarray, data: Arrays) -> str:
    """The share of samples whose largest output is that of their class."""
    correct = outputs.reshape(len(outputs), -1).argmax(axis=1) == data.y_test.reshape(-1)
    return f"accuracy: {correct.mean():.6f}"


def binary_score(outputs: np.ndarray, data: Arrays) -> str:
    """The share of samples on the right side of the threshold."""
    flat = outputs.reshape(len(outputs), -1)
    chosen = flat[:, 0] > THRESHOLD if flat.shape[1] == 1 else flat.argmax(axis=1)
    return f"accuracy: {(chosen == data.y_test.reshape(-1)).mean():.6f}"


def multilabel_score(outputs: np.ndarray, data: Arrays) -> str:
    """The harmonic mean of precision and recall over all labels of all samples."""
    given, truth = outputs > THRESHOLD, data.y_test > 0.5
    return f"F1: {2 * (given & truth).sum() / (given.sum() + truth.sum()):.6f}"


def regression_score(outputs: np.ndarray, data: Arrays) -> str:
    """The mean absolute error."""
    errors = outputs.reshape(len(outputs), -1) - data.y_test.reshape(len(outputs), -1)
    return f"mean absolute error: {np.abs(errors.astype('float64')).mean():.6g}"


def reconstruction_score(outputs: np.ndarray, data: Arrays) -> str:
    """The mean squared error between outputs and inputs."""
    errors = outputs.reshape(len(outputs), -1) - data.x_test.reshape(len(outputs), -1)
    return f"mean squared error: {(errors.astype('float64') ** 2).mean():.6g}"


def sizes(tflite: bytes) -> str:
    """Bytes of the file, as it ships and compressed."""
    return f"size: {len(tflite)} bytes, gzip: {len(gzip.compress(tflite, 9, mtime=0))} bytes"
