"""The arrays of a prepared dataset, as every stage that trains or measures receives them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from optimizer.errors import InputError
from optimizer.stage import Files

ARRAYS_FILE = "arrays.npz"


@dataclass(frozen=True, eq=False)
class Arrays:
    """Train and test samples.

    Attributes:
        x_train, x_test: samples, shape (n, …). From :func:`load_arrays` always float32.
        y_train, y_test: class index (int64, shape (n,)) or real targets (float32, shape (n,)
            or (n, k)); ``None`` for a dataset without targets.
    """

    x_train: np.ndarray
    y_train: np.ndarray | None
    x_test: np.ndarray
    y_test: np.ndarray | None

    def train_targets(self, task: str) -> np.ndarray:
        """What the model learns to give for ``x_train``: itself for ``reconstruction``.

        Raises:
            InputError: the task needs targets and there are none.
        """
        if task == "reconstruction":
            return self.x_train
        if self.y_train is None:
            raise InputError(f"The task {task!r} needs y_train, and this dataset has none.")
        return self.y_train

    def save(self) -> bytes:
        """The content of ``arrays.npz``: uncompressed, without ``y`` arrays if there are none."""
        buffer = io.BytesIO()
        named = {
            "x_train": self.x_train,
            "y_train": self.y_train,
            "x_test": self.x_test,
            "y_test": self.y_test,
        }
        np.savez(buffer, **{k: v for k, v in named.items() if v is not None})  # type: ignore[arg-type]
        return buffer.getvalue()


def load_arrays(files: Files) -> Arrays:
    """Read the ``arrays.npz`` that ``prepare_data`` wrote; x becomes float32, y stays."""
    with np.load(io.BytesIO(files[ARRAYS_FILE]), allow_pickle=False) as file:
        return Arrays(
            x_train=file["x_train"].astype(np.float32, copy=False),
            y_train=file.get("y_train"),
            x_test=file["x_test"].astype(np.float32, copy=False),
            y_test=file.get("y_test"),
        )
