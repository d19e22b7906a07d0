"""Scaling of samples: stated, applied once, with statistics of the training samples only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optimizer.data.arrays import Arrays
from optimizer.data.options import Scaling

MAX_STATISTICS = 4096
"""Features that are standardized each on its own at most; more have one mean and deviation."""
_FIXED: dict[str, tuple[float, float]] = {"unit": (0.0, 255.0), "symmetric": (127.5, 127.5)}


@dataclass(frozen=True, eq=False)
class Scale:
    """``(x - offset) / divisor``, along the samples' last axis or for all values alike.

    Attributes:
        offset, divisor: float64, shape () or (size of the last axis,).
    """

    offset: np.ndarray
    divisor: np.ndarray

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Scaled samples, float32."""
        out = x.astype(np.float32)
        out -= self.offset.astype(np.float32)
        out /= self.divisor.astype(np.float32)
        return out

    def facts(self) -> dict[str, Any]:
        """What has to be done to a sample on the device, JSON-able."""
        return {"offset": self.offset.tolist(), "divisor": self.divisor.tolist()}


def scaled(arrays: Arrays, kind: Scaling) -> tuple[Arrays, dict[str, Any]]:
    """The arrays with every input scaled.

    Args:
        arrays: as they were brought.
        kind: how; ``none`` leaves them as they are.

    Returns:
        The arrays, and ``{"kind": …, "inputs": {name: {"offset", "divisor"}}}``.
    """
    if kind == "none":
        return arrays, {"kind": kind, "inputs": {}}
    scales = [_scale(x, kind) for x in arrays.x_train]
    done = replace(
        arrays,
        x_train=_applied(scales, arrays.x_train),
        x_test=_applied(scales, arrays.x_test),
    )
    pairs = zip(arrays.input_names, scales, strict=True)
    return done, {"kind": kind, "inputs": {name: scale.facts() for name, scale in pairs}}


def _applied(scales: Sequence[Scale], xs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    return tuple(scale.apply(x) for scale, x in zip(scales, xs, strict=True))


def _scale(x: np.ndarray, kind: Scaling) -> Scale:
    if kind in _FIXED:
        offset, divisor = _FIXED[kind]
        return Scale(np.asarray(offset), np.asarray(divisor))
    last = x.shape[-1] if x.ndim > 1 else 1
    axes = tuple(range(x.ndim - 1)) if x.ndim > 1 and last <= MAX_STATISTICS else None
    mean = x.mean(axis=axes, dtype=np.float64)
    deviation = x.std(axis=axes, dtype=np.float64)
    return Scale(np.asarray(mean), np.asarray(np.where(deviation == 0, 1.0, deviation)))
