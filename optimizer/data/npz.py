"""Reading ``.npz`` files that strangers made.

An ``.npz`` is a zip of ``.npy`` arrays. Everything it declares about itself (number and names
of members, sizes, shapes, dtypes) is checked before memory is taken for it, and pickled
objects are never loaded.
"""

from __future__ import annotations

import io
import math
import re
import struct
import tokenize
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.lib import format as npy

from optimizer.data.raw import ArrayHeader, Raw, UploadSummary
from optimizer.errors import InputError
from optimizer.zips import (
    DAMAGED,
    MAX_UNPACKED_BYTES,
    damaged,
    open_zip,
    unpacked_bytes,
)

MAX_MEMBERS = 64
MAX_DIRECTORY_BYTES = 64 * 1024
MAX_HEADER_BYTES = 16 * 1024
"""Of one array's header; NumPy itself reads at most 10,000 characters of it."""

_UNREADABLE = (
    *DAMAGED,
    *(ValueError, TypeError, MemoryError, RecursionError, SyntaxError, tokenize.TokenError),
)
"""What NumPy raises for a header that is no header."""
_ADDRESS = re.compile(r" object at 0x[0-9a-f]+")
_KEY = re.compile(r"(x|y)(?:_(train|test)(?=_|$))?(?:_(.+))?", re.IGNORECASE)
_NAME = re.compile(r"[\w .\-]{1,100}\.npy")


def inspect_npz(data: bytes) -> UploadSummary:
    """Check a dataset file by its headers alone: cheap, and safe in the app's process.

    Raises:
        InputError: not an ``.npz``, damaged, too large, or the arrays that are needed are not
            in it.
    """
    with open_archive(data) as archive:
        headers = _headers(archive)
    layout = choose_layout(headers)
    used = [*layout.inputs.values(), *layout.targets.values()]
    names = [name for parts in used for name in parts]
    return UploadSummary(
        arrays=tuple(headers[name] for name in names),
        has_test=layout.split,
        ignored=tuple(sorted(set(headers) - set(names))),
    )


def read_npz(data: bytes) -> Raw:
    """Read the arrays of a dataset: real, integer or bool dtypes.

    Raises:
        InputError: see :func:`inspect_npz`; also when an array turns out damaged.
    """
    with open_archive(data) as archive:
        headers = _headers(archive)
        layout = choose_layout(headers)

        def read(name: str) -> np.ndarray:
            with _open_member(archive, archive.getinfo(f"{name}.npy")) as stream:
                try:
                    array: np.ndarray = npy.read_array(stream, allow_pickle=False)
                    stream.read(1)  # at the end of the member its checksum is verified
                except (*DAMAGED, ValueError) as error:
                    raise damaged(".npz", f"the array {name!r} cannot be read ({error})") from None
            return array

        inputs, targets = (
            {key: tuple(map(read, names)) for key, names in found.items()}
            for found in (layout.inputs, layout.targets)
        )
    used = {name for found in (layout.inputs, layout.targets) for p in found.values() for name in p}
    ignored = sorted(set(headers) - used)
    notes = [f"Not used from the file: {', '.join(ignored)}."] if ignored else []
    return Raw("npz", inputs, targets, tuple(notes))


def _headers(archive: zipfile.ZipFile) -> dict[str, ArrayHeader]:
    headers = {}
    for member in archive.infolist():
        with _open_member(archive, member) as stream:
            headers[member.filename.removesuffix(".npy")] = _header(stream, member)
    return headers


def open_archive(data: bytes) -> zipfile.ZipFile:
    """Open an ``.npz`` after checking its directory.

    Raises:
        InputError: not a zip, damaged, or its declared members are not acceptable.
    """
    if data.startswith(npy.MAGIC_PREFIX):
        raise InputError(
            "This file is a single array (.npy). Save all arrays together with "
            "np.savez('data.npz', x_train=…, y_train=…, x_test=…, y_test=…)."
        )
    if not data.startswith(b"PK"):
        raise InputError(
            f"This file is not an .npz: it begins with {data[:4]!r}, not with b'PK'. Save the "
            "arrays with np.savez."
        )
    archive = open_zip(data, ".npz", MAX_MEMBERS, MAX_DIRECTORY_BYTES)
    _check_members(archive)
    return archive


@dataclass(frozen=True)
class Layout:
    """Which arrays serve as which.

    Attributes:
        inputs, targets: input or target name → names in the file: of the train and the test
            part, or of the one array that is yet to be split. ``x`` and ``y`` are the names
            when there is one.
        split: whether the file brings its own test samples.
    """

    inputs: dict[str, tuple[str, ...]]
    targets: dict[str, tuple[str, ...]]
    split: bool


def choose_layout(headers: Collection[str]) -> Layout:
    """Which array serves as which, by their names; case is ignored.

    Labels decide: a split that has them for both parts comes first, then unsplit arrays with
    labels, then those without any.

    Raises:
        InputError: the arrays needed are not there; the message says which are.
    """
    _refuse_twins(headers)
    found: dict[tuple[str, str], dict[str, str]] = {}
    for header in headers:
        if match := _KEY.fullmatch(header):
            kind, part, name = match.groups()
            group = found.setdefault((kind.lower(), (part or "").lower()), {})
            group[name or kind.lower()] = header
    labelled = any(kind == "y" for kind, _ in found)
    for with_labels in (True, False):
        for parts in (("train", "test"), ("",)):
            inputs = _ends(found, "x", parts)
            targets = _ends(found, "y", parts) if with_labels else {}
            if inputs and (targets or not (with_labels or labelled)):
                return Layout(inputs, targets, len(parts) == 2)
    have = ", ".join(sorted(headers)) or "no arrays"
    raise InputError(
        f"The file contains {have}. It needs x_train, y_train, x_test, y_test; or x and y, which "
        "are then split; leave out both y arrays for data without labels. Several inputs are "
        "x_train_NAME and x_test_NAME, several outputs y_train_NAME and y_test_NAME."
    )


def _ends(
    found: dict[tuple[str, str], dict[str, str]], kind: str, parts: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """Name → arrays of the parts; the plain name is preferred; empty unless all are there."""
    groups = [found.get((kind, part), {}) for part in parts]
    names = [kind] if any(kind in group for group in groups) else list(groups[0])
    if any(not set(names) <= set(group) for group in groups):
        return {}
    if kind not in names and any(set(group) != set(names) for group in groups):
        return {}
    return {name: tuple(group[name] for group in groups) for name in names}


def _refuse_twins(headers: Collection[str]) -> None:
    seen: dict[str, str] = {}
    for name in headers:
        if name.lower() in seen:
            raise InputError(
                f"The file has both {seen[name.lower()]!r} and {name!r}; they differ only in "
                "case. Keep one of them."
            )
        seen[name.lower()] = name


def _check_members(archive: zipfile.ZipFile) -> None:
    for member in archive.infolist():
        if not _NAME.fullmatch(member.filename):
            raise InputError(
                f"This .npz contains {member.filename[:100]!r}, which is not the name of an array. "
                "Save the arrays with np.savez."
            )
    unpacked_bytes(archive, ".npz", MAX_UNPACKED_BYTES)
    for member in archive.infolist():
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(
                "This .npz is compressed in a way that NumPy does not write. Save the arrays with "
                "np.savez_compressed."
            )


def _open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    try:
        return archive.open(member)
    except (*DAMAGED, RuntimeError, ValueError) as error:
        raise damaged(".npz", f"{member.filename!r} cannot be opened ({error})") from None


def _refuse_long_header(head: io.BytesIO, version: tuple[int, int], name: str) -> None:
    """Refuse a header that NumPy would read into memory whole before it looks at it."""
    start = head.tell()
    field = struct.Struct("<H" if version == (1, 0) else "<I")
    (length,) = field.unpack(head.read(field.size))
    head.seek(start)
    if length + start + field.size > MAX_HEADER_BYTES:
        raise InputError(
            f"The array {name!r} in this .npz declares a header of {length:,} bytes; NumPy writes "
            "some hundred. Save the arrays again with np.savez."
        )


def _header(stream: IO[bytes], member: zipfile.ZipInfo) -> ArrayHeader:
    """The header of one ``.npy``, checked against the size of the member that holds it."""
    name = member.filename.removesuffix(".npy")
    try:
        head = io.BytesIO(stream.read(MAX_HEADER_BYTES))
        version = npy.read_magic(head)
        if version not in ((1, 0), (2, 0)):
            raise damaged(".npz", f"the array {name!r} is in the unknown .npy version {version}")
        _refuse_long_header(head, version, name)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = reader(head)
        offset = head.tell()
    except _UNREADABLE as error:
        reason = _ADDRESS.sub("", str(error))
        raise damaged(".npz", f"the header of {name!r} cannot be read ({reason})"[:300]) from None
    if dtype.hasobject:
        raise InputError(
            f"The array {name!r} holds Python objects, which can run code when loaded and are "
            "not accepted. Convert it to numbers, for example with np.asarray(…, dtype='float32')."
        )
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise InputError(
            f"The array {name!r} has dtype {dtype}; only real numbers, integers and booleans are "
            "accepted. Convert it, for example classes given as text to 0, 1, 2 …"
        )
    if min(shape, default=0) < 0:
        raise damaged(".npz", f"the array {name!r} declares the shape {shape}")
    needed = offset + math.prod(shape) * dtype.itemsize
    if needed != member.file_size:
        raise damaged(
            ".npz",
            f"the array {name!r} declares shape {shape} of {dtype}, which takes {needed} bytes, "
            f"but {member.file_size} are stored",
        )
    return ArrayHeader(name, tuple(int(d) for d in shape), str(dtype))
