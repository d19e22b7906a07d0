"""Representative datasets: good ones, and the usual mistakes to see what they do."""

from __future__ import annotations

from typing import Literal

import numpy as np

from optimizer.errors import InputError

Draw = Literal["random", "single", "one_class", "noise", "dark", "bright"]
"""Training samples at random, one of them, those of one class, uniform noise between the data's
extremes, and samples whose scaling was done twice (``dark``) or forgotten (``bright``)."""

BYTE = 255.0
"""What pixels of 8 bits are divided by to lie between 0 and 1."""


def representative(
    draw: Draw,
    x: np.ndarray,
    y: np.ndarray | None = None,
    *,
    count: int = 200,
    label: int = 0,
    seed: int = 0,
) -> np.ndarray:
    """Samples to calibrate with.

    Args:
        draw: which ones; ``dark`` and ``bright`` suppose pixels that were divided by 255.
        x: training samples as the model takes them, float32, shape (n, …).
        y: their class indices, shape (n,); only ``one_class`` needs them.
        count: how many, at most n; ``single`` is the first sample.
        label: the class of ``one_class``.
        seed: of what is drawn at random.

    Returns:
        float32, shape (m, …), m ≥ 1.

    Raises:
        InputError: ``one_class`` without labels or without a sample of that class.
    """
    random = np.random.default_rng(seed)
    if draw == "single":
        return x[:1].astype(np.float32)
    if draw == "one_class":
        chosen = np.flatnonzero(y == label)[:count] if y is not None else np.empty(0, int)
        if not len(chosen):
            raise InputError(f"There is no training sample of class {label}. Choose another class.")
        return x[chosen].astype(np.float32)
    if draw == "noise":
        return random.uniform(x.min(), x.max(), (count, *x.shape[1:])).astype(np.float32)
    chosen = random.choice(len(x), min(count, len(x)), replace=False)
    factor = {"random": 1.0, "dark": 1 / BYTE, "bright": BYTE}[draw]
    return (x[chosen] * factor).astype(np.float32)
