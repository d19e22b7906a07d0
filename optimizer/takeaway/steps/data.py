"""Samples, targets and loss of a model with one input and one output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Arrays(NamedTuple):
    """Training and test samples with their targets, which may be missing."""

    x_train: np.ndarray
    y_train: Any
    x_test: np.ndarray
    y_test: Any

    def samples(self, part: str) -> int:
        """Number of samples of a part, ``train`` or ``test``."""
        return len(self.x_train if part == "train" else self.x_test)

    def inputs_for(self, names: Sequence[str], part: str) -> list[np.ndarray]:
        """Samples of a part for the model's one input."""
        return [self.x_train if part == "train" else self.x_test]


class Objective(NamedTuple):
    """What the model is trained for, a list of one each: samples, targets and the loss."""

    x: list[np.ndarray]
    y: list[np.ndarray]
    losses: list[Any]

    @property
    def samples(self) -> int:
        """Number of training samples."""
        return len(self.x[0])

    def batch(self, start: int, stop: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Samples and targets from ``start`` to before ``stop``."""
        return [self.x[0][start:stop]], [self.y[0][start:stop]]

    def error(self, y: Sequence[Any], outputs: Any) -> Any:
        """The loss of a batch, as a tensor."""
        return self.losses[0](y[0], outputs)


def load_data(path: Path) -> Arrays:
    """The arrays of an .npz file; samples as float32."""
    with np.load(path, allow_pickle=False) as file:
        return Arrays(
            file["x_train"].astype("float32"),
            file.get("y_train"),
            file["x_test"].astype("float32"),
            file.get("y_test"),
        )
