"""What an uploaded file is, found out without deserializing it.

:func:`identify` is pure Python and safe in the app's process. :func:`inspect_upload` also
reads HDF5 with a native library, and so runs in stage processes; it imports no Keras.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from optimizer.errors import InputError
from optimizer.measure.flatbuffer import parse
from optimizer.models import limits
from optimizer.models.config_graph import (
    has_input_shape,
    notations,
    refuse_broken_graphs,
    refuse_oversized,
)
from optimizer.models.config_rules import cleaned
from optimizer.models.containers import (
    CONFIG,
    METADATA,
    WEIGHTS,
    parse_json,
    read_keras_archive,
)
from optimizer.models.hdf5 import open_hdf5, text_attribute, weight_shapes
from optimizer.models.old_config import up_to_date
from optimizer.models.saved_model_archive import KERAS_METADATA, is_saved_model, member_names

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK\x03\x04"
_TFLITE_MAGIC = b"TFL3"
KERAS_SAVED_MODEL = "Keras 2 SavedModel (.zip)"
Kind = Literal["keras", "saved_model", "tflite"]


@dataclass(frozen=True)
class ModelFile:
    """An uploaded model file.

    Attributes:
        format: for a person, such as ``Keras 3 (.keras)``.
        keras: which Keras wrote it and has to read it; ``None`` for what is not Keras's.
        keras_version: as the file declares it, or ``None`` where it was not read yet.
        size_bytes: of the file.
        kind: ``keras`` (layers that can be trained), ``saved_model`` (a zipped TensorFlow
            SavedModel, with Keras layers inside or not) or ``tflite`` (a finished file).
    """

    format: str
    keras: Literal[2, 3] | None
    keras_version: str | None
    size_bytes: int
    kind: Kind = "keras"


@dataclass(frozen=True)
class Inspected:
    """A file that may be loaded.

    Attributes:
        file: what it is.
        config: its configuration, cleaned of everything that is not to be deserialized.
        notes: plain sentences about what was changed in the configuration.
    """

    file: ModelFile
    config: dict[str, Any]
    notes: tuple[str, ...] = ()


def identify(data: bytes, file_name: str) -> ModelFile:
    """What a file is, by its content and not its name; checks archives and configurations.

    Raises:
        InputError: it cannot be used, in one or two sentences.
    """
    if len(data) > limits.UPLOAD_BYTES:
        raise InputError(
            f"The file is {len(data) / 2**20:,.0f} MB; models may be up to "
            f"{limits.UPLOAD_BYTES / 2**20:,.0f} MB."
        )
    if data[4:8] == _TFLITE_MAGIC:
        parse(data)  # pure Python; what it refuses never reaches the native runtime
        return ModelFile("TFLite file (.tflite)", None, None, len(data), "tflite")
    if data.startswith(_ZIP_MAGIC) and is_saved_model(data):
        has_layers = KERAS_METADATA in member_names(data)
        name = KERAS_SAVED_MODEL if has_layers else "SavedModel (.zip)"
        return ModelFile(name, 2 if has_layers else None, None, len(data), "saved_model")
    if data.startswith(_ZIP_MAGIC):
        return _inspect_archive(data).file
    if data.startswith(HDF5_MAGIC):
        return ModelFile("Keras 2 HDF5 (.h5)", 2, None, len(data))
    raise InputError(_not_a_model(data, file_name))


def inspect_upload(data: bytes, file_name: str) -> Inspected:
    """Everything that is checked before a Keras file (``kind`` is ``keras``) is loaded.

    Raises:
        InputError: it cannot be used, in one or two sentences.
    """
    identify(data, file_name)
    if data.startswith(_ZIP_MAGIC):
        found = _inspect_archive(data)
        with open_hdf5(read_keras_archive(data)[WEIGHTS]) as weights:
            refuse_oversized(found.config, weight_shapes(weights))
        return found
    return _inspect_hdf5(data)


def _inspect_archive(data: bytes) -> Inspected:
    members = read_keras_archive(data, (CONFIG, METADATA))
    metadata = parse_json(members.get(METADATA, b"{}"), METADATA)
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    raw = parse_json(members[CONFIG], CONFIG)
    keras = _major(version)
    config, notes = cleaned(up_to_date(raw, keras))
    _check_style(config, keras, version)
    _check_graph(config)
    file = ModelFile(f"Keras {keras} (.keras)", keras, str(version), len(data))
    return Inspected(file, config, notes)


def _inspect_hdf5(data: bytes) -> Inspected:
    with open_hdf5(data) as file:
        shapes = weight_shapes(file)
        text = text_attribute(file, "model_config")
        version = text_attribute(file, "keras_version")
    if text is None:
        raise InputError(
            "This HDF5 file has weights but no architecture. Save the whole model with "
            "model.save('model.keras'), not model.save_weights."
        )
    raw = parse_json(text, "model_config")
    keras: Literal[2, 3] = 3 if (version or "2").startswith("3") else 2
    config, notes = cleaned(up_to_date(raw, keras))
    _check_style(config, keras, version)
    _check_graph(config)
    refuse_oversized(config, shapes)
    file = ModelFile(f"Keras {keras} HDF5 (.h5)", keras, version, len(data))
    return Inspected(file, config, notes)


def _check_graph(config: dict[str, Any]) -> None:
    refuse_broken_graphs(config)
    if not has_input_shape(config):
        raise InputError(
            "This Sequential model does not say what shape it takes. Add keras.Input(shape=…) as "
            "its first layer (or call model.build) and save it again."
        )


def _major(version: Any) -> Literal[2, 3]:
    if isinstance(version, str) and version.startswith("3."):
        return 3
    if isinstance(version, str) and version.startswith("2."):
        return 2
    raise InputError(
        f"The file declares the Keras version {str(version)[:40]!r}; files of Keras 2 and 3 can be "
        "used. Save the model again with a current Keras."
    )


def _check_style(config: Any, keras: int, version: str | None) -> None:
    """Refuse a configuration in the other Keras's notation: the two differ silently.

    Keras 2 says ``batch_input_shape`` where Keras 3 says ``batch_shape``, and lists of lists
    where Keras 3 writes the arguments of a call as an object.
    """
    other = notations(config) - {keras}
    if other:
        raise InputError(
            f"The file says it was written by Keras {version or 2}, but its configuration is of "
            f"another version: Keras {other.pop()}. The file is damaged or was made by hand."
        )


def _not_a_model(data: bytes, file_name: str) -> str:
    name = file_name[:80]
    if not data:
        return f"{name!r} is empty (0 bytes). Upload the model again."
    if data.startswith(b"PK"):
        return f"{name!r} is an empty or damaged zip archive. Save the model again."
    return (
        f"{name!r} is not a Keras model (.keras, .h5), a zipped SavedModel or a TFLite file: it "
        f"begins with {data[:8]!r}. Save the model with model.save('model.keras')."
    )
