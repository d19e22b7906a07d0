"""Linux namespaces: no network, and process ids of a stage's own.

The fork server enters a user namespace in which it may make others. Each stage then gets a
namespace of process ids: what it starts ends with it, whatever it does, and it has no name for
any process outside.
"""

from __future__ import annotations

import os
import signal
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from optimizer.confinement import kernel

_KINDS = kernel.NEW_USER | kernel.NEW_PIDS | kernel.NEW_NETWORK | kernel.NEW_IPC | kernel.NEW_MOUNTS
_ALL_USERS = "0 0 4294967295"


@dataclass(frozen=True)
class Namespaces:
    """What :func:`enter` reached.

    Attributes:
        reason: why there are none; empty where they hold.
        own_ids: descriptor of this process's own namespace of process ids; -1 without.
    """

    reason: str = ""
    own_ids: int = -1

    @property
    def hold(self) -> bool:
        """Whether they could be made."""
        return not self.reason


def enter() -> Namespaces:
    """Go into namespaces of one's own: users, process ids, network, shared memory, mounts.

    Must be called while the process is small and has one thread. It goes on in a child; the
    parent only waits for that one, ends with it, and never returns from here.
    """
    if not kernel.is_known():
        return Namespaces("there are none on this system")
    problem = _trial()
    if problem:
        return Namespaces(problem)
    _leave()
    child = os.fork()
    if child:
        _end_with(child)
    kernel.control(kernel.SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    _protect_switches()
    return Namespaces(own_ids=os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC))


def fork_into(namespaces: Namespaces) -> int:
    """``os.fork`` into a new namespace of process ids, where namespaces hold.

    Returns:
        The child's process id; in the child 0.

    Raises:
        OSError: no process, or no namespace, can be made.
    """
    if not namespaces.hold:
        return os.fork()
    kernel.unshare(kernel.NEW_PIDS)
    child = -1
    try:
        child = os.fork()
    finally:
        if child:
            kernel.set_namespace(namespaces.own_ids, kernel.NEW_PIDS)
    return child


def _trial() -> str:
    """Try in a process that ends at once; half a way in there is no way back."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _leave()
            inner = os.fork()
            if inner == 0:
                os._exit(0)
            os.waitpid(inner, 0)
            os._exit(0)
        except OSError as error:
            os.write(writer, str(error.strerror).encode())
        finally:
            os._exit(1)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as told:
        reason = told.read().decode()
    return reason or ("they could not be made" if status else "")


def _leave() -> None:
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(_KINDS)
    own = Path("/proc/self")
    if user == 0:
        # Root reads files of other users, also where an installation belongs to one.
        with suppress(OSError):
            (own / "uid_map").write_text(_ALL_USERS)
            (own / "gid_map").write_text(_ALL_USERS)
            return
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{user} {user} 1")
    (own / "gid_map").write_text(f"{group} {group} 1")


def _end_with(child: int) -> None:
    """Wait for the process that goes on, and end as it ended."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.closerange(3, 4096)
    _, status = os.waitpid(child, 0)
    os._exit(max(0, os.waitstatus_to_exitcode(status)) or bool(status))


def _protect_switches() -> None:
    """Make what is in ``/proc`` beside processes read only: root's id alone may write there."""
    if os.geteuid() != 0:
        return
    with suppress(OSError):
        kernel.keep_mounts_private()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            mode = entry.lstat().st_mode
            if entry.name.isdecimal() or stat.S_ISLNK(mode):
                continue
            if stat.S_ISDIR(mode) or mode & 0o222:
                kernel.make_read_only(str(entry))
