"""Landlock: which files a process may read and write, and whom it may signal (Linux 5.13 on).

https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import pwd
import stat
import struct
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from optimizer.confinement import kernel

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1, 2, 4, 8
_FIRST_ABI = (1 << 13) - 1  # execute … make_sym
_REFER, _TRUNCATE, _DEVICE_IOCTL = 1 << 13, 1 << 14, 1 << 15
_SPECIAL_FILES = 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11  # character, socket, fifo, block
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE_IOCTL
_NO_TCP, _NO_ABSTRACT_SOCKETS_NOR_SIGNALS = 3, 3
SIGNALS_ABI = 6
"""From this version on, Landlock keeps a process from signalling those outside."""

_READ = _READ_FILE | _READ_FOLDER
_SYSTEM_FOLDERS = "/usr /lib /lib32 /lib64 /bin /sbin /nix/store".split()
_SYSTEM_FILES = (
    "/etc/ld.so.cache /etc/ld.so.conf /etc/ld.so.conf.d /etc/ld.so.preload /etc/localtime "
    "/etc/timezone /etc/nsswitch.conf /etc/os-release /etc/mime.types /etc/locale.alias "
    "/proc /sys/devices /sys/fs/cgroup /sys/kernel/mm /dev/urandom /dev/random /dev/zero"
).split()
_ROOT_ONLY_SWITCHES = ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger")


def abi() -> int:
    """Which version of Landlock the kernel has.

    Raises:
        OSError: none, or it is switched off.
    """
    return kernel.call("Landlock", _CREATE_RULESET, None, 0, _VERSION_FLAG)


def restrict(folder: Path, *, measures: bool) -> int:
    """Leave this process the files it needs: Python and its libraries to read, a folder to write.

    Args:
        folder: the private folder.
        measures: whether it may write below ``/proc``, which measuring peak memory takes; it
            may not where that would reach the switches of the system.

    Returns:
        The kernel's version of Landlock.

    Raises:
        OSError: the kernel does not have it.
    """
    version = abi()
    rights = _FIRST_ABI
    rights |= (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    rights |= _DEVICE_IOCTL if version >= 5 else 0
    fields = [rights]
    fields += [_NO_TCP] if version >= 4 else []
    fields += [_NO_ABSTRACT_SOCKETS_NOR_SIGNALS] if version >= SIGNALS_ABI else []
    attributes = ctypes.create_string_buffer(struct.pack(f"={len(fields)}Q", *fields))
    ruleset = kernel.call("Landlock", _CREATE_RULESET, attributes, 8 * len(fields), 0)
    try:
        _allow(ruleset, [str(folder)], rights & ~_SPECIAL_FILES & ~_EXECUTE)
        _allow(ruleset, ["/dev/null"], rights)
        _allow(ruleset, _SYSTEM_FILES, _READ)
        _allow(ruleset, [*_SYSTEM_FOLDERS, *readable_folders()], _READ | _EXECUTE)
        _allow(ruleset, [str(_root())], _READ_FOLDER)
        if measures and not any(os.access(path, os.W_OK) for path in _ROOT_ONLY_SWITCHES):
            _allow(ruleset, ["/proc"], _READ | _WRITE_FILE | rights & _TRUNCATE)
        kernel.call("Landlock", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def _root() -> Path:
    return Path(__file__).parents[3]


@cache
def readable_folders() -> tuple[str, ...]:
    """Where Python, its libraries and this project's packages are, and nothing beside them."""
    return tuple(dict.fromkeys(_python_folders()))


def _python_folders() -> Iterator[str]:
    root = _root()
    yield from (sys.prefix, sys.base_prefix, sys.exec_prefix)
    yield from sysconfig.get_paths().values()
    yield str(Path(sys.executable).resolve().parent)
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    for entry in filter(None, sys.path):
        # A search path that holds the project or the home folder would open all of them.
        if not (root.is_relative_to(entry) or home.is_relative_to(entry)):
            yield entry
    # The project's own folder may also hold a store or .streamlit/secrets.toml.
    with suppress(OSError):
        yield from (str(found.parent) for found in root.glob("*/__init__.py"))


def _allow(ruleset: int, paths: Iterable[str], rights: int) -> None:
    for path in dict.fromkeys(paths):
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            folder = stat.S_ISDIR(os.fstat(opened).st_mode)
            allowed = rights if folder else rights & _FILE_RIGHTS
            rule = ctypes.create_string_buffer(struct.pack("=Qi", allowed, opened))
            kernel.call("Landlock", _ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
        finally:
            os.close(opened)
