"""The arrays of a prepared dataset, as every stage that trains or measures receives them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from optimizer.data.raw import array_name
from optimizer.errors import InputError
from optimizer.stage import Files

ARRAYS_FILE = "arrays.npz"
Part = Literal["train", "test"]
_PARTS: tuple[Part, Part] = ("train", "test")


@dataclass(frozen=True, eq=False)
class Arrays:
    """Train and test samples of every input, and of every target.

    Attributes:
        x_train, x_test: one array per input, shape (n, …), n the same for all. From
            :func:`load_arrays` always float32.
        y_train, y_test: one array per target: class index (int64, shape (n,)), 0 and 1 per
            label or real values (float32, shape (n,) or (n, …)); empty without targets.
        input_names: what the inputs are called; ``("x",)`` is the usual case.
        target_names: what the targets are called.
    """

    x_train: tuple[np.ndarray, ...]
    y_train: tuple[np.ndarray, ...]
    x_test: tuple[np.ndarray, ...]
    y_test: tuple[np.ndarray, ...]
    input_names: tuple[str, ...] = ("x",)
    target_names: tuple[str, ...] = ("y",)

    @classmethod
    def single(
        cls,
        x_train: np.ndarray,
        y_train: np.ndarray | None,
        x_test: np.ndarray,
        y_test: np.ndarray | None,
    ) -> Arrays:
        """The arrays of one input and at most one target."""
        return cls(
            (x_train,),
            () if y_train is None else (y_train,),
            (x_test,),
            () if y_test is None else (y_test,),
            target_names=() if y_train is None and y_test is None else ("y",),
        )

    def samples(self, part: Part) -> int:
        """Number of samples of a part."""
        return len(self._of("x", part)[0])

    def inputs_for(self, names: Sequence[str], part: Part) -> list[np.ndarray]:
        """Samples in the order of a model's inputs.

        Args:
            names: of the model's inputs.
            part: ``train`` or ``test``.

        Raises:
            InputError: dataset and model differ in their number of inputs.
        """
        return [self._of("x", part)[i] for i in bind(names, self.input_names, "input")]

    def targets_for(self, names: Sequence[str], part: Part) -> list[np.ndarray]:
        """Targets in the order of a model's outputs; see :meth:`inputs_for`.

        Raises:
            InputError: there are no targets, or more or fewer than the model has outputs.
        """
        arrays = self._of("y", part)
        if not arrays:
            raise InputError(
                f"This needs labels, and the dataset has none. Add y_{part} to the data."
            )
        return [arrays[i] for i in bind(names, self.target_names, "output")]

    def save(self) -> bytes:
        """The content of ``arrays.npz``: uncompressed, without ``y`` arrays if there are none."""
        named = {}
        for kind, names in (("x", self.input_names), ("y", self.target_names)):
            for part in _PARTS:
                pairs = zip(names, self._of(kind, part), strict=True)
                named.update({array_name(kind, name, part): array for name, array in pairs})
        buffer = io.BytesIO()
        np.savez(buffer, **named)  # type: ignore[arg-type]
        return buffer.getvalue()

    def _of(self, kind: str, part: Part) -> tuple[np.ndarray, ...]:
        arrays: tuple[np.ndarray, ...] = getattr(self, f"{kind}_{part}")
        return arrays


def load_arrays(files: Files) -> Arrays:
    """Read the ``arrays.npz`` that ``prepare_data`` wrote; x becomes float32, y stays."""
    with np.load(io.BytesIO(files[ARRAYS_FILE]), allow_pickle=False) as file:
        inputs, targets = (_names(file.files, kind) for kind in ("x", "y"))
        x_train, x_test = (
            tuple(
                file[array_name("x", name, part)].astype(np.float32, copy=False) for name in inputs
            )
            for part in _PARTS
        )
        y_train, y_test = (
            tuple(file[array_name("y", name, part)] for name in targets) for part in _PARTS
        )
    return Arrays(x_train, y_train, x_test, y_test, inputs, targets)


def bind(wanted: Sequence[str], given: Sequence[str], what: str) -> list[int]:
    """Which of the dataset's arrays goes to which end of the model.

    Args:
        wanted: names of the model's inputs or outputs, in the model's order.
        given: names of the dataset's inputs or targets.
        what: ``input`` or ``output``.

    Returns:
        For each wanted name the index into ``given``: by name when the names are the same,
        otherwise in order.

    Raises:
        InputError: their numbers differ.
    """
    if len(wanted) != len(given):
        listed = f"{len(given)} ({', '.join(given)})" if given else "none"
        arrays = "x" if what == "input" else "y"
        raise InputError(
            f"The model has {len(wanted)} {what}{'s' * (len(wanted) != 1)} "
            f"({', '.join(wanted)}); the dataset has {listed}. Give one array for each, named "
            f"{arrays}_train_NAME and {arrays}_test_NAME when there are several."
        )
    if len(set(given)) == len(given) and set(wanted) == set(given):
        return [list(given).index(name) for name in wanted]
    return list(range(len(wanted)))


def _names(keys: Sequence[str], kind: str) -> tuple[str, ...]:
    prefix = f"{kind}_train"
    return tuple(
        kind if key == prefix else key.removeprefix(f"{prefix}_")
        for key in keys
        if key.startswith(prefix)
    )
