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
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.lib import format as npy

from optimizer.data.raw import ArrayHeader, Raw, UploadSummary
from optimizer.errors import InputError

MAX_MEMBERS = 64
MAX_DIRECTORY_BYTES = 64 * 1024
MAX_ARRAY_BYTES = 2 * 2**30
"""Uncompressed bytes of all arrays together."""
MAX_RATIO = 200
"""Largest compression ratio of an array bigger than :data:`RATIO_FREE_BYTES`."""
RATIO_FREE_BYTES = 64 * 2**20

_KEY = re.compile(r"(x|y)(?:_(train|test)(?=_|$))?(?:_(.+))?", re.IGNORECASE)
_NAME = re.compile(r"[\w .\-]{1,100}\.npy")
_END_OF_DIRECTORY = b"PK\x05\x06"
_ZIP64_LOCATOR = b"PK\x06\x07"
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error, NotImplementedError)


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
                except (*_DAMAGED, ValueError) as error:
                    raise _damaged(f"the array {name!r} cannot be read ({error})") from None
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
    _check_directory(data)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (*_DAMAGED, ValueError, UnicodeDecodeError) as error:
        raise _damaged(str(error)) from None
    _check_members(archive.infolist())
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


def _check_directory(data: bytes) -> None:
    """Bound the central directory before ``zipfile`` parses all of it into objects."""
    position = data.rfind(_END_OF_DIRECTORY, -65_557)
    if position < 0 or position + 22 > len(data):
        raise _damaged("its directory is missing, as in a truncated upload")
    _, members, directory_bytes = struct.unpack_from("<HHL", data, position + 8)
    if data[max(0, position - 20) : position].startswith(_ZIP64_LOCATOR):
        raise InputError("This .npz is written as one of more than 4 GiB; the limit is 2 GiB.")
    if members > MAX_MEMBERS or directory_bytes > MAX_DIRECTORY_BYTES:
        raise InputError(
            f"This .npz declares {members} arrays; at most {MAX_MEMBERS} are accepted. Save only "
            "x_train, y_train, x_test and y_test."
        )


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    for name in names:
        if not _NAME.fullmatch(name):
            raise InputError(
                f"This .npz contains {name[:100]!r}, which is not the name of an array. Save the "
                "arrays with np.savez."
            )
    if len(set(names)) < len(names):
        raise InputError("This .npz contains two arrays of the same name. Save it again.")
    total = sum(member.file_size for member in members)
    if total > MAX_ARRAY_BYTES:
        raise InputError(
            f"The arrays take {total / 2**30:.1f} GiB of memory; at most "
            f"{MAX_ARRAY_BYTES // 2**30} GiB are accepted. Use fewer samples."
        )
    for member in members:
        ratio = member.file_size / max(1, member.compress_size)
        if member.file_size > RATIO_FREE_BYTES and ratio > MAX_RATIO:
            raise InputError(
                f"The array {member.filename!r} would unpack from {member.compress_size} to "
                f"{member.file_size} bytes, which no real data does. Save it again."
            )
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(
                "This .npz is compressed in a way that NumPy does not write. Save the arrays with "
                "np.savez_compressed."
            )
        if member.flag_bits & 0x1:
            raise InputError("This .npz is encrypted. Save it without a password.")


def _open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    try:
        return archive.open(member)
    except (*_DAMAGED, RuntimeError, ValueError) as error:
        raise _damaged(f"{member.filename!r} cannot be opened ({error})") from None


def _header(stream: IO[bytes], member: zipfile.ZipInfo) -> ArrayHeader:
    """The header of one ``.npy``, checked against the size of the member that holds it."""
    name = member.filename.removesuffix(".npy")
    try:
        version = npy.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise _damaged(f"the array {name!r} is in the unknown .npy version {version}")
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = reader(stream)
        offset = stream.tell()
    except (*_DAMAGED, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise _damaged(f"the header of {name!r} cannot be read ({error})"[:300]) from None
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
        raise _damaged(f"the array {name!r} declares the shape {shape}")
    needed = offset + math.prod(shape) * dtype.itemsize
    if needed != member.file_size:
        raise _damaged(
            f"the array {name!r} declares shape {shape} of {dtype}, which takes {needed} bytes, "
            f"but {member.file_size} are stored"
        )
    return ArrayHeader(name, tuple(int(d) for d in shape), str(dtype))


def _damaged(reason: str) -> InputError:
    return InputError(f"This .npz is damaged: {reason}. Save or upload it again.")
