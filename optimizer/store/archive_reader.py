"""Reading a study's archive that a stranger may have made.

Nothing is unpacked by name: members are read into memory one at a time, after their names,
declared sizes, compression and positions were found acceptable, and each is compared with the
hash in the manifest.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from optimizer.errors import InputError
from optimizer.store.archive_json import checked, parse_json
from optimizer.store.archive_shapes import (
    FORMAT,
    MEASUREMENTS,
    MEMBER_NAME,
    SCHEMA,
    Manifest,
)

MAX_ARCHIVE_BYTES = 2**31 - 1
MAX_TOTAL_BYTES = 2**32
MAX_MEMBERS = 60_000
MAX_RATIO = 200
RATIO_FREE_BYTES = 1024 * 1024
_MIB = 1024 * 1024
_LIMITS = ((".json", 64 * _MIB), (".npz", 256 * _MIB), (".tflite", 512 * _MIB))
_MAX_UPLOAD_BYTES = 1024 * _MIB
_LOCATOR_BYTES = 20  # of ZIP64's end record, which would lie just before
_END = struct.Struct("<4s4H2LH")  # end of central directory record, without a comment


class ArchiveReader:
    """A study's archive whose outline was found sound; contents are checked as they are read.

    Args:
        file: a seekable binary file.

    Raises:
        InputError: one sentence that says what is wrong with the archive.
    """

    def __init__(self, file: BinaryIO) -> None:
        with _zip_faults():
            _check_frame(file)
            self._zip = zipfile.ZipFile(file)
            self._infos = self._zip.infolist()
            _check_outline(self._infos)
            data = self._content("manifest.json")
        self.manifest_sha256 = hashlib.sha256(data).hexdigest()
        self._members = _manifest(data).members
        listed, present = set(self._members), {info.filename for info in self._infos}
        present -= {"manifest.json"}
        if listed != present:
            odd = sorted(listed ^ present)[0]
            fault = "is missing" if odd in listed else "is not in its manifest"
            raise InputError(f"The archive is not whole: {odd!r:.120} {fault}. Export it again.")

    @property
    def names(self) -> list[str]:
        """All members but the manifest."""
        return list(self._members)

    def read(self, name: str) -> bytes:
        """A member's content, compared with the manifest."""
        if name not in self._members:
            raise InputError(
                f"The archive is not whole: {name!r:.120} is missing. Export it again."
            )
        with _zip_faults():
            data = self._content(name)
        listed = self._members[name]
        if len(data) != listed.size_bytes or hashlib.sha256(data).hexdigest() != listed.sha256:
            raise InputError(
                f"The archive was damaged or changed: {name!r} is not what its manifest says. "
                "Download or export it again."
            )
        return data

    def listed(self, name: str) -> tuple[str, int]:
        """The SHA-256 and the size in bytes that the manifest gives for a member."""
        member = self._members[name]
        return member.sha256, member.size_bytes

    def _content(self, name: str) -> bytes:
        # In pieces: read() without a size would decompress beyond the declared size.
        pieces = []
        with self._zip.open(name) as stream:
            while piece := stream.read(_MIB):
                pieces.append(piece)
        return b"".join(pieces)


def check_content(name: str, data: bytes) -> None:
    """Whether a measured result's file is what its name says.

    Raises:
        InputError: it is not.
    """
    base = name.rpartition("/")[2]
    if base in MEASUREMENTS:
        checked(MEASUREMENTS[base], parse_json(data, name, nan_is_null=True), name)
    elif base.endswith(".tflite"):
        _check_tflite(name, data)
    elif base.endswith(".npz"):
        _check_arrays(name, data)


def _check_tflite(name: str, data: bytes) -> None:
    """Its references lead nowhere else: pages and stages will read it as if it were our own."""
    from optimizer.measure.flatbuffer import parse

    try:
        parse(data)
    except InputError as error:
        raise InputError(f"The archive's {name!r} cannot be used. {error}") from None


def _check_frame(file: BinaryIO) -> None:
    """Bound what zipfile will read of the central directory, and refuse ZIP64 and comments."""
    size = file.seek(0, os.SEEK_END)
    if size > MAX_ARCHIVE_BYTES:
        raise InputError(
            f"The archive is {size / 1e9:.1f} GB; at most {MAX_ARCHIVE_BYTES / 1e9:.1f} GB can be "
            "imported. Export fewer variants."
        )
    file.seek(0)
    if file.read(4) != b"PK\x03\x04" or size < _END.size + _LOCATOR_BYTES:
        raise InputError("This is not a study's archive: a .zip file was expected. Choose another.")
    file.seek(size - _END.size - _LOCATOR_BYTES)
    tail = file.read()
    end = _END.unpack(tail[-_END.size :])
    if end[0] != b"PK\x05\x06" or end[7] != 0 or tail.startswith(b"PK\x06\x07"):
        raise InputError(
            "The archive is cut short or was not made by Featherweight: its end is not the end of "
            "a plain .zip file. Download or export it again."
        )
    if end[4] > MAX_MEMBERS or end[5] > 160 * MAX_MEMBERS:
        raise InputError(
            f"The archive says that it has {end[4]} files; at most {MAX_MEMBERS} can be imported."
        )


def _check_outline(infos: list[zipfile.ZipInfo]) -> None:
    """Every member's name, kind, compression, size and position; before any is decompressed."""
    seen: set[str] = set()
    position = 0
    for info in sorted(infos, key=lambda item: item.header_offset):
        name = info.orig_filename
        fault = _name_fault(info) or _size_fault(info)
        if name in seen:
            fault = "appears twice"
        elif info.header_offset < position:
            fault = "lies on top of another file"
        if fault:
            raise InputError(f"The archive cannot be trusted: {name!r:.120} {fault}.")
        seen.add(name)
        position = info.header_offset + 30 + len(name.encode()) + info.compress_size
    total = sum(info.file_size for info in infos)
    if total > MAX_TOTAL_BYTES:
        raise InputError(
            f"The archive would unpack to {total / 1e9:.1f} GB; at most "
            f"{MAX_TOTAL_BYTES / 1e9:.1f} GB can be imported."
        )
    for needed in ("manifest.json", "study.json", "files/model", "files/dataset"):
        if needed not in seen:
            raise InputError(
                f"This .zip file is not a study's archive, or not whole: it has no {needed!r}. "
                "Choose a file that was exported from a study."
            )


def _name_fault(info: zipfile.ZipInfo) -> str | None:
    name = info.orig_filename
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        return "is an absolute path"
    if ".." in re.split(r"[/\\]", name):
        return "points outside the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a symbolic link"
    if not MEMBER_NAME.fullmatch(name) or info.filename != name:
        return "is not a file that a study's archive has"
    return None


def _size_fault(info: zipfile.ZipInfo) -> str | None:
    limit = next((n for end, n in _LIMITS if info.filename.endswith(end)), _MAX_UPLOAD_BYTES)
    if info.flag_bits & 0x1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in a way that is not supported"
    if info.file_size > limit:
        return f"would be {info.file_size / 1e6:.0f} MB; at most {limit / 1e6:.0f} MB is accepted"
    if info.file_size > max(RATIO_FREE_BYTES, MAX_RATIO * info.compress_size):
        return f"would grow more than {MAX_RATIO} times when it is decompressed"
    return None


def _manifest(data: bytes) -> Manifest:
    value = parse_json(data, "manifest.json")
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InputError(
            "This .zip file is not a study's archive: its manifest does not say so. "
            "Choose a file that was exported from a study."
        )
    schema = value.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise InputError(
            f"The archive was made by a newer Featherweight: its schema is {schema}, this one "
            f"reads up to {SCHEMA}. Update Featherweight, then import it again."
        )
    return checked(Manifest, value, "manifest.json")


def _check_arrays(name: str, data: bytes) -> None:
    """Plain numeric arrays whose declared sizes are those of the bytes that are there."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as inner:
            infos = inner.infolist()
            if len(infos) > 64 or sum(info.file_size for info in infos) > 256 * _MIB:
                raise ValueError("too large")
            for info in infos:
                with inner.open(info) as stream:
                    _check_array_header(stream, info.file_size)
    except (*_ZIP_ERRORS, ValueError, SyntaxError):
        raise InputError(
            f"The archive's {name!r} does not hold plain numeric arrays. Export the study again."
        ) from None


def _check_array_header(stream: Any, size_bytes: int) -> None:
    from numpy.lib import format as npy

    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"unsupported {version=}")
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = header(stream)
    elements = 1
    for length in shape:
        elements *= length
    if dtype.kind not in "biuf" or stream.tell() + elements * dtype.itemsize != size_bytes:
        raise ValueError("not a plain array")


_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    UnicodeError,
    struct.error,
    OverflowError,
)


@contextmanager
def _zip_faults() -> Iterator[None]:
    try:
        yield
    except _ZIP_ERRORS:
        raise InputError(
            "The archive is damaged: it cannot be read as a .zip file. Download or export it again."
        ) from None
