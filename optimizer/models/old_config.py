"""Configurations of old Keras 2 files, in the words of the last Keras 2. Pure Python.

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


def up_to_date(config: Any, depth: int = 0) -> Any:
    """A copy of a Keras 2 configuration, or a part of it, as Keras 2.15 would write it."""
    if depth > limits.CONFIG_DEPTH:  # refused by the check that follows
        return config
    if isinstance(config, list):
        return [up_to_date(item, depth + 1) for item in config]
    if not isinstance(config, dict):
        return config
    if config.get("type") == "ndarray" and "value" in config:  # Keras 2.0's way of writing 0.3
        return config["value"]
    copy = {key: up_to_date(value, depth + 1) for key, value in config.items()}
    name, options = copy.get("class_name"), copy.get("config")
    if not isinstance(name, str) or not isinstance(options, dict):
        return copy
    if name == "GRU":
        options.setdefault("reset_after", False)  # before 2.1.3 there was nothing else
    copy["class_name"] = _RENAMED.get(name, name)
    return copy
