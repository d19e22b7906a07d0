"""The one place that prepares the process environment for TensorFlow."""

from __future__ import annotations

import os
import sys


def configure() -> None:
    """Make ``tf.keras`` mean tf_keras (Keras 2), which tfmot needs, and quieten TensorFlow.

    Must be called before tensorflow is first imported in a process.

    Raises:
        RuntimeError: tensorflow was imported before with another Keras.
    """
    if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") != "1":
        raise RuntimeError("tf_environment.configure() came after the first import of tensorflow")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
