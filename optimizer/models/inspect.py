"""TEMP"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelFile:
    format: str
    keras_version: str
    size_bytes: int


def inspect_upload(data: bytes, file_name: str) -> ModelFile:
    h5 = data[:4] == b"\x89HDF"
    return ModelFile(
        "Keras 2 HDF5 (.h5)" if h5 else "Keras 3 (.keras)", "2.21" if h5 else "3.15", len(data)
    )
