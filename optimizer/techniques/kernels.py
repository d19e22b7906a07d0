"""The weights that pruning and clustering act on, in any layer. Runs in stage processes only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tf_keras as keras

layers = keras.layers

_NAMES = ("kernel", "recurrent_kernel", "pointwise_kernel", "embeddings")
_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_MATRIX_LAYERS = (
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.Dense,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
    layers.SimpleRNN,
    layers.LSTM,
    layers.GRU,
    layers.Bidirectional,
)


@dataclass(frozen=True, eq=False)
class Kernel:
    """One kernel of a layer.

    Attributes:
        layer: the layer's name.
        index: which of the layer's ``weights`` it is; the same in every copy of the model.
        variable: the variable itself, float32.
        axes: the axes of input and output channels, counted from the end; ``None`` where the
            kernel is not a matrix (embeddings, attention).
    """

    layer: str
    index: int
    variable: Any = field(repr=False)
    axes: tuple[int, int] | None

    def numpy(self) -> np.ndarray:
        """The weights, float32."""
        return np.asarray(self.variable.numpy())

    def same_in(self, model: Any) -> Kernel:
        """This kernel in a copy of the model."""
        variable = model.get_layer(self.layer).weights[self.index]
        return Kernel(self.layer, self.index, variable, self.axes)


def kernels_of(layer: Any) -> list[Kernel]:
    """The kernels of a layer of a flat tf_keras model; depthwise ones are not among them."""
    return [
        Kernel(layer.name, index, weight, _axes(layer))
        for index, weight in enumerate(layer.weights)
        if _leaf(weight) in _NAMES
    ]


def kernels_in(model: Any, names: Iterable[str]) -> list[Kernel]:
    """The kernels of some layers of a model."""
    return [kernel for name in names for kernel in kernels_of(model.get_layer(name))]


def _leaf(weight: Any) -> str:
    return str(weight.name).split("/")[-1].split(":")[0]


def _axes(layer: Any) -> tuple[int, int] | None:
    if isinstance(layer, _TRANSPOSED):
        return -1, -2
    return (-2, -1) if isinstance(layer, _MATRIX_LAYERS) else None


def sparsity(kernels: Iterable[Kernel]) -> float:
    """Share of zeros over some kernels, 0 to 1."""
    values = [kernel.numpy() for kernel in kernels]
    total = sum(value.size for value in values)
    return sum(int(np.count_nonzero(value == 0)) for value in values) / max(1, total)
