"""Proof that a flat model computes what the source computes. Runs in stage processes only.

Both are given the same seeded random input, and compared at the outputs and at the tensors in
between: a saturated softmax at the end would hide everything before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tf_keras

from optimizer.errors import InputError, reason_of
from optimizer.models.bridge import FlatModel
from optimizer.models.walk import (
    Call,
    Path,
    flatten,
    graph_of,
    input_name,
    is_model,
    model_inputs,
    run,
)

TOLERANCE = 1e-4
"""Largest accepted difference, relative to the largest value of the tensor compared."""

SAMPLES = 8
UNKNOWN_IMAGE_SIZE = 64
UNKNOWN_STEPS = 12
MAX_COMPARED_ELEMENTS = 40_000_000
"""Above so many intermediate numbers only the outputs are compared."""


@dataclass(frozen=True)
class Verification:
    """How far a flat model is from its source.

    Attributes:
        max_abs_difference: largest absolute difference at an output.
        max_relative_difference: largest difference at an output or a compared tensor in
            between, relative to the largest absolute value of that tensor.
        tolerance: what ``max_relative_difference`` had to stay below.
        samples: number of random inputs.
        tensors: number of tensors compared, outputs included.
    """

    max_abs_difference: float
    max_relative_difference: float
    tolerance: float
    samples: int
    tensors: int


def verify(source: Any, flat: FlatModel, saved: tf_keras.Model, seed: int = 0) -> Verification:
    """Compare the source with its flat model on random input.

    Args:
        source: the model as loaded, of either Keras.
        flat: what the bridge made of it.
        saved: the flat model, written and read back: the one that is going to be used.

    Raises:
        InputError: the difference is above :data:`TOLERANCE`, or the source does not run,
            gives NaN or not one output per sample.
    """
    inputs = random_inputs(flat.model, source, seed)
    try:
        expected = _outputs(source, inputs)
    except Exception as error:
        shapes = ", ".join(str(x.shape) for x in inputs)
        raise InputError(
            f"The model cannot be run on random input of shape {shapes}: {reason_of(error)}. Give "
            "its inputs the size that it needs and save it again."
        ) from error
    actual = _outputs(saved, inputs)
    for values in expected:
        if values.shape[:1] != inputs[0].shape[:1]:
            raise InputError(
                f"The model answers {len(inputs[0])} samples with an output of shape "
                f"{values.shape}, which is not one for each. Save the part of it that does."
            )
        if not np.isfinite(values).all():
            raise InputError(
                "The model answers random input with NaN or infinite values, so nothing can be "
                "compared. Check that its weights are sound and save it again."
            )
    return compared(expected, actual, _intermediates(flat, inputs), "brought to Keras 2")


def compared(
    expected: list[np.ndarray],
    actual: list[np.ndarray],
    between: list[tuple[np.ndarray, np.ndarray]],
    done: str,
) -> Verification:
    """How far outputs, and tensors in between, are from what they should be.

    Args:
        expected: the source's outputs, in order.
        actual: what was made of it gives.
        between: (source's value, new value) of tensors inside.
        done: what was done to the model, for the error's text.

    Raises:
        InputError: the difference is above :data:`TOLERANCE`.
    """
    pairs = list(zip(expected, actual, strict=True))
    relative = max(_relative(a, b) for a, b in pairs + between)
    if not relative < TOLERANCE:
        raise InputError(
            f"The model could not be {done} faithfully: on random input its outputs differ by "
            f"{relative:.2g} (relative), above the tolerance of {TOLERANCE:g}. It is refused "
            "rather than measured wrongly."
        )
    return Verification(
        max(_absolute(a, b) for a, b in pairs),
        relative,
        TOLERANCE,
        len(expected[0]),
        len(pairs) + len(between),
    )


def _absolute(expected: np.ndarray, actual: np.ndarray) -> float:
    if expected.shape != actual.shape:
        return float("inf")
    return float(np.max(np.abs(expected - actual), initial=0.0))


def _relative(expected: np.ndarray, actual: np.ndarray) -> float:
    scale = float(np.max(np.abs(expected), initial=0.0))
    difference = _absolute(expected, actual)
    return difference / max(scale, 1e-6)


def random_inputs(model: tf_keras.Model, source: Any, seed: int) -> list[np.ndarray]:
    """Seeded random input for every input of a flat model, in order.

    Indices stay below the smallest ``input_dim`` of the embeddings they reach and end in
    zeros, as padded sequences do. Other integers are 0 to 255, numbers half uniform in
    [0, 1], half normal.
    """
    random = np.random.default_rng(seed)
    limits = _index_limits(model)
    batches = [tensor.shape[0] for tensor in source.inputs]
    samples = next((batch for batch in batches if batch), SAMPLES)
    arrays = []
    for tensor in model.inputs:
        shape = (samples, *known_shape(tuple(tensor.shape)[1:]))
        limit = limits.get(input_name(tensor))
        arrays.append(random_array(random, shape, str(tensor.dtype.name), limit))
    return arrays


def known_shape(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """A sample's shape with a size for every dimension that may have any."""
    unknown = UNKNOWN_IMAGE_SIZE if len(shape) >= 3 else UNKNOWN_STEPS
    return tuple(size or unknown for size in shape)


def random_array(
    random: np.random.Generator, shape: tuple[int, ...], dtype: str, limit: int | None
) -> np.ndarray:
    """Random input of a shape and dtype, indices below ``limit`` where there is one."""
    if dtype == "bool":
        return random.integers(0, 2, shape).astype(bool)
    if limit is not None:
        array = random.integers(0, limit, shape)
        if len(shape) == 2 and shape[1] > 3:
            for row, length in enumerate(random.integers(1, shape[1] + 1, shape[0])):
                array[row, length:] = 0
        return array.astype(dtype)
    if "int" in dtype:
        return random.integers(0, 128 if dtype == "int8" else 256, shape).astype(dtype)
    values = random.standard_normal(shape)
    half = shape[0] // 2
    values[:half] = random.uniform(0.0, 1.0, (half, *shape[1:]))
    return values.astype(dtype)


def _index_limits(model: tf_keras.Model) -> dict[str, int]:
    """Input name → smallest ``input_dim`` of the embeddings whose indices come from it."""
    graph = graph_of(model)
    sources: dict[int, set[str]] = {id(t): {input_name(t)} for t in graph.inputs}
    limits: dict[str, int] = {}
    for call in graph.calls:
        reached = {name for t in call.tensors(masks=False) for name in sources.get(id(t), ())}
        if isinstance(call.operation, tf_keras.layers.Embedding):
            for name in reached:
                limits[name] = min(
                    limits.get(name, call.operation.input_dim), call.operation.input_dim
                )
        passes_on = not call.operation.weights
        for output in call.outputs:
            sources[id(output)] = reached if passes_on else set()
    return limits


def _outputs(model: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    names = [input_name(tensor) for tensor in model.inputs]
    structure = getattr(model, "_inputs_struct", None)
    given: Any = inputs[0] if len(inputs) == 1 else inputs
    if isinstance(structure, dict) or isinstance(getattr(model, "_nested_inputs", None), dict):
        given = dict(zip(names, inputs, strict=True))
    return [np.asarray(output) for output in flatten(model(given, training=False))]


def _intermediates(
    flat: FlatModel, inputs: list[np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(source's value, flat model's value) of the floating point tensors in between."""
    paths = [
        (path, index)
        for path, tensors in flat.tensors.items()
        for index, tensor in enumerate(tensors)
        if tensor.dtype.is_floating
    ]
    elements = sum(_elements(flat.tensors[path][index]) for path, index in paths)
    if not paths or elements * len(inputs[0]) > MAX_COMPARED_ELEMENTS:
        return []
    recorded = _record(flat, inputs)
    model = tf_keras.Model(flat.model.inputs, [flat.tensors[path][index] for path, index in paths])
    actual = flatten(model(inputs if len(inputs) > 1 else inputs[0], training=False))
    return [
        (recorded[path][index], np.asarray(value))
        for (path, index), value in zip(paths, actual, strict=True)
        if np.issubdtype(recorded[path][index].dtype, np.floating)
    ]


def _elements(tensor: Any) -> int:
    return int(np.prod(known_shape(tuple(tensor.shape)[1:])))


def _record(flat: FlatModel, inputs: list[np.ndarray]) -> dict[Path, list[np.ndarray]]:
    """Compute the source call by call and keep what each one gives."""
    import tensorflow as tf

    recorded: dict[Path, list[np.ndarray]] = {}

    def apply(call: Call, arguments: Any, keywords: dict[str, Any], path: Path) -> list[Any]:
        operation = call.operation
        if is_model(operation):
            given = model_inputs(operation, arguments, keywords)
            references = graph_of(operation).inputs
            fitted = [_fit(value, ref) for value, ref in zip(given, references, strict=True)]
            return run(graph_of(operation), fitted, apply, path, masks=True)
        if "training" in getattr(operation, "_call_context_args", ()):  # Keras 3
            keywords = keywords | {"training": False}
        outputs = flatten(operation(*arguments, **keywords))
        recorded[path] = [np.asarray(output) for output in outputs]
        return outputs

    run(flat.graph, [tf.constant(array) for array in inputs], apply, masks=True)
    return recorded


def _fit(value: Any, reference: Any) -> Any:
    """The value with the axis of 1 that a nested model expects or does without."""
    if len(value.shape) == len(reference.shape) + 1:
        return value[..., 0]
    return value[..., None] if len(value.shape) == len(reference.shape) - 1 else value
