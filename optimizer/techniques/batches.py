"""Samples as tf_keras takes them in training, without the tuning of tf.data. In stages only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tf_keras.src.engine.data_adapter import TensorLikeDataAdapter


def batches(
    x: Sequence[np.ndarray],
    y: Sequence[np.ndarray] | None,
    batch_size: int,
    *,
    epochs: int = 1,
    shuffle: bool = False,
) -> tuple[Any, int]:
    """The batches that ``fit`` and ``predict`` make of arrays: the same samples in the same order.

    tf.data tunes buffers in a thread that it waits for when an iterator ends. When cores are
    busy, it often misses that end and sleeps on: 10 s for each training. These arrays are in
    memory, where there is nothing to tune.

    Args:
        x: samples of each input, shape (n, …).
        y: targets of each output.
        batch_size: samples in a batch; the last one may have fewer.
        epochs: how often all samples are gone through.
        shuffle: whether in a new order each time, by TensorFlow's global seed.

    Returns:
        A ``tf.data.Dataset`` of all epochs, and the batches in one.
    """
    adapter = TensorLikeDataAdapter(
        list(x), y and list(y), batch_size=batch_size, epochs=epochs, shuffle=shuffle
    )
    untuned = tf.data.Options()
    untuned.autotune.enabled = False
    return adapter.get_dataset().with_options(untuned), adapter.get_size()
