"""Opening zips that strangers made: everything they declare is checked before it costs memory."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from optimizer.errors import InputError

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error, NotImplementedError)
"""What reading a damaged zip can raise."""
MAX_UNPACKED_BYTES = 2 * 2**30
MAX_RATIO = 200
"""Largest compression ratio of a member bigger than :data:`RATIO_FREE_BYTES`."""
RATIO_FREE_BYTES = 64 * 2**20

_END_OF_DIRECTORY = b"PK\x05\x06"
_ZIP64_LOCATOR = b"PK\x06\x07"


def open_zip(data: bytes, what: str, max_members: int, max_directory_bytes: int) -> zipfile.ZipFile:
    """Open a zip after bounding its directory, which ``zipfile`` parses into objects.

    Args:
        data: the file.
        what: it is, for messages, such as ``.npz``.
        max_members: files in it at most.
        max_directory_bytes: of its directory at most.

    Raises:
        InputError: damaged, or too large.
    """
    position = data.rfind(_END_OF_DIRECTORY, -65_557)
    if position < 0 or position + 22 > len(data):
        raise damaged(what, "its directory is missing, as in a truncated upload")
    _, members, directory_bytes = struct.unpack_from("<HHL", data, position + 8)
    if data[max(0, position - 20) : position].startswith(_ZIP64_LOCATOR):
        raise InputError(
            f"This {what} is written as one of more than 4 GiB or 65,535 files; the limit is 2 GiB."
        )
    if members > max_members or directory_bytes > max_directory_bytes:
        raise InputError(
            f"This {what} declares {members:,} files; at most {max_members:,} are accepted."
        )
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (*DAMAGED, ValueError, UnicodeDecodeError) as error:
        raise damaged(what, str(error)) from None


def unpacked_bytes(archive: zipfile.ZipFile, what: str, max_each: int) -> int:
    """The bytes of all members unpacked, as they declare them.

    Raises:
        InputError: more than is accepted, encrypted, twice the same name, or compressed like
            no real data.
    """
    members = archive.infolist()
    if len({member.filename for member in members}) < len(members):
        raise InputError(f"This {what} contains two files of the same name. Save it again.")
    total = sum(member.file_size for member in members)
    if total > MAX_UNPACKED_BYTES:
        raise InputError(
            f"This {what} unpacks to {total / 2**30:.1f} GiB; at most "
            f"{MAX_UNPACKED_BYTES // 2**30} GiB are accepted. Use fewer samples."
        )
    for member in members:
        ratio = member.file_size / max(1, member.compress_size)
        if member.file_size > max_each or (
            member.file_size > RATIO_FREE_BYTES and ratio > MAX_RATIO
        ):
            raise InputError(
                f"{member.filename[:100]!r} would unpack from {member.compress_size:,} to "
                f"{member.file_size:,} bytes, which no real data does. Save it again."
            )
        if member.flag_bits & 0x1:
            raise InputError(f"This {what} is encrypted. Save it without a password.")
    return total


def damaged(what: str, reason: str) -> InputError:
    """The error for a damaged file."""
    return InputError(f"This {what} is damaged: {reason}. Save or upload it again.")
