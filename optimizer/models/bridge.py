"""Any supported Keras model → one flat tf_keras model. Runs in stage processes only.

The source's graph of calls is walked once, nested models included, and every call is made
again on symbolic tf_keras tensors with an equivalent layer: that walk is the conversion from
Keras 3 and the flattening at the same time. A source layer that is called several times
becomes one layer that is called several times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import tf_keras

from optimizer.errors import InputError, reason_of
from optimizer.models import legacy, recurrent  # noqa: F401 - recurrent registers its layers
from optimizer.models.layers import Conversion, convert_layer, copy_weights
from optimizer.models.native import apply_operation
from optimizer.models.notes import Changes
from optimizer.models.operations import from_tensorflow
from optimizer.models.walk import (
    Call,
    Graph,
    Path,
    flatten,
    graph_of,
    input_name,
    is_model,
    model_inputs,
    run,
)

DROPOUTS = frozenset(
    """
    AlphaDropout Dropout GaussianDropout GaussianNoise SpatialDropout1D SpatialDropout2D
    SpatialDropout3D
    """.split()
)
_INVALID_IN_NAMES = re.compile(r"[^A-Za-z0-9_.\-]")


@dataclass(frozen=True)
class FlatModel:
    """A flat model and how it came about.

    Attributes:
        model: functional tf_keras model, float32, uncompiled, without nested models.
        graph: the source's own graph.
        tensors: where a call of the source is → the new symbolic tensors of its outputs.
        notes: plain sentences about what was flattened, removed or replaced.
    """

    model: tf_keras.Model
    graph: Graph
    tensors: dict[Path, list[Any]] = field(repr=False)
    notes: tuple[str, ...]


def to_flat(source: Any) -> FlatModel:
    """Rebuild a Sequential or functional model of Keras 3 or tf_keras as a flat tf_keras model.

    Raises:
        InputError: a layer, an operation or an option in it is not supported.
    """
    return _Rebuilder(source).result()


class _Rebuilder:
    """Makes every call of a source model again with layers of tf_keras."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.graph = graph_of(source)
        self.is_keras3 = isinstance(source, keras.Model)
        self.changes = Changes()
        self.built: dict[int, Conversion] = {}
        self.tensors: dict[Path, list[Any]] = {}
        self.reserved = {call.operation.name for call in self.graph.calls}
        self.used: set[str] = set()

    def result(self) -> FlatModel:
        inputs = [self._input(tensor) for tensor in self.graph.inputs]
        outputs = run(self.graph, inputs, partial(self._apply, prefix="", training=None))
        outputs = [self._distinct(tensor, inputs) for tensor in outputs]
        name = self._valid(str(self.source.name))
        model = tf_keras.Model(inputs, outputs[0] if len(outputs) == 1 else outputs, name=name)
        return FlatModel(model, self.graph, self.tensors, self.changes.notes())

    def _input(self, tensor: Any) -> Any:
        dtype = _dtype_name(tensor)
        if dtype == "string" or getattr(tensor, "sparse", False):
            raise InputError(
                f"The input {input_name(tensor)} is {'text' if dtype == 'string' else 'sparse'}, "
                "which is not supported. Save the part of the model that takes dense numbers."
            )
        shape = tuple(tensor.shape)[1:]
        dtype = "float32" if "float" in dtype else dtype
        return tf_keras.Input(shape, dtype=dtype, name=self._unique(input_name(tensor), ""))

    def _distinct(self, tensor: Any, inputs: list[Any]) -> Any:
        """An output that is an input as it is gets a layer, so that the model has one."""
        if any(tensor is other for other in inputs):
            return tf_keras.layers.Activation("linear", name=self._unique("output", ""))(tensor)
        return tensor

    def _apply(
        self,
        call: Call,
        arguments: tuple[Any, ...],
        keywords: dict[str, Any],
        path: Path,
        *,
        prefix: str,
        training: bool | None,
    ) -> list[Any]:
        operation = call.operation
        training = self._training(operation, keywords.pop("training", None), training)
        if is_model(operation):
            return self._nested(operation, arguments, keywords, path, prefix, training)
        try:
            outputs = self._again(call, arguments, keywords, prefix, training)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"The layer {operation.name} ({type(operation).__name__}) cannot be made in "
                f"Keras 2: {reason_of(error)}. Replace it and save the model again."
            ) from error
        self.tensors[path] = outputs
        return outputs

    def _again(
        self,
        call: Call,
        arguments: tuple[Any, ...],
        keywords: dict[str, Any],
        prefix: str,
        training: bool | None,
    ) -> list[Any]:
        """The outputs of a call, made by something equivalent."""
        operation = call.operation
        if isinstance(operation, keras.Operation) and not isinstance(operation, keras.Layer):
            return self._operation(operation, arguments, keywords, prefix)
        if type(operation).__name__ in legacy.OPERATION_LAYERS:
            return self._tensorflow_function(operation, arguments, keywords, prefix)
        outputs = self._layer(operation, arguments, keywords, prefix, training)
        return [
            self._as_float(tensor, reference)
            for tensor, reference in zip(outputs, call.outputs, strict=True)
        ]

    def _training(self, operation: Any, given: Any, around: bool | None) -> bool | None:
        """False inside what is called with ``training=False``, otherwise None."""
        if around is False:
            return False
        if self.is_keras3:  # which notes defaults too: only these two have none
            explicit = is_model(operation) or type(operation).__name__ == "BatchNormalization"
            return False if given is False and explicit else None
        if given is True or given == 1:
            raise InputError(
                f"The layer {operation.name} is called with training=True, so the model answers "
                "at random or by batch. Call it without and save the model again."
            )
        return False if given is False or (given == 0 and given is not None) else None

    def _nested(
        self,
        model: Any,
        arguments: tuple[Any, ...],
        keywords: dict[str, Any],
        path: Path,
        prefix: str,
        training: bool | None,
    ) -> list[Any]:
        self.changes.flattened.append(model.name)
        graph = graph_of(model)
        given = model_inputs(model, arguments, keywords)
        inputs = [
            self._fitting(value, reference, f"{model.name}_input")
            for value, reference in zip(given, graph.inputs, strict=True)
        ]
        inner = f"{prefix}{model.name}_"
        return run(graph, inputs, partial(self._apply, prefix=inner, training=training), path)

    def _fitting(self, tensor: Any, reference: Any, name: str) -> Any:
        """The tensor with the rank that a nested model expects (Keras adds and drops axes of 1)."""
        given, expected = len(tensor.shape), len(reference.shape)
        if given == expected + 1 and tensor.shape[-1] == 1:
            target = tuple(tensor.shape)[1:-1]
        elif given == expected - 1 and reference.shape[-1] == 1:
            target = (*tuple(tensor.shape)[1:], 1)
        else:
            return tensor
        return tf_keras.layers.Reshape(target, name=self._unique(name, ""))(tensor)

    def _operation(
        self, operation: Any, arguments: tuple[Any, ...], keywords: dict[str, Any], prefix: str
    ) -> list[Any]:
        name = self._unique(operation.name, prefix)
        self.changes.operations.append(name)
        options = {key: value for key, value in operation.get_config().items() if key != "name"}
        kind = type(operation).__name__
        return flatten(apply_operation(kind, options, list(arguments), keywords, name))

    def _tensorflow_function(
        self, layer: Any, arguments: tuple[Any, ...], keywords: dict[str, Any], prefix: str
    ) -> list[Any]:
        name = self._unique(layer.name, prefix)
        self.changes.operations.append(name)
        function = legacy.function_name(layer)
        operation, options, values = from_tensorflow(function, arguments, keywords)
        values = legacy.plain_slices(values) if operation == "GetItem" else values
        return flatten(apply_operation(operation, options, values, {}, name))

    def _layer(
        self,
        source: Any,
        arguments: tuple[Any, ...],
        keywords: dict[str, Any],
        prefix: str,
        training: bool | None,
    ) -> list[Any]:
        kind = type(source).__name__
        if training is False and kind in DROPOUTS:
            self.changes.removed.append(source.name)
            return flatten(arguments[0])
        conversion = self._conversion(source, prefix)
        if not conversion.layers:
            self.changes.removed.append(source.name)
            return flatten(arguments[0])
        first, *others = conversion.layers
        is_new = not first._inbound_nodes
        outputs = first(*arguments, **keywords)
        if is_new:
            copy_weights(source, first, conversion)
            self._set_trainable(source, conversion)
        if training is False and kind == "BatchNormalization":
            first.trainable = False
            self.changes.frozen.append(first.name)
        for layer in others:
            outputs = layer(outputs)
        return flatten(outputs)

    def _as_float(self, tensor: Any, reference: Any) -> Any:
        """Integers as numbers, where a layer that was removed turned them into such."""
        if tensor.dtype.is_floating or "float" not in _dtype_name(reference):
            return tensor
        name = self._unique("cast", "")
        return apply_operation("Cast", {"dtype": "float32"}, [tensor], {}, name)

    def _conversion(self, source: Any, prefix: str) -> Conversion:
        if id(source) not in self.built:
            name = self._unique(source.name, prefix)
            convert = convert_layer if self.is_keras3 else legacy.convert_layer
            conversion = convert(source, name)
            if len(conversion.layers) > 1:
                self.changes.split.append(name)
            self.used.update(layer.name for layer in conversion.layers)
            self.built[id(source)] = conversion
        return self.built[id(source)]

    def _set_trainable(self, source: Any, conversion: Conversion) -> None:
        """Everything can be fine-tuned, save batch normalizations that were frozen."""
        first = conversion.layers[0]
        if getattr(source, "trainable", True) or not first.weights:
            return
        if isinstance(first, tf_keras.layers.BatchNormalization):
            first.trainable = False
            self.changes.frozen.append(first.name)
        else:
            first.trainable = True
            self.changes.thawed.append(first.name)

    def _unique(self, wanted: str, prefix: str) -> str:
        valid = self._valid(wanted)
        name = valid
        if prefix and name in self.reserved | self.used:
            name = self._valid(f"{prefix}{wanted}")
        number = 1
        while name in self.used:
            name = f"{valid}_{number}"
            number += 1
        if name != wanted:
            self.changes.renamed.append(name)
        self.used.add(name)
        return name

    @staticmethod
    def _valid(name: str) -> str:
        cleaned = _INVALID_IN_NAMES.sub("_", name)
        return cleaned if cleaned[:1].isalnum() else f"layer_{cleaned}"


def _dtype_name(tensor: Any) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))
