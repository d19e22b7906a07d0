"""What a stage process says to the engine: JSON and plain bytes, which can run nothing.

A frame is the length of its header (4 bytes, little-endian), the header as JSON, and the files
that the header lists, one after the other. Everything is checked as it comes in: a stage that
was taken over by an upload may send whatever it likes.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from optimizer.stage import Files

Kind = Literal["hello", "progress", "done", "refused", "failed", "too_large"]
_KINDS = ("hello", "progress", "done", "refused", "failed", "too_large")
_LENGTH = struct.Struct("<I")
_HEADER_BYTES = 2**20
_MOST_FILES, _MOST_NUMBERS = 10_000, 64
_TEXT, _LOG = 4000, 100_000
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}", re.ASCII)
_TAKEN_NAMES = ("fraction", "message")
_NUMBER_NAME = re.compile(r"\w{1,64}", re.ASCII)


class MessageError(Exception):
    """A stage process sent what is no message."""


@dataclass(frozen=True)
class Message:
    """One thing that a stage process said.

    Attributes:
        kind: ``hello`` before anything else; ``progress``; and one of the others at its end.
        text: of a person's concern: a phrase of progress, a refusal, a failure.
        log: technical detail of a failure.
        fraction: share of the work that is done, 0 to 1, with ``progress``.
        numbers: what is shown beside progress.
        files: what the stage returned, with ``done``.
        process_id: with ``hello``, as the engine's system numbers it.
        may_start: with ``hello``, whether it can start other processes.
    """

    kind: Kind
    text: str = ""
    log: str = ""
    fraction: float | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    files: Files = field(default_factory=dict)
    process_id: int = 0
    may_start: bool = True


def frame(kind: Kind, files: Mapping[str, bytes] | None = None, **fields: Any) -> list[bytes]:
    """A message as bytes to be written one after the other.

    Args:
        kind: see :class:`Message`.
        files: with ``done``.
        fields: the message's others; numbers may be numpy's.
    """
    listed = {name: len(content) for name, content in (files or {}).items()}
    header = json.dumps({"kind": kind, "files": listed, **fields}, default=float).encode()
    # Length and header in one piece: a pipe keeps it whole when a stage's child writes, too.
    return [_LENGTH.pack(len(header)) + header, *(files or {}).values()]


class Reader:
    """Puts messages together from pieces.

    Args:
        limit_bytes: what the files of one message may have together.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._buffer = bytearray()
        self._header: dict[str, Any] | None = None
        self._sizes: list[tuple[str, int]] = []
        self._files: Files = {}

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete.

        Raises:
            MessageError: they are none.
        """
        self._buffer += data
        found: list[Message] = []
        while True:
            if self._header is None and not self._read_header():
                return found
            if not self._read_files():
                return found
            assert self._header is not None
            found.append(_message(self._header, self._files))
            self._header, self._files = None, {}

    def _read_header(self) -> bool:
        if len(self._buffer) < _LENGTH.size:
            return False
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > _HEADER_BYTES:
            raise MessageError(f"a header of {length:,} bytes")
        if len(self._buffer) < _LENGTH.size + length:
            return False
        text = self._take(_LENGTH.size + length)[_LENGTH.size :]
        try:
            header = json.loads(text)
        except (ValueError, RecursionError):
            raise MessageError("a header that is not JSON") from None
        if not isinstance(header, dict):
            raise MessageError("a header that is no object")
        self._header, self._sizes = header, _checked_sizes(header.get("files"), self._limit)
        return True

    def _read_files(self) -> bool:
        while self._sizes:
            name, size = self._sizes[0]
            if len(self._buffer) < size:
                return False
            self._files[name] = self._take(size)
            self._sizes.pop(0)
        return True

    def _take(self, size: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[:size])
        del self._buffer[:size]
        return taken


def _checked_sizes(files: Any, limit_bytes: int) -> list[tuple[str, int]]:
    if not isinstance(files, dict) or len(files) > _MOST_FILES:
        raise MessageError("a list of files that is none")
    for name, size in files.items():
        if not _FILE_NAME.fullmatch(name):
            raise MessageError(f"the file name {name!r:.80}")
        if type(size) is not int or size < 0:
            raise MessageError(f"the file size {size!r:.40}")
    total = sum(files.values())
    if total > limit_bytes:
        raise MessageError(f"files of {total:,} bytes, more than its limit of {limit_bytes:,}")
    return list(files.items())


def _message(header: Mapping[str, Any], files: Files) -> Message:
    kind, fraction = header.get("kind"), header.get("fraction")
    process_id = header.get("process_id", 0)
    if kind not in _KINDS or type(process_id) is not int or (files and kind != "done"):
        raise MessageError(f"a message of the kind {kind!r:.40}")
    if fraction is not None:
        if type(fraction) not in (int, float) or not math.isfinite(fraction):
            raise MessageError("a fraction that is no number")
        fraction = min(1.0, max(0.0, float(fraction)))
    texts = [header.get(name, "") for name in ("text", "log")]
    if not all(isinstance(text, str) for text in texts):
        raise MessageError("a text that is none")
    numbers = _checked_numbers(header.get("numbers", {}))
    text, log = texts[0][:_TEXT], texts[1][-_LOG:]
    may_start = header.get("may_start") is not False
    return Message(kind, text, log, fraction, numbers, files, process_id, may_start)


def _checked_numbers(numbers: Any) -> dict[str, float]:
    if not isinstance(numbers, dict) or len(numbers) > _MOST_NUMBERS:
        raise MessageError("numbers that are none")
    for name, value in numbers.items():
        sound = _NUMBER_NAME.fullmatch(name) and name not in _TAKEN_NAMES
        sound = sound and type(value) in (int, float, bool)
        if not sound or (type(value) is int and abs(value) >= 2**63):
            raise MessageError(f"the number {name!r:.80}")
    return numbers
