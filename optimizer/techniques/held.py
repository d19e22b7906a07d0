"""Training under constraints that tfmot's wrappers cannot keep. Runs in stage processes only.

tfmot wraps one layer each and knows one criterion. A :class:`HeldModel` trains the layers as
they are and, after every optimizer step, puts chosen variables back onto what they must keep:
a mask of zeros, or values shared by clusters. So it reaches every layer: shared ones, those
whose outputs carry masks, recurrent ones and attention.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

Projection = tuple[Any, Callable[[Any], Any]]
"""A variable, and the function of its value that it is set to after each optimizer step."""


class HeldModel(keras.Model):
    """A functional model that shares the layers of another, and keeps constraints.

    Made by :func:`held`.
    """

    projections: Sequence[Projection] = ()

    def train_step(self, data: Any) -> Mapping[str, Any]:
        """One optimizer step, then the projections."""
        result: Mapping[str, Any] = super().train_step(data)
        self.project()
        return result

    def project(self) -> None:
        """Put every held variable onto its constraint."""
        for variable, function in self.projections:
            variable.assign(function(tf.convert_to_tensor(variable)))


def held(model: Any, projections: Sequence[Projection]) -> Any:
    """A model with the same layers whose training keeps constraints; itself if there are none."""
    if not projections:
        return model
    keeper = HeldModel(model.inputs, model.outputs, name=model.name)
    keeper.projections = tuple(projections)
    keeper.project()
    return keeper
