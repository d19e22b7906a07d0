"""A process whose every system call that changes the disk is seen before it is made.

Used to stand at each such moment: to look at what a kill would leave there, to work out what a
power cut would, or to let the call fail. Written with ptrace for Linux on x86-64; no tool needed.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import platform
import signal
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_TRACEME, _GETREGS, _SETREGS, _SYSCALL, _SETOPTIONS = 0, 12, 13, 24, 0x4200
_EXITKILL_AND_SYSGOOD = 0x100000 | 1
_RAX, _ORIG_RAX = 10, 15
_ARGUMENTS = (14, 13, 12, 7, 9, 8)  # rdi, rsi, rdx, r10, r8, r9
_AT_FDCWD = -100
_BY_DESCRIPTOR = {
    1: "write",
    18: "pwrite",
    20: "writev",
    296: "pwritev",
    77: "ftruncate",
    285: "fallocate",
    74: "fsync",
    75: "fsync",
    40: "sendfile",
}
_BY_PATH = {76: "truncate", 82: "rename", 83: "mkdir", 84: "rmdir", 87: "unlink", 2: "open"}
_BY_PATH_AT = {257: "open", 258: "mkdir", 263: "unlink", 264: "rename", 316: "rename", 280: "utime"}
GROWING = ("write", "pwrite", "writev", "pwritev", "ftruncate", "fallocate", "fsync", "mkdir")
"""What a full disk refuses; an ``open`` that makes a file, and a ``rename``, besides."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


@dataclass(frozen=True)
class Call:
    """A system call that is about to change the disk.

    Attributes:
        name: as in the tables above.
        path: what it changes; of a ``rename`` the old path.
        new: whether an ``open`` makes the file.
    """

    name: str
    path: Path
    new: bool = False


Before = Callable[[int, Call], int]
"""Told the number of a call, from 1; returns 0 to let it be, or the error that it shall meet."""


def can_trace() -> str:
    """Why processes cannot be traced here, or nothing."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return "the tracer is written for Linux on x86-64"
    try:
        ended = trace(lambda: None, Path("/"), lambda number, call: 0)
    except OSError as error:
        return f"processes may not be traced here: {error}"
    return "" if ended == 0 else "processes may not be traced here"


def trace(
    work: Callable[[], None],
    home: Path,
    before: Before,
    after: Callable[[Call], None] = lambda call: None,
) -> int:
    """Do some work in a forked process and stop it before each change of the disk below a folder.

    Args:
        work: done in the forked process, which then ends without Python's own clearing up.
        home: changes elsewhere are not looked at.
        before: told of each call before it is made.
        after: told of each call that has succeeded.

    Returns:
        The exit code of the process: 0, or 1 when the work raised.
    """
    child = os.fork()
    if child == 0:
        _libc.ptrace(_TRACEME, 0, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    try:
        return _follow(child, home, before, after)
    finally:
        try:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def _follow(child: int, home: Path, before: Before, after: Callable[[Call], None]) -> int:
    _, status = os.waitpid(child, 0)
    _ptrace(_SETOPTIONS, child, _EXITKILL_AND_SYSGOOD)
    number, entering, call, refusal = 0, True, None, 0
    pass_on = 0
    while True:
        _ptrace(_SYSCALL, child, pass_on)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            return os.WEXITSTATUS(status)
        if os.WIFSIGNALED(status):
            return -os.WTERMSIG(status)
        pass_on = os.WSTOPSIG(status)
        if pass_on != signal.SIGTRAP | 0x80:
            continue
        pass_on = 0
        if entering:
            call = _call(child, home)
            if call is not None:
                number += 1
                refusal = before(number, call)
                if refusal:
                    _set(child, _ORIG_RAX, -1)
        elif call is not None:
            if refusal:
                _set(child, _RAX, -refusal)
            elif _registers(child)[_RAX] < 2**63:
                after(call)
            refusal = 0
        entering = not entering


def _call(child: int, home: Path) -> Call | None:
    registers = _registers(child)
    number = registers[_ORIG_RAX]
    values = [registers[index] for index in _ARGUMENTS]
    if number in _BY_DESCRIPTOR:
        return _below(home, _BY_DESCRIPTOR[number], _of_descriptor(child, values[0]))
    if number in _BY_PATH:
        name, path, flags = _BY_PATH[number], _text(child, values[0]), values[1]
        folder = Path(f"/proc/{child}/cwd")
    elif number in _BY_PATH_AT:
        if not values[1]:  # a descriptor's own times
            return _below(home, _BY_PATH_AT[number], _of_descriptor(child, values[0]))
        name, path, flags = _BY_PATH_AT[number], _text(child, values[1]), values[2]
        at = struct.unpack("i", struct.pack("I", values[0] & 0xFFFFFFFF))[0]
        folder = Path(f"/proc/{child}/{'cwd' if at == _AT_FDCWD else f'fd/{at}'}")
    else:
        return None
    whole = Path(path) if path.startswith("/") else Path(os.readlink(folder)) / path
    if name == "open":
        if not flags & (os.O_CREAT | os.O_TRUNC):
            return None
        return _below(home, name, whole, new=not os.path.lexists(whole))
    return _below(home, name, whole)


def _below(home: Path, name: str, path: Path, new: bool = False) -> Call | None:
    if path.is_relative_to(home) and not _is_index(path.name):
        return Call(name, path, new)
    return None


def _is_index(name: str) -> bool:
    """The shared-memory index beside a database, which is made anew after any crash."""
    return name.endswith("-shm")


def _of_descriptor(child: int, descriptor: int) -> Path:
    try:
        return Path(os.readlink(f"/proc/{child}/fd/{descriptor & 0xFFFFFFFF}"))
    except OSError:
        return Path()


def _text(child: int, address: int) -> str:
    with open(f"/proc/{child}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        read = b""
        while b"\0" not in read:
            read += memory.read(min(256, 4096 - (address + len(read)) % 4096))
    return os.fsdecode(read.partition(b"\0")[0])


def _registers(child: int) -> ctypes.Array[ctypes.c_ulonglong]:
    registers = (ctypes.c_ulonglong * 27)()
    _ptrace(_GETREGS, child, ctypes.addressof(registers))
    return registers


def _set(child: int, index: int, value: int) -> None:
    registers = _registers(child)
    registers[index] = value & (2**64 - 1)
    _ptrace(_SETREGS, child, ctypes.addressof(registers))


def _ptrace(request: int, child: int, data: int) -> None:
    if _libc.ptrace(request, child, None, data) == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


State = dict[str, bytes | None]
"""What lies in a folder: path below it → content, or ``None`` for a folder."""


def present(home: Path) -> State:
    """What lies in a folder now."""
    return {
        str(path.relative_to(home)): None if path.is_dir() else path.read_bytes()
        for path in home.rglob("*")
        if not _is_index(path.name)
    }


def write_state(state: State, target: Path) -> None:
    """Make a new folder with this in it."""
    target.mkdir()
    for path, content in sorted(state.items()):
        if content is None:
            (target / path).mkdir()
        else:
            (target / path).write_bytes(content)


class Medium:
    """What of a folder has surely reached the medium: all of it now, later what was flushed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._numbers = itertools.count()
        self._known: dict[int, int] = {}  # inode → which file this is, since numbers come again
        self._content: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        for path in [home, *home.rglob("*")]:
            self._see(path)
        for path in [home, *home.rglob("*")]:
            self.flush(path)

    def note(self, call: Call) -> None:
        """Take note of a call that has succeeded."""
        if (call.name == "open" and call.new) or call.name == "mkdir":
            self._see(call.path)
        elif call.name == "fsync":
            self.flush(call.path)

    def flush(self, path: Path) -> None:
        """A file's content, or the names in a folder, have reached the medium."""
        if not path.exists():
            return  # flushed after it was removed
        known = self._known[path.stat().st_ino]
        if path.is_dir():
            self._names[known] = {
                e.name: self._known[e.inode()] for e in os.scandir(path) if not _is_index(e.name)
            }
        else:
            self._content[known] = path.read_bytes()

    def after_a_power_cut(self, *, names_kept: bool) -> State:
        """What is left.

        Args:
            names_kept: whether names reach the medium in time although nothing flushed them, as on
                filesystems that keep names and content apart. Content that was not flushed is
                lost in any case.
        """
        if names_kept:
            paths = [path for path in self._home.rglob("*") if not _is_index(path.name)]
            return {
                str(path.relative_to(self._home)): self._content.get(
                    self._known[path.stat().st_ino]
                )
                for path in paths
            }
        found: State = {}
        self._collect(self._known[self._home.stat().st_ino], "", found)
        return found

    def _collect(self, known: int, path: str, found: State) -> None:
        for name, each in self._names[known].items():
            found[path + name] = self._content.get(each)
            if each in self._names:
                self._collect(each, f"{path}{name}/", found)

    def _see(self, path: Path) -> None:
        number = self._known[path.stat().st_ino] = next(self._numbers)
        if path.is_dir():
            self._names[number] = {}
        else:
            self._content[number] = b""


def refuse(number: int, reason: int = errno.ENOSPC) -> Before:
    """Let one call fail if a full disk would refuse it; names differ from time to time, and with
    them whether a folder is there already.
    """
    return lambda at, call: reason if at == number and grows(call) else 0


def grows(call: Call) -> bool:
    """Whether a full disk refuses a call."""
    return call.name in GROWING or call.new or call.name == "rename"


def growing(calls: list[Call]) -> list[int]:
    """The numbers of those calls that a full disk refuses."""
    return [number for number, call in enumerate(calls, 1) if grows(call)]
