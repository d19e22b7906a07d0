"""Configurations of old files, in the words of the last Keras 2 or 3. Pure Python.

Files from 2017 on are still around. What changed since in the meaning or spelling of a
configuration is brought up to date here, before anything is checked or deserialized.
"""

from __future__ import annotations

from typing import Any

from optimizer.models import limits

_RENAMED = {
    "CuDNNGRU": "GRU",
    "CuDNNLSTM": "LSTM",
    "UnifiedGRU": "GRU",
    "UnifiedLSTM": "LSTM",
}
"""Layers for one processor only, and the same for all; tf_keras converts the weights."""


_MODULE_2_12, _MODULE_2_13 = "keras.engine.", "keras.src.engine."
"""Where models live; the first .keras files, of TensorFlow 2.12, name the old place."""


def up_to_date(config: Any, keras: int, depth: int = 0) -> Any:
    """A copy of a configuration, or a part of it, as the last Keras 2 or 3 would write it."""
    if depth > limits.CONFIG_DEPTH:  # refused by the check that follows
        return config
    if isinstance(config, list):
        return [up_to_date(item, keras, depth + 1) for item in config]
    if not isinstance(config, dict):
        return config
    number = _number(config) if keras == 2 else None
    if number is not None:
        return number
    copy = {key: up_to_date(value, keras, depth + 1) for key, value in config.items()}
    return _as_in_keras_2(copy) if keras == 2 else _as_in_keras_3(copy)


def _number(node: dict[str, Any]) -> Any:
    """The number in an object that stands for one, as files of Keras 2.0 and 2.12 write it."""
    if node.get("type") == "ndarray":
        return node.get("value")
    options = node.get("config")
    if node.get("class_name") == "__numpy__" and isinstance(options, dict):
        value = options.get("value")
        return value if isinstance(value, int | float) else None
    return None


def _as_in_keras_2(node: dict[str, Any]) -> dict[str, Any]:
    module, name, options = node.get("module"), node.get("class_name"), node.get("config")
    if isinstance(module, str) and module.startswith(_MODULE_2_12):
        node["module"] = module.replace(_MODULE_2_12, _MODULE_2_13, 1)
    if isinstance(name, str) and isinstance(options, dict):
        if name == "GRU":
            options.setdefault("reset_after", False)  # before 2.1.3 there was nothing else
        if name == "MultiHeadAttention":  # TensorFlow 2.4 found its shapes when it was called
            for shape in ("query_shape", "key_shape", "value_shape"):
                options.setdefault(shape, None)
        node["class_name"] = _RENAMED.get(name, name)
    return node


def _as_in_keras_3(node: dict[str, Any]) -> dict[str, Any]:
    options = node.get("config")
    if isinstance(options, dict):
        if node.get("class_name") == "RandomRotation":
            options.pop("value_range", None)  # of early Keras 3, without a meaning
        if "output_layers" in options:
            options["output_layers"] = _without_list(options["output_layers"])
    return node


def _without_list(ends: Any) -> Any:
    """The one output of a model, around which Keras 3.8 and earlier wrote a list for nothing."""
    is_list_of_one = isinstance(ends, list) and len(ends) == 1 and isinstance(ends[0], list)
    return ends[0] if is_list_of_one else ends
