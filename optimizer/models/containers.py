"""The two containers that models come in, opened carefully: zip archives and HDF5 files."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import Any

import h5py

from optimizer.errors import InputError
from optimizer.models import limits

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MEMBERS = frozenset({CONFIG, METADATA, WEIGHTS})
_FILTERS = {"gzip", "lzf", "szip", None}


def read_keras_archive(data: bytes) -> dict[str, bytes]:
    """The three members of a ``.keras`` file.

    Raises:
        InputError: it is damaged, a bomb, or has members that a Keras model has not.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            _check_members(members)
            return {member.filename: archive.read(member) for member in members}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"The .keras file is damaged or cut short ({error}). Upload it again, or save the "
            "model again."
        ) from None


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    if CONFIG not in names:
        raise InputError(
            f"This zip archive is no model: it has no {CONFIG} and no saved_model.pb. It contains "
            f"{', '.join(repr(name) for name in names[:5]) or 'nothing'}."
        )
    for member in members:
        if member.filename not in _MEMBERS or names.count(member.filename) > 1:
            raise InputError(
                f"The .keras file contains {member.filename[:80]!r}, which a model of built-in "
                "layers has not. Save the model again without custom layers or assets."
            )
        if member.file_size > limits.COMPRESSION_RATIO * max(member.compress_size, 1024):
            raise InputError(
                f"{member.filename!r} in the .keras file would unpack to "
                f"{member.file_size:,} bytes from {member.compress_size:,}; that is not a model."
            )
    total = sum(member.file_size for member in members)
    if total > limits.EXPANDED_BYTES:
        raise InputError(
            f"The model unpacks to {total / 2**20:,.0f} MB; the limit is "
            f"{limits.EXPANDED_BYTES / 2**20:,.0f} MB."
        )
    if WEIGHTS not in names:
        raise InputError(
            "The .keras file has an architecture but no weights. Save the trained model with "
            "model.save('model.keras')."
        )


def parse_json(data: bytes | str, what: str) -> Any:
    """JSON out of a model file.

    Raises:
        InputError: it is too large or not JSON.
    """
    if len(data) > limits.CONFIG_BYTES:
        raise InputError(f"The {what} of this model is {len(data):,} bytes, too large to be real.")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise InputError(
            f"The {what} of this model is not valid JSON; the file is damaged."
        ) from None


def open_hdf5(data: bytes) -> h5py.File:
    """An HDF5 file in memory.

    Raises:
        InputError: it is damaged.
    """
    try:
        return h5py.File(io.BytesIO(data), "r")
    except OSError as error:
        raise InputError(
            f"The HDF5 file is damaged or cut short ({str(error)[:120]}). Upload it again, or save "
            "the model again."
        ) from None


def weight_shapes(file: h5py.File) -> set[tuple[int, ...]]:
    """The shapes of all datasets of an HDF5 file, each of which is plain data in the file itself.

    Raises:
        InputError: a link leaves the file, data live outside it, or it declares too much.
    """
    shapes: set[tuple[int, ...]] = set()
    total = 0
    seen: set[Any] = set()
    groups: list[h5py.Group] = [file]
    while groups:
        group = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise InputError(
                    f"The HDF5 file has a link at {name[:80]!r} instead of data; links could read "
                    "other files. Save the model again."
                )
            item = group[name]
            if isinstance(item, h5py.Group):
                address = h5py.h5o.get_info(item.id).addr
                if address not in seen:
                    seen.add(address)
                    groups.append(item)
                continue
            total += _check_dataset(item, name)
            shapes.add(tuple(item.shape or ()))
            if total > limits.WEIGHTS_BYTES or len(seen) > 100_000:
                raise InputError(
                    f"The file declares more than {limits.WEIGHTS_BYTES / 2**20:,.0f} MB of "
                    "weights; that is the limit."
                )
    return shapes


def _check_dataset(dataset: Any, name: str) -> int:
    """Bytes that a dataset declares."""
    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
        raise InputError(
            f"The weights at {name[:80]!r} are kept outside the HDF5 file. Save the model again, "
            "into one file."
        )
    if dataset.dtype.kind not in "fiub" and dataset.dtype.name != "bfloat16":
        raise InputError(
            f"The weights at {name[:80]!r} have the dtype {dataset.dtype}, as weights never do."
        )
    if dataset.compression not in _FILTERS:
        raise InputError(f"The weights at {name[:80]!r} are compressed in an unknown way.")
    return int(dataset.size or 0) * dataset.dtype.itemsize
