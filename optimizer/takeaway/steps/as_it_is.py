"""Quantization-aware training of a model with nothing to fold, fuse or split."""

from __future__ import annotations

from typing import Any

from optimizer.techniques.graph import clone


def prepare(model: Any) -> Any:
    """The model in the form TFLite executes it, which it has already: a copy."""
    return clone(model)
