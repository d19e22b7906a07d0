"""A backup's file: a plain tar of regular files, whose last one lists all others.

::

    featherweight.db                      the database at one moment
    settings.json, sample-study-imported  and other small files directly in the store's folder
    logs/<run>.log
    files/<2 digits>/<sha256>             uploads
    artifacts/<2 digits>/<key>/<file>     stage results
    manifest.json                         format, schema, store_schema, version, created_at,
                                          missing, and files: name → [sha256, bytes]

Reading trusts nothing: no links, no other kinds of members, no headers that extend others, no
names but these, nothing twice, nothing after the manifest; every byte is compared with it.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from optimizer.errors import InputError

FORMAT = "featherweight-backup"
SCHEMA = 1
DATABASE, MANIFEST = "featherweight.db", "manifest.json"
MAX_SMALL_BYTES = 1024 * 1024
SMALL = re.compile(r"(?!manifest\.json)[a-z][a-z0-9_-]{0,60}(?:\.json)?", re.ASCII)
"""Names of files directly in the store's folder that are kept: no logs, no locks."""
PIECE = 1024 * 1024
MAX_MANIFEST_BYTES = 512 * PIECE
_BLOCK = tarfile.BLOCKSIZE
_HEX = "[0-9a-f]"
_NAME = re.compile(
    rf"{re.escape(DATABASE)}|{re.escape(MANIFEST)}|{SMALL.pattern}|logs/{_HEX}{{1,64}}\.log"
    rf"|files/(?P<f>{_HEX}{{2}})/(?P<sha>(?P=f){_HEX}{{62}})"
    rf"|artifacts/(?P<a>{_HEX}{{2}})/(?P=a){_HEX}{{62}}/[A-Za-z0-9_][A-Za-z0-9_.\-]{{0,99}}",
    re.ASCII,
)

Sink = Callable[[str, Iterator[bytes]], None]
"""Told of each file's name and content, in pieces, while it is read."""
Report = Callable[[str], None]


@dataclass
class Manifest:
    """What a backup holds.

    Attributes:
        store_schema: of its database.
        version: of the Featherweight that made it.
        created_at: when, UTC ISO 8601.
        missing: files that the store should have had and had not, or not whole.
        files: name → SHA-256 and size in bytes.
    """

    store_schema: int
    version: str
    created_at: str
    missing: list[str] = field(default_factory=list)
    files: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(size for _, size in self.files.values())

    def dump(self) -> bytes:
        """As JSON."""
        content = {"format": FORMAT, "schema": SCHEMA, **vars(self)}
        return json.dumps(content, indent=0, sort_keys=True).encode()


class Writer:
    """Writes a backup's file.

    Args:
        file: to write to, from its start.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        self._now = int(time.time())

    def add(self, name: str, source: BinaryIO, size_bytes: int) -> tuple[str, int]:
        """Add a file; returns its SHA-256 and size, as they were written."""
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = size_bytes, self._now, 0o600
        hashed = _Hashed(source)
        self._tar.addfile(info, hashed)
        return hashed.digest.hexdigest(), size_bytes

    def finish(self, manifest: Manifest) -> None:
        """Add the list of all files, and end."""
        content = manifest.dump()
        self.add(MANIFEST, io.BytesIO(content), len(content))
        self._tar.close()


class _Hashed:
    """A file that hashes what is read from it."""

    def __init__(self, source: BinaryIO) -> None:
        self._source, self.digest = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """As of a file."""
        piece = self._source.read(size)
        self.digest.update(piece)
        return piece


def read_backup(file: BinaryIO, sink: Sink | None = None, report: Report | None = None) -> Manifest:
    """Read a whole backup, and compare it with its manifest.

    Args:
        file: seekable, at its start.
        sink: takes the files; what it took must not be used if this raises.
        report: told now and then how far it is, in percent.

    Raises:
        InputError: it is damaged, cut short, or was not made by Featherweight.
    """
    total = file.seek(0, io.SEEK_END)
    file.seek(0)
    found: dict[str, tuple[str, int]] = {}
    told = time.monotonic()
    while True:
        name, size = _header(file, total, found)
        if name == MANIFEST:
            if size > MAX_MANIFEST_BYTES:
                raise _refusal("its list of files is too long")
            manifest = _manifest(b"".join(_content(file, size)))
            _check_end(file)
            break
        digest = hashlib.sha256()
        pieces = _hashed_pieces(file, size, digest)
        if sink is not None:
            sink(name, pieces)
        for _ in pieces:  # what the sink left, or all of it
            pass
        found[name] = (digest.hexdigest(), size)
        if report and time.monotonic() - told > 2:
            told = time.monotonic()
            report(f"{100 * file.tell() // max(1, total)} % read")
    _compare(found, manifest)
    return manifest


def _header(file: BinaryIO, total: int, found: dict[str, Any]) -> tuple[str, int]:
    """The next member's name and size."""
    block = file.read(_BLOCK)
    if len(block) < _BLOCK or not block.strip(b"\0"):
        raise _refusal("it is cut short, or its list of files is missing")
    try:
        info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError):
        raise _refusal("it cannot be read as a .tar file") from None
    if info.type != tarfile.REGTYPE or info.linkname:
        raise _refusal(f"{info.name!r:.120} is not a plain file")
    match = _NAME.fullmatch(info.name)
    if not match:
        raise _refusal(f"{info.name!r:.120} is not a file that a backup has")
    if info.name in found:
        raise _refusal(f"{info.name!r:.120} appears twice")
    if SMALL.fullmatch(info.name) and info.size > MAX_SMALL_BYTES:
        raise _refusal(f"{info.name!r:.120} is too large")
    if not 0 <= info.size <= total - file.tell():
        raise _refusal(f"{info.name!r:.120} is cut short")
    return info.name, info.size


def _content(file: BinaryIO, size: int) -> Iterator[bytes]:
    left = size
    while left:
        piece = file.read(min(PIECE, left))
        if not piece:
            raise _refusal("it is cut short")
        left -= len(piece)
        yield piece
    file.seek(-size % _BLOCK, io.SEEK_CUR)


def _hashed_pieces(file: BinaryIO, size: int, digest: Any) -> Iterator[bytes]:
    for piece in _content(file, size):
        digest.update(piece)
        yield piece


def _check_end(file: BinaryIO) -> None:
    rest = file.read(2 * tarfile.RECORDSIZE + 1)
    if len(rest) < 2 * _BLOCK or len(rest) > 2 * tarfile.RECORDSIZE or rest.strip(b"\0"):
        raise _refusal("it does not end where its list of files ends")


def _manifest(data: bytes) -> Manifest:
    try:
        content = json.loads(data)
        if content["format"] != FORMAT:
            raise _refusal("its list of files is of something else")
        if content["schema"] > SCHEMA:
            raise InputError(
                f"The backup was made by a newer Featherweight ({content['version']!r:.40}). "
                "Install that one to restore it."
            )
        files = {
            str(name): (str(digest), int(size)) for name, (digest, size) in content["files"].items()
        }
        return Manifest(
            int(content["store_schema"]),
            str(content["version"])[:40],
            str(content["created_at"])[:40],
            [str(name)[:200] for name in content["missing"]],
            files,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise _refusal("its list of files cannot be read") from None


def _compare(found: dict[str, tuple[str, int]], manifest: Manifest) -> None:
    for name in sorted(set(found) ^ set(manifest.files)):
        raise _refusal(f"{name!r:.120} is not both in it and in its list of files")
    for name, is_now in found.items():
        if is_now != manifest.files[name]:
            raise _refusal(f"{name!r:.120} is not what its list of files says")
        match = _NAME.fullmatch(name)
        if match and match["sha"] and match["sha"] != is_now[0]:
            raise _refusal(f"{name!r:.120} is not the upload that it is named as")
    if DATABASE not in found:
        raise _refusal("it has no database")


def _refusal(reason: str) -> InputError:
    return InputError(
        f"This backup cannot be used: {reason}. Take another backup; nothing was changed."
    )
