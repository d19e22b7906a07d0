"""Opening zips that strangers made: everything they declare is checked before it costs memory.

Nothing is ever unpacked to a path that an archive names; members are read into memory, one at a
time. Overlapping members are those of Fifield's "A better zip bomb" (2019), which deflate's own
limit of about 1 : 1,000 does not bound.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib

from optimizer.errors import InputError

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error, NotImplementedError)
"""What reading a damaged zip can raise."""
MAX_UNPACKED_BYTES = 2 * 2**30
MAX_RATIO = 200
"""Largest compression ratio of a member, or a zip, bigger than :data:`RATIO_FREE_BYTES`."""
RATIO_FREE_BYTES = 64 * 2**20

_END_OF_DIRECTORY = b"PK\x05\x06"
_ZIP64_LOCATOR = b"PK\x06\x07"
_LOCAL_HEADER = struct.Struct("<26x2H")
_OUTSIDE = re.compile(r"(^|[/\\])\.\.([/\\]|$)|^[/\\]|^[A-Za-z]:")


def open_zip(data: bytes, what: str, max_members: int, max_directory_bytes: int) -> zipfile.ZipFile:
    """Open a zip after bounding its directory, which ``zipfile`` parses into objects.

    Args:
        data: the file.
        what: it is, for messages, such as ``.npz``.
        max_members: files in it at most.
        max_directory_bytes: of its directory at most.

    Raises:
        InputError: damaged, too large, or its members lie on top of each other, have the same
            name, are encrypted, are links, or are named to lead outside the archive.
    """
    position = data.rfind(_END_OF_DIRECTORY, max(0, len(data) - 65_557))
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
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (*DAMAGED, ValueError, UnicodeDecodeError) as error:
        raise damaged(what, str(error)) from None
    if len(archive.infolist()) != members:
        raise InputError(
            f"This {what} declares {members:,} files and lists {len(archive.infolist()):,}, so "
            "that programs would see different ones. Make it again."
        )
    _refuse_hostile_members(archive.infolist(), what)
    _refuse_overlaps(archive, data, what)
    return archive


def _refuse_hostile_members(members: list[zipfile.ZipInfo], what: str) -> None:
    seen: set[str] = set()
    for member in members:
        name = f"{member.filename[:100]!r}"
        if member.filename in seen:
            raise InputError(
                f"This {what} contains two files of the same name, {name}. Save it again."
            )
        seen.add(member.filename)
        if _OUTSIDE.search(member.orig_filename):
            raise InputError(
                f"This {what} contains {name}, a path that leads out of the folder it would be "
                "unpacked to. Zip the folder itself, with names inside it."
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            raise InputError(
                f"{name} in this {what} is a symbolic link, which could lead to another file of "
                "this machine. Zip the file itself."
            )
        if member.flag_bits & 0x1:
            raise InputError(f"This {what} is encrypted. Save it without a password.")


def _refuse_overlaps(archive: zipfile.ZipFile, data: bytes, what: str) -> None:
    """Refuse members that share bytes: one kernel of data could unpack any number of times."""
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    starts = [member.header_offset for member in members]
    for member, end in zip(members, [*starts[1:], archive.start_dir], strict=False):
        start = member.header_offset
        if not 0 <= start <= len(data) - 30:
            raise damaged(what, f"{member.filename[:100]!r} lies outside of it")
        name_bytes, extra_bytes = _LOCAL_HEADER.unpack_from(data, start)
        if start + 30 + name_bytes + extra_bytes + member.compress_size > end:
            raise InputError(
                f"{member.filename[:100]!r} in this {what} lies on top of what follows it, as in "
                "a zip bomb. Make the archive again with an ordinary program."
            )


def unpacked_bytes(archive: zipfile.ZipFile, what: str, max_each: int) -> int:
    """The bytes of all members unpacked, as they declare them.

    Raises:
        InputError: more than is accepted, or compressed like no real data.
    """
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if total > MAX_UNPACKED_BYTES:
        raise InputError(
            f"This {what} unpacks to {total / 2**30:.1f} GiB; at most "
            f"{MAX_UNPACKED_BYTES // 2**30} GiB are accepted. Use fewer samples."
        )
    for member in members:
        if member.file_size > max_each or _is_bomb(member.file_size, member.compress_size):
            raise InputError(
                f"{member.filename[:100]!r} would unpack from {member.compress_size:,} to "
                f"{member.file_size:,} bytes, which no real data does. Save it again."
            )
    packed = sum(member.compress_size for member in members)
    if _is_bomb(total, packed):
        raise InputError(
            f"The {len(members):,} files in this {what} would unpack from {packed:,} to {total:,} "
            "bytes together, which no real data does. Save it again."
        )
    return total


def _is_bomb(unpacked: int, packed: int) -> bool:
    return unpacked > RATIO_FREE_BYTES and unpacked > MAX_RATIO * max(1, packed)


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, what: str) -> bytes:
    """A member's content, of exactly the size that it declares.

    ``ZipFile.read`` would unpack all of it before it cuts off what exceeds that size.

    Raises:
        InputError: it is damaged, or longer than it declares.
    """
    try:
        with archive.open(member) as stream:
            data = stream.read(member.file_size)
            if len(data) == member.file_size:
                stream.read(1)  # at the end of the member its checksum is verified
    except (*DAMAGED, RuntimeError, ValueError, MemoryError) as error:
        raise damaged(what, f"{member.filename[:100]!r} cannot be read ({error})"[:300]) from None
    if len(data) != member.file_size:
        raise damaged(
            what,
            f"{member.filename[:100]!r} has {len(data):,} of the {member.file_size:,} bytes that "
            "it declares",
        )
    return data


def damaged(what: str, reason: str) -> InputError:
    """The error for a damaged file."""
    return InputError(f"This {what} is damaged: {reason}. Save or upload it again.")
