"""One view of a Keras 3 model's graph and a tf_keras model's. Runs in stage processes only.

Both Keras keep a graph of calls: an operation (a layer, a tensor operation or a nested
model), its arguments and its outputs. :func:`graph_of` lays it out in an order in which it
can be executed, and :func:`run` executes it with any meaning of "call": rebuilding the calls
with other layers, or computing them with real numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from optimizer.errors import InputError

MASK_KEYWORDS = frozenset({"mask", "query_mask", "value_mask", "key_mask"})
"""Arguments that Keras 3 fills in itself with explicit mask tensors."""

Path = tuple[int, ...]
"""Where a call is: its number in the model's graph, preceded by those of the calls around it."""


@dataclass(frozen=True)
class Call:
    """One call of an operation.

    Attributes:
        operation: the layer, nested model or tensor operation that is called.
        arguments: positional arguments; tensors are the source model's symbolic tensors.
        keywords: keyword arguments, likewise.
        outputs: the symbolic tensors that it makes, flattened.
    """

    operation: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    outputs: tuple[Any, ...]

    def tensors(self, masks: bool) -> Iterator[Any]:
        """The symbolic tensors among the arguments, with or without those of masks."""
        yield from _tensors_in(self.arguments)
        for name, value in self.keywords.items():
            if masks or name not in MASK_KEYWORDS:
                yield from _tensors_in(value)


@dataclass(frozen=True)
class Graph:
    """A model's calls, in an order in which each finds its inputs computed."""

    inputs: tuple[Any, ...]
    calls: tuple[Call, ...]
    outputs: tuple[Any, ...]

    def needed(self, masks: bool) -> set[int]:
        """Numbers of the calls that the outputs depend on, following masks or not."""
        wanted = {id(tensor) for tensor in self.outputs}
        numbers = set()
        for number in range(len(self.calls) - 1, -1, -1):
            call = self.calls[number]
            if any(id(output) in wanted for output in call.outputs):
                numbers.add(number)
                wanted.update(id(tensor) for tensor in call.tensors(masks))
        return numbers


Apply = Callable[[Call, tuple[Any, ...], dict[str, Any], Path], list[Any]]
"""Does one call: the call, its arguments and keywords with values filled in, and where it is."""


def is_model(operation: Any) -> bool:
    """Whether the operation is itself a model with a graph of calls, of either Keras."""
    return hasattr(operation, "_nodes_by_depth") or hasattr(operation, "_functional")


def is_symbolic(value: Any) -> bool:
    """Whether the value is a symbolic tensor of either Keras."""
    return hasattr(value, "_keras_history")


def graph_of(model: Any) -> Graph:
    """The graph of a Sequential or functional model of Keras 3 or tf_keras.

    Raises:
        InputError: the model has no graph: it is subclassed, or has no input shape.
    """
    if hasattr(model, "_functional"):  # a Keras 3 Sequential
        model = model._functional
    nodes_by_depth = getattr(model, "_nodes_by_depth", None)
    if not nodes_by_depth:
        raise InputError(
            "The model, or a Sequential model inside it, has no input shape. Add an Input layer "
            "(or call model.build) and save it again."
        )
    calls: list[Call] = []
    for depth in sorted(nodes_by_depth, reverse=True):
        calls.extend(_call_of(node) for node in nodes_by_depth[depth] if not node.is_input)
    return Graph(tuple(model.inputs), tuple(calls), tuple(model.outputs))


def _call_of(node: Any) -> Call:
    if hasattr(node, "operation"):  # Keras 3
        arguments, keywords = node.arguments.args, node.arguments.kwargs
        return Call(node.operation, tuple(arguments), dict(keywords), tuple(node.outputs))
    outputs = tuple(flatten(node.outputs))
    return Call(node.layer, tuple(node.call_args), dict(node.call_kwargs), outputs)


def run(
    graph: Graph, inputs: list[Any], apply: Apply, path: Path = (), masks: bool = False
) -> list[Any]:
    """Execute a graph on ``inputs`` with ``apply`` and return its outputs, flattened.

    Args:
        masks: whether explicit mask arguments, and what computes them, are executed too.
    """
    values = {id(key): value for key, value in zip(graph.inputs, inputs, strict=True)}
    needed = graph.needed(masks)
    for number, call in enumerate(graph.calls):
        if number not in needed:
            continue
        keywords = {k: v for k, v in call.keywords.items() if masks or k not in MASK_KEYWORDS}
        filled = tuple(fill(argument, values) for argument in call.arguments)
        filled_keywords = {name: fill(value, values) for name, value in keywords.items()}
        outputs = apply(call, filled, filled_keywords, (*path, number))
        for tensor, value in zip(call.outputs, outputs, strict=True):
            values[id(tensor)] = value
    return [values[id(tensor)] for tensor in graph.outputs]


def fill(structure: Any, values: dict[int, Any]) -> Any:
    """The structure of lists, tuples and dicts with its symbolic tensors replaced."""
    return map_structure(lambda x: values[id(x)] if is_symbolic(x) else x, structure)


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """``function`` of every leaf of nested lists, tuples and dicts, as plain containers."""
    if isinstance(structure, dict):
        return {key: map_structure(function, value) for key, value in structure.items()}
    if isinstance(structure, list):
        return [map_structure(function, value) for value in structure]
    if isinstance(structure, tuple):
        return tuple(map_structure(function, value) for value in structure)
    return function(structure)


def flatten(structure: Any) -> list[Any]:
    """The leaves of nested lists, tuples and dicts; dicts by sorted key, as both Keras do."""
    if isinstance(structure, dict):
        return [leaf for key in sorted(structure) for leaf in flatten(structure[key])]
    if isinstance(structure, list | tuple):
        return [leaf for value in structure for leaf in flatten(value)]
    return [structure]


def model_inputs(model: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> list[Any]:
    """What a nested model is called with, in the order of its own inputs."""
    given = arguments[0] if arguments else keywords.get("inputs")
    names = [input_name(tensor) for tensor in model.inputs]
    if isinstance(given, dict) and set(names) <= set(given):
        return [given[name] for name in names]
    return flatten(given)


def input_name(tensor: Any) -> str:
    """The name of the input layer that makes a symbolic input tensor."""
    return str(tensor._keras_history[0].name)


def _tensors_in(structure: Any) -> Iterator[Any]:
    for leaf in flatten(structure):
        if is_symbolic(leaf):
            yield leaf
