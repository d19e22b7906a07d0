"""A browser session without a browser: Streamlit's own protocol over its WebSocket.

Far cheaper than a tab of Chromium, and to the server the same: it asks for pages, takes every
message, and asks for live fragments again as often as the page says.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

_WAIT_SECONDS = 300.0
_EARLY = ForwardMsg.ScriptFinishedStatus.FINISHED_EARLY_FOR_RERUN
_FRAGMENT = ForwardMsg.ScriptFinishedStatus.FINISHED_FRAGMENT_RUN_SUCCESSFULLY


@dataclass
class Visit:
    """What one run of a page's script took.

    Attributes:
        seconds: from asking to its last message.
        size_bytes: of all messages meanwhile.
        errors: what the page showed as an exception, or as an error box.
    """

    page: str
    seconds: float
    size_bytes: int
    errors: list[str]


@dataclass
class Session:
    """One visitor; use ``async with Session(address) as session``.

    Attributes:
        address: of the server, ``http://127.0.0.1:8501``.
        fragments: seconds from asking for a live fragment to its last message, of each time.
        late: how many live fragments were asked for while the session was still busy, and so
            left out, as a browser does.
    """

    address: str
    fragments: list[float] = field(default_factory=list)
    late: int = 0
    _socket: ClientConnection | None = None
    _query: str = ""
    _page: str = ""
    _size_bytes: int = 0
    _errors: list[str] = field(default_factory=list)
    _done: asyncio.Event = field(default_factory=asyncio.Event)
    _timers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _asked: dict[str, float] = field(default_factory=dict)
    _reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Session:
        self._socket = await connect(
            self.address.replace("http", "ws", 1) + "/_stcore/stream",
            subprotocols=["streamlit"],  # type: ignore[list-item]
            origin=self.address,  # type: ignore[arg-type]
            max_size=None,
            open_timeout=_WAIT_SECONDS,
            ping_interval=None,
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop_timers()
        assert self._socket is not None
        await self._socket.close()
        if self._reader is not None:
            self._reader.cancel()

    async def open(self, page: str, query: str = "") -> Visit:
        """Go to a page, or run it again, and wait until its script has ended.

        Args:
            page: its address, such as ``compare``.
            query: of the address, such as ``study=…``.

        Raises:
            ConnectionError: the server, or what is between, closed the connection.
            TimeoutError: it never ended.
        """
        self._stop_timers()
        self._page, self._query = page, query
        self._size_bytes, self._errors = 0, []
        self._done.clear()
        started = time.perf_counter()
        await self._ask()
        reading = asyncio.ensure_future(self._done.wait())
        assert self._reader is not None
        await asyncio.wait(
            {reading, self._reader},
            timeout=_WAIT_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        reading.cancel()
        if not self._done.is_set():
            if self._reader.done():
                raise ConnectionError(f"{page}: the connection was lost")
            raise TimeoutError(f"{page}: the script did not end; {self._errors}")
        seconds = time.perf_counter() - started
        return Visit(page, seconds, self._size_bytes, list(self._errors))

    async def renewed(self) -> None:
        """Stay on the page until a live part of it was renewed once more.

        Raises:
            TimeoutError: none ever was.
        """
        count, deadline = len(self.fragments), time.monotonic() + _WAIT_SECONDS
        while len(self.fragments) == count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._page}: no live part was renewed")
            await asyncio.sleep(0.05)

    async def _ask(self, fragment_id: str = "") -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_name = self._query, self._page
        state.fragment_id, state.is_auto_rerun = fragment_id, bool(fragment_id)
        state.context_info.url = f"{self.address}/{self._page}"
        assert self._socket is not None
        with suppress(ConnectionClosed):  # whoever waits for the answer is told
            await self._socket.send(message.SerializeToString())

    async def _read(self) -> None:
        assert self._socket is not None
        with suppress(ConnectionClosed):
            async for data in self._socket:
                self._size_bytes += len(data)
                message = ForwardMsg()
                message.ParseFromString(bytes(data))  # type: ignore[arg-type]
                self._take(message)

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "auto_rerun":
            self._start_timer(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "page_not_found":
            self._errors.append(f"page not found: {self._page}")
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "delta":
            self._errors += _errors(message.delta)
        elif kind == "new_session" and not message.metadata.run.fragment_ids:
            self._stop_timers()  # the whole page runs again, and says anew what is live
        elif kind == "script_finished":
            self._finished(message)

    def _finished(self, message: ForwardMsg) -> None:
        if message.script_finished == _FRAGMENT:
            now = time.perf_counter()
            for fragment_id in message.metadata.run.fragment_ids:
                asked = self._asked.pop(fragment_id, None)
                if asked is not None:
                    self.fragments.append(now - asked)
        elif message.script_finished != _EARLY:
            self._done.set()

    def _start_timer(self, fragment_id: str, interval: float) -> None:
        known = self._timers.get(fragment_id)
        if known is not None:
            known.cancel()
        self._timers[fragment_id] = asyncio.create_task(self._again(fragment_id, interval))

    async def _again(self, fragment_id: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            if fragment_id in self._asked or not self._done.is_set():
                self.late += 1
                continue
            self._asked[fragment_id] = time.perf_counter()
            await self._ask(fragment_id)

    def _stop_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._asked.clear()


def _errors(delta: Any) -> list[str]:
    """What a message draws that tells of an error."""
    if delta.WhichOneof("type") != "new_element":
        return []
    element = delta.new_element
    kind = element.WhichOneof("type")
    if kind == "exception":
        return [f"{element.exception.type}: {element.exception.message}"]
    if kind == "alert" and element.alert.format == element.alert.ERROR:
        return [element.alert.body]
    return []
