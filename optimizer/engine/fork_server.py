"""The process that stage processes are forked from: it has TensorFlow imported.

``python -m optimizer.engine.fork_server DESCRIPTOR MODULE`` is started by
:mod:`optimizer.engine.forks` with no secret in its environment and one socket, on which it is
told what to fork. It ends when that socket is closed, and everything it started with it.
"""

from __future__ import annotations

import importlib
import json
import os
import selectors
import signal
import socket
import struct
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from optimizer import confinement
from optimizer.confinement import kernel, landlock, namespaces
from optimizer.engine import child as stage

NUMBER = struct.Struct("<q")
ORDER_BYTES = 16_384
_STRAYS_SECONDS = 0.25


class ForkServer:
    """Serves one engine.

    Args:
        control: where orders come from.
        spaces: the namespaces it runs in.
    """

    def __init__(self, control: socket.socket, spaces: namespaces.Namespaces) -> None:
        self._control, self._spaces = control, spaces
        self._stages: dict[int, int] = {}  # process id → where its end is told
        self._wake, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Fork until the other end of the socket is closed."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while True:
                # Without namespaces, what a stage abandons comes here without a sign of it.
                pause = None if self._spaces.hold or not self._stages else _STRAYS_SECONDS
                ready = {key.fd for key, _ in selector.select(pause)}
                if not ready:
                    self._end_strays()
                if self._wake in ready:
                    os.read(self._wake, 65_536)
                    self._reap()
                if self._control.fileno() in ready and not self._obey():
                    return

    def _obey(self) -> bool:
        """Do what the next order says; whether there was one."""
        text, descriptors, _, _ = socket.recv_fds(self._control, ORDER_BYTES, 4)
        if not text:
            return False
        order = json.loads(text)
        if order["do"] == "kill":
            self._kill(order["process_id"])
            self._control.sendall(b".")
            return True
        inputs, results, log, status = descriptors
        try:
            child = namespaces.fork_into(self._spaces)
        except OSError as error:
            os.write(status, NUMBER.pack(-(error.errno or 1)))
            os.close(status)
        else:
            if child == 0:
                _become_stage(order, inputs, results, log)
            os.write(status, NUMBER.pack(child))
            self._stages[child] = status
        for descriptor in (inputs, results, log):
            os.close(descriptor)
        return True

    def _kill(self, child: int) -> None:
        """End a stage, and its process group where it has no namespace of its own."""
        if child in self._stages:  # not reaped yet, so the number is still its own
            for kill in (os.killpg, os.kill):
                with suppress(OSError):
                    kill(child, signal.SIGKILL)

    def _reap(self) -> None:
        while True:
            try:
                child, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not child:
                break
            told = self._stages.pop(child, None)
            if told is not None:
                if not self._spaces.hold:
                    with suppress(OSError):
                        os.killpg(child, signal.SIGKILL)
                    self._end_strays()
                with suppress(OSError):
                    os.write(told, NUMBER.pack(os.waitstatus_to_exitcode(status)))
                os.close(told)
        self._end_strays()

    def _end_strays(self) -> None:
        """End what a stage left behind; without namespaces it becomes a child of this process."""
        if self._spaces.hold:
            return  # the kernel ends them
        with suppress(OSError):
            listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
            for child in map(int, listed.split()):
                if child not in self._stages:
                    os.kill(child, signal.SIGKILL)

    def end_all(self) -> None:
        """End every stage."""
        for child in list(self._stages):
            self._kill(child)
        self._end_strays()


def _become_stage(order: dict[str, object], inputs: int, results: int, log: int) -> None:
    """Run a stage in this process, which has just been forked; never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        stage.run(order, inputs, results, log)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def main() -> None:
    """Serve the socket whose descriptor is the first argument, with the module that is the second.

    With ``plain`` as the third argument it goes without namespaces.
    """
    descriptor, preload, *options = int(sys.argv[1]), *sys.argv[2:]
    plain = "plain" in options
    spaces = namespaces.Namespaces("switched off") if plain else namespaces.enter()
    confinement.problems["namespaces"] = spaces.reason
    if not spaces.hold and sys.platform == "linux":
        with suppress(OSError):
            kernel.control(kernel.SET_CHILD_SUBREAPER, 1)
    control = socket.socket(fileno=descriptor)
    try:
        importlib.import_module(preload)
    except BaseException:
        control.sendall(traceback.format_exc()[-4000:].encode())
        return
    landlock.readable_folders()  # found once, for all stages
    control.sendall(b"ready")
    server = ForkServer(control, spaces)
    try:
        server.serve()
    finally:
        server.end_all()
        sys.stderr.flush()
        os._exit(0)  # at once: TensorFlow takes a second to leave


if __name__ == "__main__":
    main()
