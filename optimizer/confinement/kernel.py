"""Linux system calls that Python 3.11 has no function for, by ctypes."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from functools import cache

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NETWORK = (
    0x00020000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
"""Flags of ``unshare`` and ``clone``."""
SET_NO_NEW_PRIVILEGES, SET_CHILD_SUBREAPER, SET_PARENT_DEATH_SIGNAL = 38, 36, 1
_DROP_FROM_BOUNDING_SET = 24
_CAPABILITY_VERSION_3 = 0x20080522
_BIND, _REMOUNT, _READ_ONLY, _RECURSIVE, _PRIVATE = 4096, 32, 1, 16384, 1 << 18
_LOCKED_FLAGS = 0x0F  # read-only, nosuid, nodev, noexec: the same bits in statvfs and mount
_CAPSET = {"x86_64": 126, "aarch64": 91}


def machine() -> str:
    """The processor's architecture as Linux names it; ``arm64`` counts as ``aarch64``."""
    name = platform.machine()
    return "aarch64" if name == "arm64" else name


def is_known() -> bool:
    """Whether this is Linux on a processor whose system call numbers are known here."""
    return sys.platform == "linux" and machine() in _CAPSET


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def call(what: str, number: int, *arguments: object) -> int:
    """A system call by its number.

    Raises:
        OSError: as the kernel says.
    """
    library = _library()
    library.syscall.restype = ctypes.c_long
    plain = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(library.syscall(ctypes.c_long(number), *plain), what)


def control(option: int, value: int) -> None:
    """``prctl`` with one argument.

    Raises:
        OSError: as the kernel says.
    """
    zeros = [ctypes.c_ulong(0)] * 3
    _checked(_library().prctl(option, ctypes.c_ulong(value), *zeros), "prctl")


def control_pointer(option: int, value: int, pointer: object) -> None:
    """``prctl`` with a number and a buffer.

    Raises:
        OSError: as the kernel says.
    """
    arguments = [ctypes.c_ulong(value), pointer, ctypes.c_ulong(0), ctypes.c_ulong(0)]
    _checked(_library().prctl(option, *arguments), "prctl")


def unshare(flags: int) -> None:
    """Leave namespaces for new ones of one's own.

    Raises:
        OSError: as the kernel says.
    """
    _checked(_library().unshare(ctypes.c_int(flags)), "unshare")


def set_namespace(descriptor: int, kind: int) -> None:
    """Enter a namespace that is open.

    Raises:
        OSError: as the kernel says.
    """
    _checked(_library().setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def keep_mounts_private() -> None:
    """Let what is mounted from here on stay in this mount namespace."""
    _mount(None, "/", _RECURSIVE | _PRIVATE)


def make_read_only(path: str) -> None:
    """Let a file or folder be read only, in this mount namespace.

    Raises:
        OSError: as the kernel says.
    """
    kept = os.statvfs(path).f_flag & _LOCKED_FLAGS
    _mount(path, path, _BIND | _RECURSIVE)
    _mount(path, path, _BIND | _REMOUNT | _READ_ONLY | kept)


def _mount(source: str | None, target: str, flags: int) -> None:
    arguments = [None if source is None else source.encode(), target.encode(), None]
    _checked(_library().mount(*arguments, ctypes.c_ulong(flags), None), f"mount {target}")


def drop_capabilities() -> None:
    """Give up what root may do beyond other users, for this process and all it starts.

    Raises:
        OSError: as the kernel says.
    """
    number = 0
    while True:
        try:
            control(_DROP_FROM_BOUNDING_SET, number)
        except OSError:  # not allowed, for who has nothing to drop; or the last one is behind us
            break
        number += 1
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    call("capset", _CAPSET[machine()], ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))
