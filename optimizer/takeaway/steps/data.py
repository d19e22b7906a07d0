"""Samples, targets and loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Arrays(NamedTuple):
    """Training and test samples with their targets."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


class Objective(NamedTuple):
    """What the model is trained for: samples, targets in the output's shape, and the loss."""

    x: np.ndarray
    y: np.ndarray
    loss: Any

    @property
    def samples(self) -> int:
        """Number of training samples."""
        return len(self.x)


def load_data(path: Path) -> Arrays:
    """The arrays of an .npz file; samples as float32."""
    with np.load(path, allow_pickle=False) as file:
        return Arrays(
            file["x_train"].astype("float32"),
            file.get("y_train"),
            file["x_test"].astype("float32"),
            file.get("y_test"),
        )
