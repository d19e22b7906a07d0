"""An HDF5 file that a stranger made: only plain numbers that lie in the file itself are taken.

HDF5 can refer to other files in four ways (external links, user-defined links, external storage,
virtual datasets), load filters as plug-ins, and declare any size without storing it. Runs in stage
processes only: the library is native code.
"""

from __future__ import annotations

import io
from typing import Any

import h5py

from optimizer.errors import InputError
from optimizer.models import limits

_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 32000: "lzf"}
"""Those that are built into the library; any other would be looked for as a plug-in."""
_COMPRESSING = frozenset({1, 4, 32000})
_LINKS = 100_000
_FAULTS = (OSError, KeyError, RuntimeError, TypeError, ValueError, OverflowError, MemoryError)
"""What the library raises where a file contradicts itself."""


def open_hdf5(data: bytes) -> h5py.File:
    """An HDF5 file in memory.

    Raises:
        InputError: it is damaged.
    """
    try:
        return h5py.File(io.BytesIO(data), "r")
    except _FAULTS as error:
        raise _damaged(error) from None


def text_attribute(file: h5py.File, name: str) -> str | None:
    """A text attribute of a file, or ``None`` when it is not there.

    Raises:
        InputError: it is something else than one text, or too large.
    """
    try:
        if name not in file.attrs:
            return None
        found = file.attrs.get_id(name)
        size = found.get_storage_size()
        is_text = found.shape == () and h5py.check_string_dtype(found.dtype) is not None
        value = file.attrs[name] if is_text and size <= limits.CONFIG_BYTES else None
    except _FAULTS as error:
        raise _damaged(error) from None
    if not isinstance(value, str | bytes):
        raise InputError(
            f"The attribute {name!r} of this HDF5 file is {found.dtype} of shape {found.shape} in "
            f"{size:,} bytes, not a text. Save the model again."
        )
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def weight_shapes(file: h5py.File) -> set[tuple[int, ...]]:
    """The shapes of all datasets of an HDF5 file, each of which is plain data in the file itself.

    Raises:
        InputError: a link leaves the file, data live outside it, or it declares too much.
    """
    try:
        return _shapes(file)
    except InputError:
        raise
    except _FAULTS as error:
        raise _damaged(error) from None


def _shapes(file: h5py.File) -> set[tuple[int, ...]]:
    shapes: set[tuple[int, ...]] = set()
    total = links = 0
    seen: set[Any] = set()
    groups: list[h5py.Group] = [file]
    while groups:
        group = groups.pop()
        for name in group:
            links += 1
            if links > _LINKS:
                raise InputError(
                    f"The HDF5 file has more than {_LINKS:,} entries; no model has. Save it again."
                )
            _check_link(group, name)
            item = group[name]
            if isinstance(item, h5py.Group):
                address = h5py.h5o.get_info(item.id).addr
                if address not in seen:
                    seen.add(address)
                    groups.append(item)
                continue
            total += _check_dataset(item, name)
            shapes.add(tuple(item.shape or ()))
            if total > limits.WEIGHTS_BYTES:
                raise InputError(
                    f"The file declares more than {limits.WEIGHTS_BYTES / 2**20:,.0f} MB of "
                    f"weights, {name[:80]!r} among them; that is the limit."
                )
    return shapes


def _check_link(group: h5py.Group, name: str) -> None:
    """Refuse an entry that is not in the file itself, without following it."""
    kind = group.id.links.get_info(name.encode("utf-8", errors="surrogateescape")).type
    if kind == h5py.h5l.TYPE_HARD:
        return
    what = {
        h5py.h5l.TYPE_SOFT: "a soft link",
        h5py.h5l.TYPE_EXTERNAL: "an external link",
    }.get(kind, "a user-defined link")
    where = {
        h5py.h5l.TYPE_SOFT: "which real models do not have",
        h5py.h5l.TYPE_EXTERNAL: "which would read another file of this machine",
    }.get(kind, "whose meaning only another program knows")
    raise InputError(
        f"The HDF5 file has {what} at {name[:80]!r} instead of data, {where}. Save the model again."
    )


def _check_dataset(dataset: Any, name: str) -> int:
    """Bytes that a dataset declares."""
    shown = f"The weights at {name[:80]!r}"
    if not isinstance(dataset, h5py.Dataset):
        raise InputError(
            f"The HDF5 file has a {type(dataset).__name__.lower()} at {name[:80]!r}, which is "
            "neither weights nor a group of them. Save the model again."
        )
    if dataset.is_virtual:
        raise InputError(
            f"{shown} are a virtual dataset, which is kept outside the HDF5 file, in others. Save "
            "the model again, into one file."
        )
    if dataset.external:
        raise InputError(
            f"{shown} are kept outside the HDF5 file, in {dataset.external[0][0][:80]!r}. Save the "
            "model again, into one file."
        )
    _check_dtype(dataset.dtype, shown)
    _check_filters(dataset, shown)
    declared = int(dataset.size or 0) * dataset.dtype.itemsize
    stored = int(dataset.id.get_storage_size())
    if declared > limits.WEIGHTS_BYTES:
        raise InputError(
            f"{shown} declare the shape {dataset.shape}, {declared:,} bytes; the limit for all "
            f"weights of a file is {limits.WEIGHTS_BYTES:,}."
        )
    if declared > limits.COMPRESSION_RATIO * max(stored, 1024):
        raise InputError(
            f"{shown} declare the shape {dataset.shape} of {dataset.dtype}, {declared:,} bytes, of "
            f"which {stored:,} are stored. Save the trained model again."
        )
    return declared


def _check_dtype(dtype: Any, shown: str) -> None:
    if h5py.check_ref_dtype(dtype) is not None:
        raise InputError(
            f"{shown} have the dtype of references to other places in the file. Save the model "
            "again."
        )
    if h5py.check_string_dtype(dtype) is not None:
        raise InputError(f"{shown} have the dtype of texts, as weights never do.")
    if h5py.check_vlen_dtype(dtype) is not None:
        raise InputError(
            f"{shown} have the dtype of sequences of any length, as weights never do. Save the "
            "model again."
        )
    if dtype.kind not in "fiub" and dtype.name != "bfloat16":
        raise InputError(f"{shown} have the dtype {str(dtype)[:80]}, as weights never do.")


def _check_filters(dataset: h5py.Dataset, shown: str) -> None:
    properties = dataset.id.get_create_plist()
    numbers = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    for number in numbers:
        if number not in _FILTERS:
            raise InputError(
                f"{shown} are compressed in an unknown way (filter {number}), for which a plug-in "
                "would be loaded. Save the model again without compression."
            )
    if sum(number in _COMPRESSING for number in numbers) > 1:
        raise InputError(
            f"{shown} are compressed {len(numbers)} times over, as in a bomb. Save the model again "
            "without compression."
        )


def _damaged(error: Exception) -> InputError:
    return InputError(
        f"The HDF5 file is damaged or cut short ({str(error)[:120]}). Upload it again, or save "
        "the model again."
    )
