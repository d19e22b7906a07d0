"""What a person asks of a scan of single layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from optimizer.errors import InputError
from optimizer.recipe_text import describe_error
from optimizer.schedules import Part

MOST_SAMPLES = 1_000_000
_FEWEST_PROPOSED, _BUDGET_MACS = 64, 1e12
"""Multiply-accumulates that a scan may take by default: a minute or a few on two cores."""
_Level = Annotated[float, Field(gt=0.0, lt=1.0)]
_Count = Annotated[int, Field(ge=2, le=1024)]


class ScanOptions(Part):
    """Levels to try in each layer, and the samples to judge by.

    ``sparsities`` and ``clusters`` are tried one by one, ``int8`` is the rounding of weights to
    8 bits; ``samples`` of the test set are used at most, drawn by ``seed``.
    """

    sparsities: tuple[_Level, ...] = (0.5, 0.7, 0.8, 0.9, 0.95)
    clusters: tuple[_Count, ...] = (4, 8, 16, 32, 64)
    int8: bool = True
    samples: Annotated[int, Field(ge=1, le=MOST_SAMPLES)] = 500
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0

    @model_validator(mode="after")
    def _something(self) -> ScanOptions:
        if not (self.sparsities or self.clusters or self.int8):
            raise ValueError("choose a sparsity, a cluster count or int8 to scan for")
        return self

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> ScanOptions:
        """Read options from plain data; levels become sorted, each once.

        Raises:
            InputError: naming the field, the value received and what is accepted.
        """
        levels = {
            name: sorted(set(value[name]))
            for name in ("sparsities", "clusters")
            if isinstance(value.get(name), list | tuple)
        }
        try:
            return cls.model_validate({**value, **levels})
        except ValidationError as error:
            raise InputError(f"The scan cannot be made. {describe_error(error)}") from None


def proposed_samples(layers: Sequence[Mapping[str, Any]]) -> int:
    """How many samples to judge by at first: fewer for models that compute much.

    Args:
        layers: of the model's facts; a kernel is taken to be applied at each position of its
            layer's output.
    """
    usual = ScanOptions()
    macs = 0.0
    for layer in layers:
        shape = layer.get("output_shape")
        middle = shape[1:-1] if isinstance(shape, list) and len(shape) > 1 else ()
        positions = math.prod(size for size in middle if isinstance(size, int))
        macs += float(layer["parameters"]) * positions
    affordable = int(_BUDGET_MACS / max(1.0, macs * (count_changes(layers, usual) + 1)))
    return max(_FEWEST_PROPOSED, min(usual.samples, affordable))


def count_changes(layers: Sequence[Mapping[str, Any]], options: ScanOptions) -> int:
    """How many changes a scan tries.

    Args:
        layers: of the model's facts, which say what can act on each.
        options: the levels.
    """

    def able(technique: str) -> int:
        return sum(
            bool(layer["parameters"]) and layer["techniques"].get(technique, "unknown") is None
            for layer in layers
        )

    rounded = sum(
        layer["techniques"].get("quantize_aware", "unknown") is None
        and any(weight["name"].endswith("kernel") for weight in layer.get("weights") or ())
        for layer in layers
    )
    return (
        able("prune") * len(options.sparsities)
        + able("cluster") * len(options.clusters)
        + rounded * options.int8
    )
