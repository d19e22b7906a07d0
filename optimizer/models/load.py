"""Loading an inspected file from a cleaned copy. Runs in stage processes only."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import h5py

from optimizer.errors import InputError, reason_of
from optimizer.models.allowed import LAYERS
from optimizer.models.containers import CONFIG, METADATA, WEIGHTS, read_keras_archive
from optimizer.models.inspect import HDF5_MAGIC, Inspected
from optimizer.models.operations import keras_classes


def load(data: bytes, inspected: Inspected) -> Any:
    """The model, loaded with the Keras that wrote it, from a copy without anything to run.

    Args:
        data: the uploaded file.
        inspected: what :func:`optimizer.models.inspect.inspect_upload` found in it.

    Raises:
        InputError: Keras cannot read the file.
    """
    is_hdf5 = data.startswith(HDF5_MAGIC)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("model.h5" if is_hdf5 else "model.keras")
        path.write_bytes(_clean_hdf5(data, inspected) if is_hdf5 else _clean(data, inspected))
        operations = _operations() if is_hdf5 and inspected.file.keras == 3 else None
        try:
            models = _keras(inspected.file.keras).models
            return models.load_model(path, custom_objects=operations, compile=False, safe_mode=True)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"Keras {inspected.file.keras} cannot read this file: {reason_of(error)}. "
                "Load it where it was made and save it again with model.save('model.keras')."
            ) from error


def _operations() -> dict[str, Any]:
    """Keras 3's operations, which its HDF5 files call by name only, as they do layers."""
    return {name: kind for name, kind in keras_classes().items() if name not in LAYERS}


def _keras(major: int | None) -> Any:
    if major == 3:
        import keras

        return keras
    import tf_keras

    return tf_keras


def _clean(data: bytes, inspected: Inspected) -> bytes:
    members = read_keras_archive(data)
    members[CONFIG] = json.dumps(inspected.config).encode()
    if inspected.file.keras == 2:
        members[WEIGHTS] = _with_later_names(members[WEIGHTS], inspected.config)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in (METADATA, CONFIG, WEIGHTS):
            archive.writestr(name, members.get(name, b"{}"))
    return buffer.getvalue()


def _with_later_names(weights: bytes, config: dict[str, Any]) -> bytes:
    """The weights as they are, or those of TensorFlow 2.12 and 2.13 under later names."""
    from optimizer.models import old_weights

    buffer = io.BytesIO(weights)
    with h5py.File(buffer, "r+") as file:
        if old_weights.has_old_names(file):
            model = _keras(2).saving.deserialize_keras_object(config, safe_mode=True)
            old_weights.rename(file, model)
    return buffer.getvalue()


def _clean_hdf5(data: bytes, inspected: Inspected) -> bytes:
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        for name in ("training_config", "optimizer_weights"):
            if name in file.attrs:
                del file.attrs[name]
            if name in file:
                del file[name]
        del file.attrs["model_config"]
        file.attrs["model_config"] = json.dumps(inspected.config)
    return buffer.getvalue()
