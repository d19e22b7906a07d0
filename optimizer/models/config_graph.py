"""Facts about a cleaned configuration that loaders do not check: cycles and declared sizes."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from optimizer.errors import InputError
from optimizer.models import allowed

_SIZES = ("units", "filters", "input_dim", "output_dim", "key_dim")


_CONSTANT = "_CONSTANT_VALUE"
"""Stands in Keras 2's notation where a layer's name would, for a plain value."""


def refuse_broken_graphs(config: Any) -> None:
    """Refuse functional models whose calls feed each other in a circle or refer to nothing.

    tf_keras's loader would wait for such calls for ever.

    Raises:
        InputError: naming the layers.
    """
    for model in _models(config):
        layers = [item for item in model["config"].get("layers") or [] if isinstance(item, dict)]
        if any("inbound_nodes" in layer for layer in layers):
            _check_calls(layers)


def _check_calls(layers: list[dict[str, Any]]) -> None:
    calls: dict[str, list[Any]] = {}
    for layer in layers:
        name, nodes = _name(layer), layer.get("inbound_nodes") or []
        if not isinstance(nodes, list) or name in calls:
            raise InputError(
                f"The layer {name[:80]!r} is described twice or not in a readable way. The file is "
                "damaged or was made by hand."
            )
        calls[name] = nodes
    inputs = {_name(layer) for layer in layers if layer.get("class_name") == "InputLayer"}
    first = {_name(layer): _first_call(layer) for layer in layers}
    sorter: TopologicalSorter[tuple[str, int]] = TopologicalSorter()
    for name, nodes in calls.items():
        for number, node in enumerate(nodes):
            for source, index, is_keras2 in _sources(node):
                called = 0 if source in inputs else index - is_keras2 * first.get(source, 0)
                if source not in calls or not 0 <= called < max(len(calls[source]), 1):
                    raise InputError(
                        f"The layer {name[:80]!r} takes the output of {source[:80]!r}, which the "
                        "model has not. The file is damaged or was made by hand."
                    )
                sorter.add((name, number), (source, called))
    try:
        sorter.prepare()
    except CycleError as error:
        names = " → ".join(str(step[0]) for step in error.args[1])
        raise InputError(
            f"The layers of this model feed each other in a circle ({names[:200]}), which no "
            "real model does. The file is damaged or was made by hand."
        ) from None


def _name(layer: dict[str, Any]) -> str:
    options = layer.get("config")
    return str(layer.get("name") or (options.get("name") if isinstance(options, dict) else ""))


def _first_call(layer: dict[str, Any]) -> int:
    """Keras 2 counts a nested model's own construction as its call number 0."""
    options = layer.get("config")
    if layer.get("class_name") not in allowed.MODELS:
        return 0
    inner = options.get("layers") if isinstance(options, dict) else options
    head = inner[0] if isinstance(inner, list) and inner else {}
    options = head.get("config") if isinstance(head, dict) else {}
    return int(isinstance(options, dict) and "batch_input_shape" in options)


def refuse_oversized(config: Any, shapes: set[tuple[int, ...]]) -> None:
    """Refuse layers that declare sizes their stored weights do not have.

    Args:
        config: a cleaned configuration.
        shapes: of all weights in the file.

    Raises:
        InputError: naming the layer, the size declared, and that it is not in the weights.
    """
    sizes = {size for shape in shapes for size in shape}
    for layer in _dicts(config):
        options = layer.get("config")
        if "class_name" not in layer or not isinstance(options, dict):
            continue
        for key in _SIZES:
            value = options.get(key)
            if isinstance(value, int) and value > 4096 and value not in sizes:
                raise InputError(
                    f"The layer {options.get('name')!r} declares {key}={value}, but the file has "
                    "no weights of that size. The file is damaged or was made by hand."
                )


def has_input_shape(config: dict[str, Any]) -> bool:
    """Whether a Sequential model says what it takes; functional models always do."""
    if config["class_name"] != "Sequential":
        return True
    options = config.get("config")
    layers = options.get("layers") if isinstance(options, dict) else options
    if isinstance(options, dict) and options.get("build_input_shape"):
        return True
    built = config.get("build_config")
    if isinstance(built, dict) and built.get("input_shape"):
        return True
    head = layers[0] if isinstance(layers, list) and layers else {}
    options = head.get("config") if isinstance(head, dict) else {}
    return isinstance(options, dict) and any(
        key in options for key in ("batch_input_shape", "batch_shape", "layers")
    )


def notations(config: Any) -> set[int]:
    """The major versions of Keras in whose notation a configuration is written; often none."""
    found = set()
    for layer in _dicts(config):
        options = layer.get("config")
        if layer.get("class_name") == "InputLayer" and isinstance(options, dict):
            found |= {2} if "batch_input_shape" in options else set()
            found |= {3} if "batch_shape" in options else set()
        elif isinstance(options, dict) and options.get("batch_input_shape"):
            found.add(2)
        nodes = layer.get("inbound_nodes")
        for node in nodes if isinstance(nodes, list) else ():
            found.add(3 if isinstance(node, dict) else 2)
    return found


def _models(node: Any) -> Iterator[dict[str, Any]]:
    for item in _dicts(node):
        if item.get("class_name") in allowed.MODELS and isinstance(item.get("config"), dict):
            yield item


def _dicts(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _dicts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _dicts(value)


def _sources(node: Any) -> Iterator[tuple[str, int, bool]]:
    """Where a call's tensors come from: layer, number of its call, in Keras 2's notation or not."""
    if isinstance(node, dict):
        options = node.get("config")
        history = options.get("keras_history") if isinstance(options, dict) else None
        if history is not None:
            if not _is_reference(history):
                raise InputError(
                    f"The model refers to the tensor {str(history)[:80]}, which is not readable. "
                    "The file is damaged or was made by hand."
                )
            yield history[0], history[1], False
            return
        for value in node.values():
            yield from _sources(value)
    elif isinstance(node, list):
        if _is_reference(node) and node[0] != _CONSTANT:
            yield node[0], node[1], True
            node = node[3:]
        for value in node:
            yield from _sources(value)


def _is_reference(node: Any) -> bool:
    return (
        isinstance(node, list)
        and len(node) in (3, 4)
        and isinstance(node[0], str)
        and all(isinstance(item, int) and not isinstance(item, bool) for item in node[1:3])
    )
