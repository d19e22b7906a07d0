"""Who touched what: files that a process opens, and files that anybody opens."""

import ctypes
import ctypes.util
import os
import struct
import sys
from contextlib import contextmanager
from pathlib import Path

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGING = {
    "os.chmod",
    "os.chown",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
    "os.utime",
    "shutil.copyfile",
    "shutil.move",
    "shutil.rmtree",
}
_STARTING = {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"}
_heard = []
_listening = []


def _hook(event, arguments):
    if not _listening:
        return
    if event == "open":
        path, mode, flags = arguments
        if (flags or 0) & _WRITING or set(mode or "") & set("wax+"):
            _heard.append(("write", path))
    elif event in _CHANGING:
        _heard.append(("write", arguments[0]))
    elif event == "subprocess.Popen":
        _heard.append(("start", " ".join(map(str, arguments[1] or [arguments[0]]))))
    elif event in _STARTING:
        _heard.append(("start", str(arguments)))
    elif event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        _heard.append(("network", f"{event} {arguments[1:]}"))
    elif event == "pickle.find_class":
        _heard.append(("pickle", ".".join(map(str, arguments))))


sys.addaudithook(_hook)  # cannot be taken away again, so that it is silent unless asked


@contextmanager
def audited():
    """What this process does meanwhile: (``write``, ``start``, ``network`` or ``pickle``, what)."""
    _heard.clear()
    _listening.append(True)
    found = []
    try:
        yield found
    finally:
        _listening.pop()
        found += _heard


def outside(events, *folders):
    """Events of writing that are not within folders, and all of another kind."""
    allowed = [Path(folder).resolve() for folder in folders]

    def within(path):
        if isinstance(path, int):  # a descriptor that was opened, and heard of, before
            return True
        full = Path(os.fsdecode(path)).resolve()
        return full == Path("/dev/null") or any(full.is_relative_to(f) for f in allowed)

    return [(kind, what) for kind, what in events if kind != "write" or not within(what)]


class Alarm:
    """Notices whatever any process does with the files of a folder (inotify; Linux).

    Native code and other processes make no audit events, and this needs no privilege.
    """

    _EVERYTHING = 0x0FFF
    _EVENT = struct.Struct("iIII")

    def __init__(self, folder):
        libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        if libc.inotify_add_watch(self._descriptor, os.fsencode(folder), self._EVERYTHING) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")

    def heard(self):
        """Names of files that were touched since the last call."""
        names = []
        while True:
            try:
                events = os.read(self._descriptor, 65_536)
            except BlockingIOError:
                return names
            place = 0
            while place < len(events):
                *_, length = self._EVENT.unpack_from(events, place)
                place += self._EVENT.size
                names.append(events[place : place + length].rstrip(b"\0").decode() or ".")
                place += length

    def close(self):
        os.close(self._descriptor)
