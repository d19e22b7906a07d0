"""The matrix's models and data as files, trained for a moment with Keras 3.

``python -m benchmarks.building FOLDER NAME…`` writes a ``.keras`` and an ``.npz`` for each, in a
process of its own, so that the matrix itself imports no TensorFlow.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models import SUBJECTS
from optimizer import samples

ROOT = Path(__file__).resolve().parents[1]
_EPOCHS = 5

File = tuple[str, bytes]


def files(folder: Path, names: Sequence[str]) -> dict[str, tuple[File, File]]:
    """The model file and the data file of each model; built in ``folder`` unless bundled."""
    built = [name for name in names if SUBJECTS[name].build]
    command = [sys.executable, "-m", "benchmarks.building", str(folder), *built]
    if built:
        subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    found = {}
    for name in names:
        paths = [folder / f"{name}{SUBJECTS[name].suffix}", folder / f"{name}.npz"]
        if name in samples.MODELS:
            sample = samples.MODELS[name]
            paths = [sample.path, samples.DATASETS[sample.dataset].path]
        model, data = ((path.name, path.read_bytes()) for path in paths)
        found[name] = (model, data)
    return found


def main(folder: str, *names: str) -> None:
    """Build, train and write models and their data."""
    import keras

    for name in names:
        subject = SUBJECTS[name]
        assert subject.build is not None
        assert subject.data is not None
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        arrays, model = subject.data(), subject.build(keras)
        inputs = [arrays[key] for key in arrays if key.startswith("x_train")]
        sources = inputs if len(inputs) > 1 else inputs[0]
        model.compile("adam", subject.loss)
        targets = arrays.get("y_train", inputs[0])
        model.fit(sources, targets, batch_size=16, epochs=_EPOCHS, verbose=0)
        _write(model, Path(folder) / f"{name}{subject.suffix}")
        np.savez(Path(folder) / f"{name}.npz", allow_pickle=False, **arrays)


def _write(model: Any, path: Path) -> None:
    """Write a model in the form that the suffix names."""
    if path.suffix == ".keras":
        model.save(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        if path.suffix == ".zip":
            shutil.make_archive(str(path.with_suffix("")), "zip", folder)
        else:
            import tensorflow as tf

            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            path.write_bytes(converter.convert())


if __name__ == "__main__":
    main(*sys.argv[1:])
