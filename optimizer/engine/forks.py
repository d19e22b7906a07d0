"""The engine's side of the fork server: starts it, has it fork and kill, sees stages end."""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optimizer.confinement.variables import stage_variables
from optimizer.engine.fork_server import NUMBER
from optimizer.engine.scratch import Scratch
from optimizer.errors import StageError

_START_SECONDS = 300.0
_PIPE_BYTES = 2**20
_SET_PIPE_SIZE = 1031


@dataclass
class Fork:
    """A forked stage process, seen from the engine.

    Attributes:
        inputs: descriptor that it reads what to do from.
        results: descriptor that it answers on.
        exit_code: how it ended, negative for a signal; ``None`` where that is not known.
    """

    inputs: int
    results: int
    _status: int
    _local_id: int
    _server: Forks
    exit_code: int | None = None

    def wait(self, seconds: float) -> None:
        """Wait for its end, a while at most."""
        if self._status >= 0:
            try:
                self.exit_code = _read_number(self._status, seconds)
            except EOFError:  # the server is gone, and the stage with it
                self._close("_status")
            if self.exit_code is not None:
                self._close("_status")

    @property
    def alive(self) -> bool:
        """Whether it had not ended when that was last looked at."""
        return self._status >= 0

    def close(self) -> None:
        """Kill it and wait until it is gone."""
        if self._status >= 0:
            self._server.kill(self._local_id)
            self.wait(5.0)
        for name in ("inputs", "results", "_status"):
            self._close(name)

    def close_inputs(self) -> None:
        """Say that nothing more comes."""
        self._close("inputs")

    def _close(self, name: str) -> None:
        descriptor = getattr(self, name)
        if descriptor >= 0:
            setattr(self, name, -1)
            with suppress(OSError):
                os.close(descriptor)


class Forks:
    """A fork server, started when it is needed and again when it died.

    Args:
        preload: the module that the server imports before it forks.
        plain: without namespaces, as on systems that have none.
    """

    def __init__(self, *, preload: str = "optimizer.engine.preload", plain: bool = False) -> None:
        self._arguments = [preload, *(["plain"] if plain else [])]
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.scratch: Scratch | None = None

    def start(self) -> Scratch:
        """Start the server unless it runs, and wait until its imports are done.

        Returns:
            Where its stages' folders are.

        Raises:
            StageError: it cannot import what stages need.
        """
        with self._lock:
            return self._start()

    def fork(self, folder: Path, limits: Mapping[str, Any], log: int) -> Fork:
        """Have a stage process forked.

        Args:
            folder: its private one.
            limits: :class:`optimizer.confinement.Limits` as plain data.
            log: descriptor of the file it prints to.

        Raises:
            StageError: the server does not run, or the system gives no process.
        """
        inputs_reader, inputs = _pipe()
        results, results_writer = _pipe()
        status, status_writer = os.pipe()
        try:
            order = {"do": "fork", "folder": str(folder), "limits": dict(limits)}
            given = [inputs_reader, results_writer, log, status_writer]
            with self._lock:
                self._start()
                self._send(order, given)
                os.close(given.pop())  # so that its end is seen when the server dies
                number = _started(status)
        except BaseException:
            for descriptor in (inputs, results, status):
                os.close(descriptor)
            raise
        finally:
            os.close(inputs_reader)
            os.close(results_writer)
            if len(given) == 4:
                os.close(status_writer)
        return Fork(inputs, results, status, number, self)

    def kill(self, local_id: int) -> None:
        """Kill a stage, with all that it started; does nothing when it has ended."""
        with self._lock, suppress(OSError, StageError):
            self._send({"do": "kill", "process_id": local_id}, [])
            assert self._control is not None
            self._control.recv(1)  # an answer, so that the next order is not read with this one

    def stop(self) -> None:
        """End the server, and every stage with it; their folders are removed."""
        atexit.unregister(self.stop)
        with self._lock:
            self._end()
            if self.scratch is not None:
                self.scratch.close()
                self.scratch = None

    def _start(self) -> Scratch:
        if self.scratch is None:
            self.scratch = Scratch()
            atexit.register(self.stop)
        if self._process is not None and self._process.poll() is None:
            return self.scratch
        self._end()
        home = self.scratch.path / "server"
        home.mkdir(mode=0o700, exist_ok=True)
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "optimizer.engine.fork_server", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [*command, *self._arguments],
                cwd=home,
                env=_variables(home),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control = ours
        said = self._first_word()
        if said != b"ready":
            self._end()
            raise StageError(
                "Stage processes cannot import what they need. Install the project again with "
                "make install, and look at the log.",
                log=said.decode(errors="replace"),
            )
        return self.scratch

    def _first_word(self) -> bytes:
        assert self._control is not None
        self._control.settimeout(_START_SECONDS)
        try:
            return self._control.recv(8192)
        except TimeoutError:
            return b"It took longer than five minutes to start."
        finally:
            self._control.settimeout(None)

    def _send(self, order: Mapping[str, Any], descriptors: list[int]) -> None:
        if self._control is None:
            raise StageError("The process that forks stages does not run. Run the stage again.")
        try:
            socket.send_fds(self._control, [json.dumps(order).encode()], descriptors)
        except OSError:
            raise StageError("The process that forks stages has ended. Run it again.") from None

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def _variables(home: Path) -> dict[str, str]:
    """The server's environment, with this project first where modules are looked for."""
    variables = stage_variables(home)
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [variables.get("PYTHONPATH")])]
    return variables | {"PYTHONPATH": os.pathsep.join(paths)}


def _started(status: int) -> int:
    """The process id that the server tells.

    Raises:
        StageError: it tells why there is none, or nothing.
    """
    try:
        number = _read_number(status, _START_SECONDS)
    except EOFError:
        number = None
    if number is None or number < 0:
        why = os.strerror(-number) if number else "the one that forks them has ended"
        raise StageError(f"No process could be started for the stage: {why}. Run it again.")
    return number


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(writer, _SET_PIPE_SIZE, _PIPE_BYTES)
    return reader, writer


def _read_number(status: int, seconds: float) -> int | None:
    """The next number from a pipe; ``None`` when there is none within that time.

    Raises:
        EOFError: nobody can write one any more.
    """
    deadline, data = time.monotonic() + seconds, b""
    poll = select.poll()
    poll.register(status, select.POLLIN | select.POLLHUP)
    while len(data) < NUMBER.size:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(1000 * left):
            return None
        piece = os.read(status, NUMBER.size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return int(NUMBER.unpack(data)[0])
