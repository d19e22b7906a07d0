"""A zipped SavedModel, loaded without running anything it brings. Runs in stage processes only."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from optimizer.errors import InputError, reason_of
from optimizer.models.saved_model_archive import GRAPH, pack_saved_model, read_saved_model
from optimizer.models.saved_model_rules import sanitized


@dataclass(frozen=True)
class SavedModel:
    """A loaded SavedModel.

    Attributes:
        signature: the concrete function to call, with keyword arguments by input name.
        owner: what keeps its variables alive.
        archive: the sanitized SavedModel as a zip.
        has_loops: it takes one sample at a time; see
            :class:`optimizer.models.saved_model_rules.Sanitized`.
    """

    signature: Any
    owner: Any
    archive: bytes
    has_loops: bool

    @property
    def inputs(self) -> list[tf.TensorSpec]:
        """What the signature takes, in the order of a converted file's inputs."""
        given = self.signature.structured_input_signature[1]
        names = [tensor.name.split(":")[0] for tensor in self.signature.inputs]
        return [given[name] for name in names if name in given]

    @property
    def outputs(self) -> list[tuple[str, Any]]:
        """(name, tensor) of what it gives, in the order of a converted file's outputs."""
        named = self.signature.structured_outputs
        return [(name, named[name]) for name in sorted(named)]

    def call(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Its outputs, in the order of :attr:`outputs`, for arrays in that of :attr:`inputs`."""
        if not self.has_loops:
            return self._call(arrays)
        rows = [self._call([x[i : i + 1] for x in arrays]) for i in range(len(arrays[0]))]
        return [np.concatenate(column) for column in zip(*rows, strict=True)]

    def converter(self) -> Any:
        """A new TFLite converter of the signature."""
        return tf.lite.TFLiteConverter.from_concrete_functions([self.signature], self.owner)

    def _call(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        names = [spec.name for spec in self.inputs]
        given = {name: tf.constant(x) for name, x in zip(names, arrays, strict=True)}
        result = self.signature(**given)
        return [np.asarray(result[name]) for name, _ in self.outputs]


def open_saved_model(data: bytes) -> SavedModel:
    """Load a zipped SavedModel's serving signature and variables, and nothing else of it.

    Args:
        data: the zip, as uploaded or as made by this function.

    Raises:
        InputError: it is damaged, or has what is not allowed; the sentence names it.
    """
    members = read_saved_model(data)
    rules = sanitized(members[GRAPH])
    kept = {name: members[name] for name in members if name.startswith("variables/")}
    kept[GRAPH] = rules.graph
    with tempfile.TemporaryDirectory() as folder:
        write_members(kept, Path(folder))
        try:
            owner = tf.saved_model.load(folder)
            signature = next(iter(owner.signatures.values()))
        except Exception as error:
            raise InputError(
                f"TensorFlow cannot read this SavedModel: {reason_of(error)}. Save it again and "
                "zip its whole folder, variables included."
            ) from error
    return SavedModel(signature, owner, pack_saved_model(kept), rules.has_loops)


def write_members(members: dict[str, bytes], folder: Path) -> None:
    """Put members of a SavedModel, whose paths were checked, into a folder."""
    for path, content in members.items():
        target = folder / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
