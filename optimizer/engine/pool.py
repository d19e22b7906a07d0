"""The only module that knows Dask from the engine's side: where stages are scheduled.

By default one scheduler and one worker run inside the engine's process and listen on loopback
only, with mutual TLS under certificates made for this one start.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Future, Scheduler, Worker
from distributed.security import Security

from optimizer.engine.process import StageCall
from optimizer.engine.tasks import TOPIC, Outcome, StagePlugin, run_stage
from optimizer.errors import InputError, StageError
from optimizer.keys import Resource
from optimizer.stage import Files

ProgressEvent = dict[str, Any]
_HELD_BYTES = 512 * 2**20

_CONFIG = {
    # A stage that dies with its worker is not run again behind the person's back.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.admin.large-graph-warning-threshold": "1GB",
}


class Pool:
    """Runs stages on Dask; knows nothing of recipes or the store.

    Args:
        slots: how many training stages may run at once.
        folder: where Dask may keep temporary files.
    """

    def __init__(self, slots: int, folder: Path) -> None:
        self._slots, self._folder = slots, folder
        self._attempts = itertools.count(1)
        self._listeners: dict[str, Callable[[ProgressEvent], None]] = {}
        self._held: OrderedDict[str, tuple[Future, int]] = OrderedDict()

    async def start(self) -> None:
        """Start scheduler, worker and client on this event loop."""
        dask.config.set(_CONFIG)
        logging.getLogger("distributed").setLevel("ERROR")  # it sets "info" when imported
        security = Security.temporary()
        loopback = {
            "protocol": "tls",
            "host": "127.0.0.1",
            "dashboard_address": "127.0.0.1:0",
            "security": security,
        }
        self._scheduler = await Scheduler(dashboard=False, **loopback)
        self._worker = await Worker(
            self._scheduler.address,
            nthreads=self._slots + 2,
            resources={"slot": self._slots, "light": 1},
            memory_limit=0,
            local_directory=str(self._folder),
            **loopback,
        )
        self._client = await Client(
            self._scheduler.address, asynchronous=True, security=security, set_as_default=False
        )
        await self._client.register_plugin(StagePlugin())
        self._client.subscribe_topic(TOPIC, self._on_event)

    async def stop(self) -> None:
        """Close everything; running stages are killed."""
        await self._client.close()
        await self._worker.close()
        await self._scheduler.close()

    async def run(
        self,
        key: str,
        call: StageCall,
        inputs: Mapping[str, tuple[str, Callable[[], Files]]],
        resource: Resource,
        listen: Callable[[ProgressEvent], None],
    ) -> Files:
        """Run a stage and wait for its files. Cancelling the awaiting task kills the stage.

        Args:
            key: the stage's content key.
            call: what to run.
            inputs: input name → its content key, and how to read it when no worker holds it.
            resource: what the stage occupies.
            listen: told of each progress event, on the event loop.

        Raises:
            InputError: the stage refused its input.
            StageError: it failed, crashed or was killed.
        """
        # A key of its own for each attempt: Dask would answer a retry with the last outcome.
        key = f"{key}-{next(self._attempts)}"
        self._listeners[key] = listen
        held = {name: await self._hold(*source) for name, source in inputs.items()}
        future = self._client.submit(
            run_stage, key, call, held, key=key, resources=self._resources(resource), pure=False
        )
        try:
            outcome: Outcome = await future.result()
        except asyncio.CancelledError:
            await asyncio.shield(self._client.cancel([future], force=True, reason="cancelled"))
            raise
        except Exception as error:
            raise StageError(f"The worker lost the stage: {error}", log=repr(error)) from None
        finally:
            self._listeners.pop(key, None)
            future.release()
        if "refused" in outcome:
            raise InputError(outcome["refused"])
        if "failed" in outcome:
            raise StageError(outcome["failed"], log=outcome["log"])
        return outcome["files"]

    def _resources(self, resource: Resource) -> dict[str, int]:
        return {
            "train": {"slot": 1},
            "light": {"light": 1},
            "quiet": {"slot": self._slots, "light": 1},
        }[resource]

    async def _hold(self, key: str, read: Callable[[], Files]) -> Future:
        """The input on the cluster, sent there once and kept while there is room."""
        if key not in self._held:
            files = await asyncio.to_thread(read)
            size = sum(len(content) for content in files.values())
            # In a list: scatter takes a dict for several values and their Dask keys.
            (future,) = await self._client.scatter([files], hash=False)
            self._held[key] = (future, size)
            while len(self._held) > 1 and sum(s for _, s in self._held.values()) > _HELD_BYTES:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return self._held[key][0]

    def _on_event(self, event: tuple[float, ProgressEvent]) -> None:
        message = event[1]
        listener = self._listeners.get(message.get("key", ""))
        if listener is not None:
            listener(message)
