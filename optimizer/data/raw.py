"""What the reader of a format hands on: arrays by name, not yet checked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PARQUET_MAGIC = b"PAR1"
"""The first bytes of every Parquet file."""


@dataclass(frozen=True, eq=False)
class Raw:
    """The arrays of an uploaded file.

    Attributes:
        format: of the file, for the facts.
        inputs: input name → its samples in one part, yet to be split, or in two: train, test.
        targets: target name → its labels in as many parts; empty without labels.
        notes: sentences about what was changed or left out.
        class_names: of the classes 0, 1, 2 … of the only target, where the file names them.
        feature_names: of the values of a sample of shape (features,), where the file names them.
    """

    format: str
    inputs: Mapping[str, tuple[np.ndarray, ...]]
    targets: Mapping[str, tuple[np.ndarray, ...]]
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()

    @property
    def split(self) -> bool:
        """Whether the file brings its own test samples."""
        return len(next(iter(self.inputs.values()))) == 2

    @property
    def parts(self) -> tuple[str, ...]:
        """``train`` and ``test``, or one part without a name."""
        return ("train", "test") if self.split else ("",)


def array_name(kind: str, name: str, part: str) -> str:
    """What an array is called in an ``.npz``: ``x``, ``x_train``, ``y_test_price``.

    Args:
        kind: ``x`` or ``y``.
        name: of the input or target; the kind itself when there is only one.
        part: ``train``, ``test``, or nothing before the split.
    """
    return "_".join(filter(None, (kind, part, name if name != kind else "")))


@dataclass(frozen=True)
class ArrayHeader:
    """What one array declares: its name in the file, shape (samples first) and dtype."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class UploadSummary:
    """What is in an uploaded dataset, without having read any sample.

    Attributes:
        arrays: those that will be used, x before y, train before test.
        has_test: whether the file brings its own test samples.
        ignored: names of what else is in the file.
        format: ``npz``, ``csv``, ``parquet`` or ``images``.
        columns: of a table, each as :class:`optimizer.data.tables.Column` has it.
        proposed_labels: of a table, the columns that are most likely labels.
        rows: of a table.
        classes: of images, class name → number of images; empty without folders.
    """

    arrays: tuple[ArrayHeader, ...]
    has_test: bool
    ignored: tuple[str, ...]
    format: str = "npz"
    columns: tuple[Mapping[str, Any], ...] = ()
    proposed_labels: tuple[str, ...] = ()
    rows: int = 0
    classes: Mapping[str, int] = field(default_factory=dict)

    @property
    def takes_model_shape(self) -> bool:
        """Whether samples are brought into the shape of the model's input."""
        return self.format != "npz"
