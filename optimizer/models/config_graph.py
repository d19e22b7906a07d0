"""Facts about a cleaned configuration that loaders do not check: cycles and declared sizes."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from optimizer.errors import InputError
from optimizer.models import allowed

_SIZES = ("units", "filters", "input_dim", "output_dim", "key_dim")


def refuse_cycles(config: Any) -> None:
    """Refuse a functional model whose layers feed each other in a circle: tf_keras never ends.

    Raises:
        InputError: there is a cycle.
    """
    for model in _models(config):
        sorter: TopologicalSorter[tuple[str, int]] = TopologicalSorter()
        for layer in model["config"].get("layers") or []:
            if not isinstance(layer, dict):
                continue
            name = str(layer.get("name") or (layer.get("config") or {}).get("name"))
            for index, node in enumerate(layer.get("inbound_nodes") or []):
                sorter.add((name, index), *_sources(node))
        try:
            sorter.prepare()
        except CycleError as error:
            names = " → ".join(str(step[0]) for step in error.args[1])
            raise InputError(
                f"The layers of this model feed each other in a circle ({names[:200]}), which no "
                "real model does. The file is damaged or was made by hand."
            ) from None


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
    options = config["config"]
    layers = options.get("layers") if isinstance(options, dict) else options
    if isinstance(options, dict) and options.get("build_input_shape"):
        return True
    built = config.get("build_config") or {}
    if built.get("input_shape"):
        return True
    return any(
        key in (layer.get("config") or {})
        for layer in (layers or [])[:1]
        for key in ("batch_input_shape", "batch_shape", "layers")
    )


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


def _sources(node: Any) -> Iterator[tuple[str, int]]:
    """Where a call's tensors come from: (layer, number of its call), in both Keras's notations."""
    if isinstance(node, dict):
        history = (node.get("config") or {}).get("keras_history") if "config" in node else None
        if isinstance(history, list) and len(history) == 3:
            yield str(history[0]), int(history[1])
            return
        for value in node.values():
            yield from _sources(value)
    elif isinstance(node, list):
        is_reference = (
            len(node) in (3, 4)
            and isinstance(node[0], str)
            and all(isinstance(item, int) and not isinstance(item, bool) for item in node[1:3])
        )
        if is_reference:
            yield node[0], node[1]
            node = node[3:]
        for value in node:
            yield from _sources(value)
