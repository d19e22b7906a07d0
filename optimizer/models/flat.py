"""Flat models as files, and the few layers of our own in them. Runs in stage processes only.

A flat model is a functional tf_keras model without nested models, float32, uncompiled. Its
layers are tf_keras's own, except :class:`TensorOperation` and :class:`RMSNormalization`, which
stand for what Keras 3 has and tf_keras has not. Importing this module registers them, so every
stage reads and writes flat models through :func:`load_flat` and :func:`save_flat`.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras

from optimizer.models.operations import compute

_PACKAGE = "featherweight"
_register = tf_keras.saving.register_keras_serializable(_PACKAGE)

KERAS3_ACTIVATIONS = (
    "celu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "relu6",
    "soft_shrink",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "tanh_shrink",
)
"""Activations that tf_keras lacks, or that mean something else there (``hard_sigmoid``)."""


@_register
class TensorOperation(tf_keras.layers.Layer):
    """One operation of ``keras.ops``, as a layer of a tf_keras model.

    It runs Keras 3's own implementation, so the result is the same by construction.

    Args:
        operation: a name from :data:`optimizer.models.operations.KERAS_OPERATIONS`.
        options: the operation's own options (``axis``, ``keepdims``), JSON values.
        arguments: call arguments, encoded by :func:`optimizer.models.operations.encode`.
        keywords: keyword arguments of the call, encoded likewise.
    """

    def __init__(
        self,
        operation: str,
        options: dict[str, Any] | None = None,
        arguments: list[Any] | None = None,
        keywords: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._configuration = json.dumps([operation, options, arguments, keywords])

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs: Any, training: Any = None) -> Any:
        """The operation's result on one tensor or a list of them, in training or not."""
        operation, options, arguments, keywords = json.loads(self._configuration)
        tensors = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        return compute(operation, options or {}, arguments or [], keywords or {}, tensors)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask: Keras 3's operations do not hand masks on either."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        operation, options, arguments, keywords = json.loads(self._configuration)
        return {
            **super().get_config(),
            "operation": operation,
            "options": options,
            "arguments": arguments,
            "keywords": keywords,
        }


@_register
class RMSNormalization(tf_keras.layers.Layer):
    """Keras 3's root-mean-square normalization (Zhang & Sennrich 2019, arXiv:1910.07467).

    Args:
        axis: the axis, or axes, that are normalized.
        epsilon: added to the mean square.
    """

    def __init__(self, axis: int | list[int] = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        """Make ``scale``, of the shape of the normalized axes."""
        axes = [self.axis] if isinstance(self.axis, int) else list(self.axis)
        shape = [input_shape[axis] for axis in axes]
        self.scale = self.add_weight("scale", shape=shape, initializer="ones")
        super().build(input_shape)

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs: tf.Tensor, training: Any = None) -> tf.Tensor:
        """The inputs over their root mean square, times ``scale``, in training or not."""
        from keras import ops

        return ops.rms_normalization(inputs, self.scale, axis=self.axis, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


def _keras3_activation(name: str) -> Callable[[tf.Tensor], tf.Tensor]:
    def activation(x: tf.Tensor) -> tf.Tensor:
        import keras

        return getattr(keras.activations, name)(x)

    converted = tf.autograph.experimental.do_not_convert(activation)
    converted.__name__ = f"keras3_{name}"
    return tf_keras.saving.register_keras_serializable(_PACKAGE, f"keras3_{name}")(converted)


ACTIVATIONS = {name: _keras3_activation(name) for name in KERAS3_ACTIVATIONS}
"""Keras 3 activations as registered functions, for layers that cannot be split (recurrent)."""


def load_flat(data: bytes) -> tf_keras.Model:
    """The model in the bytes that :func:`save_flat` made, uncompiled."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(data)
        return tf_keras.models.load_model(path, compile=False, safe_mode=True)


def save_flat(model: tf_keras.Model) -> bytes:
    """The model in tf_keras's ``.keras`` format; the same model gives the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path, save_format="keras")
        return _without_times(path.read_bytes())


def _without_times(data: bytes) -> bytes:
    """The archive again, with every date in it set to a fixed one."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(written, "w") as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "metadata.json":
                metadata = json.loads(content) | {"date_saved": "1980-01-01@00:00:00"}
                content = json.dumps(metadata, sort_keys=True).encode()
            target.writestr(zipfile.ZipInfo(name), content)
    return written.getvalue()
