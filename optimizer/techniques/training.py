"""Fine-tuning a tf_keras model, the same way in every technique. Runs in stage processes only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from optimizer.data.arrays import Arrays
from optimizer.errors import StageError
from optimizer.stage import Progress

_ESTIMATION_BATCHES = 20


def make_deterministic(seed: int) -> None:
    """Seed Python, numpy and TensorFlow, and have every operation give the same bits each time."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def steps_in(samples: int, fine_tune: Mapping[str, Any]) -> int:
    """How many optimizer steps a fine-tuning takes."""
    return int(fine_tune["epochs"] * math.ceil(samples / fine_tune["batch_size"]))


def loss_for(model: Any, task: str) -> Any:
    """The loss that fits a task and the model's output activation.

    An output without softmax or sigmoid is taken for logits.
    """
    if task == "multiclass":
        return keras.losses.SparseCategoricalCrossentropy(
            from_logits=_output_activation(model) != "softmax"
        )
    if task == "binary":
        return keras.losses.BinaryCrossentropy(from_logits=_output_activation(model) != "sigmoid")
    return keras.losses.MeanSquaredError()


def targets_for(model: Any, arrays: Arrays, task: str) -> np.ndarray:
    """Training targets in the shape of the model's output: float32, or int class indices."""
    targets = arrays.train_targets(task)
    if task in ("multiclass", "reconstruction"):
        return targets
    return targets.reshape(len(targets), *model.output_shape[1:]).astype("float32")


def fit(
    model: Any,
    arrays: Arrays,
    *,
    loss: Any,
    targets: np.ndarray,
    fine_tune: Mapping[str, Any],
    progress: Progress,
    callbacks: Sequence[Any] = (),
) -> list[float]:
    """Train a compiled-anew model with Adam.

    Returns:
        The mean loss of each epoch.

    Raises:
        StageError: the loss became NaN or infinite.
    """
    optimizer = keras.optimizers.Adam(learning_rate=fine_tune["learning_rate"])
    model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    history = model.fit(
        arrays.x_train,
        targets,
        epochs=fine_tune["epochs"],
        batch_size=fine_tune["batch_size"],
        callbacks=[
            *callbacks,
            keras.callbacks.TerminateOnNaN(),
            _Report(progress, fine_tune["epochs"], steps_in(len(targets), fine_tune)),
        ],
        verbose=0,
    )
    _estimate_batch_normalization(model, arrays.x_train, fine_tune["batch_size"])
    losses = [float(value) for value in history.history["loss"]]
    if not np.isfinite(losses[-1]):
        raise StageError(
            f"Training diverged: the loss became {losses[-1]}. "
            f"Received learning rate {fine_tune['learning_rate']:g}; try a smaller one."
        )
    return losses


def _estimate_batch_normalization(model: Any, samples: np.ndarray, batch_size: int) -> None:
    """Take the moving mean and variance of every trainable BatchNormalization anew.

    Their momentum of 0.99 remembers the weights of a hundred steps ago, which a short
    fine-tuning with changing masks never catches up with: a pruned model then looks broken.
    Source: Li et al. 2020, "EagleEye" (arXiv:2007.02491), adaptive batch normalization.
    """
    inner = [getattr(layer, "layer", layer) for layer in model.layers]
    norms = [
        layer
        for layer in inner
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    starts = range(0, min(len(samples), _ESTIMATION_BATCHES * batch_size), batch_size)
    for index, start in enumerate(starts):
        for norm in norms:
            norm.momentum = index / (index + 1)
        model(tf.convert_to_tensor(samples[start : start + batch_size]), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


class _Report(keras.callbacks.Callback):
    """Tells a stage's progress after each batch."""

    def __init__(self, progress: Progress, epochs: int, steps: int) -> None:
        super().__init__()
        self._progress, self._epochs, self._steps = progress, epochs, steps
        self._epoch = self._step = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._step += 1
        self._progress(
            self._step / self._steps,
            f"epoch {self._epoch} of {self._epochs}",
            epoch=self._epoch,
            epochs=self._epochs,
            loss=float((logs or {}).get("loss", math.nan)),
        )


def _output_activation(model: Any) -> str:
    layer = model.output._keras_history.layer
    while isinstance(layer, (keras.layers.Reshape, keras.layers.Flatten)):
        layer = layer.inbound_nodes[0].inbound_layers
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    activation = getattr(layer, "activation", None)
    return str(keras.activations.serialize(activation)) if activation else "linear"
