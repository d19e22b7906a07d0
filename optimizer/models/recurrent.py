"""Keras 3's recurrent layers, wrappers and augmentation in tf_keras. Runs in stage processes only.

Importing this module adds them to :data:`optimizer.models.layers.CONVERTERS`.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tf_keras

from optimizer.errors import InputError
from optimizer.models import flat
from optimizer.models.layers import (
    SAME_ACTIVATIONS,
    Conversion,
    Layer,
    _known_options,
    activation_name,
    convert_layer,
    converts,
    weights_of,
)

CELLS = frozenset({"GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"})


def _recurrent_options(source: Any, target: type) -> dict[str, Any]:
    """Options with activations that mean the same: ours by name where tf_keras's differ."""
    config = source.get_config()
    for key in ("activation", "recurrent_activation"):
        if key in config:
            known = activation_name(getattr(source, key))
            config[key] = SAME_ACTIVATIONS.get(known) or flat.ACTIVATIONS[known]
    zero_output = config.pop("zero_output_for_mask", None)
    options = _known_options(target, source, config)
    if zero_output is not None:  # taken by tf_keras's constructors without being declared
        options["zero_output_for_mask"] = zero_output
    return options


@converts("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "GRU", "LSTM", "SimpleRNN")
def _recurrent(source: Any, name: str) -> Conversion:
    target = getattr(tf_keras.layers, type(source).__name__)
    options = _recurrent_options(source, target)
    return Conversion((target(**options, name=name),), weights_of(source))


@converts("RNN")
def _rnn(source: Any, name: str) -> Conversion:
    options = {
        key: getattr(source, key)
        for key in ("return_sequences", "return_state", "go_backwards", "zero_output_for_mask")
    }
    layer = tf_keras.layers.RNN(_cell(source.cell), **options, name=name)
    return Conversion((layer,), weights_of(source))


def _cell(source: Any) -> Layer:
    kind = type(source).__name__
    if kind not in CELLS:
        raise InputError(
            f"The recurrent cell {source.name} is of type {kind}, which is not supported. "
            "Use an LSTM, GRU or SimpleRNN layer and save the model again."
        )
    target = getattr(tf_keras.layers, kind)
    if kind == "StackedRNNCells":
        return target([_cell(cell) for cell in source.cells], name=source.name)
    return target(**_recurrent_options(source, target), name=source.name)


@converts("Bidirectional")
def _bidirectional(source: Any, name: str) -> Conversion:
    forward = _only_layer(source.forward_layer)
    backward = _only_layer(source.backward_layer)
    layer = tf_keras.layers.Bidirectional(
        forward, merge_mode=source.merge_mode, backward_layer=backward, name=name
    )
    return Conversion((layer,), weights_of(source))


@converts("TimeDistributed")
def _time_distributed(source: Any, name: str) -> Conversion:
    inner = source.layer
    if isinstance(inner, keras.Model):
        from optimizer.models.bridge import to_flat

        flat_inner = to_flat(inner).model
        weights = [(weight.name, np.asarray(weight)) for weight in flat_inner.weights]
        leaves = tuple((path.split("/")[-1].split(":")[0], array) for path, array in weights)
        return Conversion((tf_keras.layers.TimeDistributed(flat_inner, name=name),), leaves)
    conversion = convert_layer(inner, inner.name)
    if not conversion.layers:
        return conversion
    first, *others = conversion.layers
    layers = [tf_keras.layers.TimeDistributed(first, name=name)]
    layers += [
        tf_keras.layers.TimeDistributed(other, name=f"{name}_{number}")
        for number, other in enumerate(others, start=1)
    ]
    return Conversion(tuple(layers), conversion.weights)


def _only_layer(source: Any) -> Layer:
    return convert_layer(source, source.name).layers[0]


AUGMENTATION = frozenset(
    """
    AugMix CutMix MixUp RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter
    RandomContrast RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur
    RandomGrayscale RandomHeight RandomHue RandomInvert RandomPerspective RandomPosterization
    RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomWidth
    RandomZoom
    """.split()
)
"""Layers that change images at random in training and hand them on otherwise."""


@converts(*AUGMENTATION)
def _augmentation(source: Any, name: str) -> Conversion:
    return Conversion(())


@converts("RandomCrop")
def _random_crop(source: Any, name: str) -> Conversion:
    """Nothing, where nothing is left to crop; else what it gives depends on the Keras that runs it.

    Early Keras 3 resizes images when the model is used. Later ones, 3.15 among them, hand them on
    uncropped: https://github.com/keras-team/keras/issues/21868.
    """
    given, wanted = tuple(source.input.shape)[-3:-1], (source.height, source.width)
    if given != wanted:
        raise InputError(
            f"The layer {source.name} (RandomCrop) crops images of {_size(given)} to "
            f"{_size(wanted)}, and versions of Keras 3 differ in what it does when the model is "
            "used. Replace it by CenterCrop or Resizing and save the model again."
        )
    return Conversion(())


def _size(size: tuple[int | None, ...]) -> str:
    return "×".join(str(n or "any") for n in size)
