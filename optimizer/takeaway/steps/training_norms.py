"""Fine-tuning a model with BatchNormalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tf_keras as keras

from optimizer.takeaway.steps.values import BATCH_SIZE, EPOCHS, LEARNING_RATE
from optimizer.techniques.training import Objective, estimate_batch_normalization


def train(model: Any, objective: Objective, callbacks: Sequence[Any] = ()) -> None:
    """Fine-tune a model with Adam, then take its BatchNormalization statistics anew."""
    optimizer = keras.optimizers.Adam(learning_rate=LEARNING_RATE)
    model.compile(optimizer=optimizer, loss=objective.losses, jit_compile=False)
    model.fit(
        objective.x,
        objective.y,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        callbacks=[*callbacks, keras.callbacks.TerminateOnNaN()],
        verbose=2,
    )
    estimate_batch_normalization(model, objective, BATCH_SIZE)
