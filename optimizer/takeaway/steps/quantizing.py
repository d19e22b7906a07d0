"""Quantization-aware training, and what converters need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from optimizer.takeaway.steps.data import Objective
from optimizer.takeaway.steps.training import train
from optimizer.takeaway.steps.values import CALIBRATION_SAMPLES, PRESERVE, SEED
from optimizer.techniques.qat_graph import prepare, quantized_twin
from optimizer.techniques.quantize_aware import _calibrate, _patterns, _settle


def train_quantized(model: Any, data: Any, objective: Objective) -> Any:
    """Train with fake-quantized weights and activations; ready to convert."""
    prepared = prepare(model)
    patterns = _patterns(prepared, PRESERVE)
    twin = quantized_twin(prepared, patterns)
    _calibrate(prepared, twin, data)
    train(twin, objective)
    _settle(prepared, twin, patterns)
    plain = quantized_twin(prepared, {})
    plain.set_weights(twin.get_weights())
    return plain


def fixed_batch_converter(model: Any) -> Any:
    """A converter with a batch of one: recurrent layers convert no other way."""
    signature = [
        tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    ]
    function = tf.function(lambda *tensors: model(list(tensors), training=False))
    concrete = function.get_concrete_function(*signature)
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)


def representative_dataset(x_train: np.ndarray) -> Callable[[], Iterator[list[np.ndarray]]]:
    """Training samples drawn at random, one at a time: they set the ranges of activations."""
    rng = np.random.default_rng(SEED)
    count = min(CALIBRATION_SAMPLES, len(x_train))
    samples = x_train[rng.choice(len(x_train), count, replace=False)]
    return lambda: ([sample[np.newaxis]] for sample in samples)
