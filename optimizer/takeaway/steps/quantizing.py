"""Quantization-aware training, and what converters need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from optimizer.takeaway.steps.data import Objective
from optimizer.takeaway.steps.training import train
from optimizer.takeaway.steps.values import (
    CALIBRATION_SAMPLES,
    FLOAT_LAYERS,
    PER_CHANNEL,
    PRESERVE,
    SEED,
)
from optimizer.techniques.held import held
from optimizer.techniques.qat_graph import covered, prepare, quantized_twin
from optimizer.techniques.quantize_aware import (
    calibrate,
    float_patterns,
    kept_patterns,
    settle,
)


def train_quantized(model: Any, data: Any, objective: Objective) -> Any:
    """Train with fake-quantized weights and activations; ready to convert."""
    prepared = prepare(model)
    patterns = kept_patterns(prepared, PRESERVE, covered(prepared, FLOAT_LAYERS))
    twin = quantized_twin(prepared, patterns, skipped=FLOAT_LAYERS, per_channel=PER_CHANNEL)
    calibrate(prepared, twin, data)
    train(held(twin, float_patterns(twin, PRESERVE, patterns)), objective)
    settle(prepared, twin, patterns)
    plain = quantized_twin(prepared, {}, skipped=FLOAT_LAYERS, per_channel=PER_CHANNEL)
    plain.set_weights(twin.get_weights())
    return plain


def representative_dataset(
    model: Any, x_train: np.ndarray
) -> Callable[[], Iterator[list[np.ndarray]]]:
    """Training samples drawn at random, one at a time: they set the ranges of activations."""
    rng = np.random.default_rng(SEED)
    count = min(CALIBRATION_SAMPLES, len(x_train))
    samples = x_train[rng.choice(len(x_train), count, replace=False)]
    samples = samples.astype(model.inputs[0].dtype.name)
    return lambda: ([sample[np.newaxis]] for sample in samples)


def without_zeros(converter: Any, dense: bytes) -> bytes:
    """The file in TFLite's sparse encoding; the dense one where the runtime cannot execute it."""
    sparsity = tf.lite.Optimize.EXPERIMENTAL_SPARSITY
    converter.optimizations = [*converter.optimizations, sparsity]
    try:
        sparse = converter.convert()
        pairs = zip(outputs_on_random(dense), outputs_on_random(sparse), strict=True)
        same = all(np.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in pairs)
    except Exception:
        return dense
    return sparse if same else dense


def outputs_on_random(tflite: bytes) -> list[np.ndarray]:
    """A file's outputs on random inputs, always the same ones."""
    random = np.random.default_rng(0)
    interpreter = tf.lite.Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        values = random.random(detail["shape"]).astype(detail["dtype"])
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
