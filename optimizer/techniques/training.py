"""Fine-tuning a tf_keras model, the same way in every technique. Runs in stage processes only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from optimizer.data.arrays import Arrays
from optimizer.data.objective import losses_for, split_task
from optimizer.errors import StageError
from optimizer.stage import Progress
from optimizer.techniques.batches import batches
from optimizer.techniques.graph import output_activation, unwrapped
from optimizer.techniques.kernels import Kernel
from optimizer.techniques.watching import Report, Watch

_ESTIMATION_BATCHES = 20
_STEPS_AT_ONCE = 16
"""Optimizer steps that TensorFlow takes without coming back to Python between them: the weights
are the same, and quantization-aware training of a small model takes a quarter less time."""
_TAYLOR_SAMPLES, _TAYLOR_BATCH = 512, 64


def make_deterministic(seed: int) -> None:
    """Seed Python, numpy and TensorFlow, and have every operation give the same bits each time."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def steps_in(samples: int, fine_tune: Mapping[str, Any]) -> int:
    """How many optimizer steps a fine-tuning takes."""
    return int(fine_tune["epochs"] * math.ceil(samples / fine_tune["batch_size"]))


@dataclass(frozen=True, eq=False)
class Objective:
    """What a model is trained for: samples, targets and losses, in the model's order.

    Attributes:
        x: training samples of each input, float32, shape (n, …).
        y: targets of each output in its shape: float32, or int class indices.
        losses: a tf_keras loss for each output; their sum is what is trained.
        watch: says after an epoch how well the model does; ``None`` without test samples.
    """

    x: list[np.ndarray]
    y: list[np.ndarray]
    losses: list[Any]
    watch: Watch | None = None

    @classmethod
    def of(cls, model: Any, arrays: Arrays, task: str, loss: str | None = None) -> Objective:
        """The objective of a task; an output without softmax or sigmoid is taken for logits.

        Args:
            model: a flat model, without tfmot's wrappers, whose output layers tell the losses.
            arrays: the study's dataset.
            task: the study's, one task per output joined by ``+``.
            loss: the losses a person chose, joined likewise; ``None`` for the proposed ones.

        Raises:
            InputError: the data have no labels to train with, or do not fit the model.
        """
        x = arrays.inputs_for(model.input_names, "train")
        tasks = split_task(task)
        chosen = losses_for(tasks, loss)
        if tasks == ["reconstruction"]:
            targets = x
        else:
            targets = arrays.targets_for(model.output_names, "train")
        y, losses = [], []
        for name, tensor, target, each in zip(chosen, model.outputs, targets, tasks, strict=True):
            y.append(_target(tensor, target, each))
            losses.append(make_loss(name, output_activation(tensor)))
        return cls(x, y, losses, Watch.of(model, arrays, tasks))

    @property
    def samples(self) -> int:
        """Number of training samples."""
        return len(self.x[0])

    def batch(self, start: int, stop: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Samples and targets from ``start`` to before ``stop``."""
        return [x[start:stop] for x in self.x], [y[start:stop] for y in self.y]

    def error(self, y: Sequence[Any], outputs: Any) -> Any:
        """The sum of the losses of a batch, as a tensor.

        Args:
            y: targets of each output.
            outputs: what the model gave: a tensor, or one for each output.
        """
        given = outputs if isinstance(outputs, list | tuple) else [outputs]
        parts = zip(self.losses, y, given, strict=True)
        return tf.add_n([loss(target, output) for loss, target, output in parts])


def make_loss(name: str, activation: str) -> Any:
    """A tf_keras loss by its name.

    Args:
        name: of the loss.
        activation: what the output ends in; without softmax or sigmoid it gives logits.
    """
    losses = keras.losses
    if name == "sparse_categorical_crossentropy":
        return losses.SparseCategoricalCrossentropy(from_logits=activation != "softmax")
    if name == "categorical_focal_crossentropy":
        focal = losses.CategoricalFocalCrossentropy(from_logits=activation != "softmax")
        return lambda y, scores: focal(
            tf.one_hot(tf.reshape(tf.cast(y, tf.int32), [-1]), tf.shape(scores)[-1]), scores
        )
    if name == "binary_crossentropy":
        return losses.BinaryCrossentropy(from_logits=activation != "sigmoid")
    if name == "binary_focal_crossentropy":
        return losses.BinaryFocalCrossentropy(from_logits=activation != "sigmoid")
    plain = {
        "mean_squared_error": losses.MeanSquaredError,
        "mean_absolute_error": losses.MeanAbsoluteError,
        "huber": losses.Huber,
    }
    return plain[name]()


def _target(tensor: Any, target: np.ndarray, task: str) -> np.ndarray:
    if task in ("multiclass", "reconstruction"):
        return target
    return target.reshape(len(target), *tensor.shape[1:]).astype("float32")


def fit(
    model: Any,
    objective: Objective,
    fine_tune: Mapping[str, Any],
    progress: Progress,
    callbacks: Sequence[Any] = (),
) -> list[float]:
    """Train a compiled-anew model with Adam.

    Args:
        model: of tf_keras.
        objective: what it is trained for.
        fine_tune: ``epochs``, ``batch_size`` and ``learning_rate`` as in a recipe.
        progress: told as training goes on.
        callbacks: called around each single step.

    Returns:
        The mean loss of each epoch.

    Raises:
        StageError: the loss became NaN or infinite.
    """
    optimizer = keras.optimizers.Adam(learning_rate=fine_tune["learning_rate"])
    epochs, batch_size = fine_tune["epochs"], fine_tune["batch_size"]
    data, in_epoch = batches(objective.x, objective.y, batch_size, epochs=epochs, shuffle=True)
    at_once = 1 if callbacks else max(1, min(_STEPS_AT_ONCE, in_epoch // 10))
    model.compile(
        optimizer=optimizer,
        loss=objective.losses,
        jit_compile=False,
        steps_per_execution=at_once,
    )
    history = model.fit(
        data,
        epochs=epochs,
        steps_per_epoch=in_epoch,
        callbacks=[
            *callbacks,
            keras.callbacks.TerminateOnNaN(),
            Report(progress, objective.watch, in_epoch, epochs),
        ],
        verbose=0,
    )
    estimate_batch_normalization(model, objective, batch_size)
    losses = [float(value) for value in history.history["loss"]]
    if not np.isfinite(losses[-1]):
        raise StageError(
            f"Training diverged: the loss became {losses[-1]}. "
            f"Received learning rate {fine_tune['learning_rate']:g}; try a smaller one."
        )
    return losses


def taylor(model: Any, objective: Objective) -> Callable[[Sequence[Kernel]], list[np.ndarray]]:
    """The first-order Taylor criterion: how much the loss would change without a weight.

    |weight · gradient|, summed over batches of up to 512 training samples.
    Source: Molchanov et al. 2019 (arXiv:1906.10771).

    Args:
        model: a flat model that gives the loss; its variables are those of the kernels.
        objective: samples, targets and loss.
    """

    @tf.function
    def gradients(variables: Any, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            value = objective.error(y, model(x, training=False))
        return tape.gradient(value, variables, unconnected_gradients="zero")

    def score(kernels: Sequence[Kernel]) -> list[np.ndarray]:
        variables = [kernel.variable for kernel in kernels]
        scores = [np.zeros(variable.shape) for variable in variables]
        for start in range(0, min(_TAYLOR_SAMPLES, objective.samples), _TAYLOR_BATCH):
            found = gradients(variables, *objective.batch(start, start + _TAYLOR_BATCH))
            for index, gradient in enumerate(found):
                dense = np.asarray(tf.convert_to_tensor(gradient))
                scores[index] += np.abs(variables[index].numpy() * dense)
        return scores

    return score


def estimate_batch_normalization(model: Any, objective: Objective, batch_size: int) -> None:
    """Take the moving mean and variance of every trainable BatchNormalization anew.

    Their momentum of 0.99 remembers the weights of a hundred steps ago, which a short
    fine-tuning with changing masks never catches up with: a pruned model then looks broken.
    Source: Li et al. 2020, "EagleEye" (arXiv:2007.02491), adaptive batch normalization.
    """
    inner = [unwrapped(layer) for layer in model.layers]
    norms = [
        layer
        for layer in inner
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    starts = range(0, min(objective.samples, _ESTIMATION_BATCHES * batch_size), batch_size)
    for index, start in enumerate(starts):
        for norm in norms:
            norm.momentum = index / (index + 1)
        x, _ = objective.batch(start, start + batch_size)
        model([tf.convert_to_tensor(part) for part in x], training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
