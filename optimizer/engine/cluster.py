"""Where stages are scheduled: Dask inside the engine's process, or a scheduler elsewhere.

By default one scheduler and one worker run in the engine's process and listen on loopback
only, with mutual TLS under certificates made for this one start.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Scheduler, Worker
from distributed.security import Security

from optimizer.engine.tasks import BENCHMARK, TOPIC, StagePlugin, same_build, worker_resources
from optimizer.errors import InputError, StageError
from optimizer.settings import TLS_FILES, Capacity, Settings

CONFIG = {
    # A stage that dies with its worker is not run again behind the person's back.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.admin.large-graph-warning-threshold": "1GB",
    "distributed.comm.timeouts.connect": "10s",
    # Of what Dask watches all the time, nothing is looked at; it costs an idle engine some CPU.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
}
"""How Dask is set in the engine, and in schedulers and workers elsewhere."""
_CONNECT_SECONDS = 10.0

Event = tuple[float, dict[str, Any]]
"""When a stage said something, and what."""


@dataclass(frozen=True)
class WorkerFacts:
    """What is known of a worker.

    Attributes:
        address: of the worker.
        slots: how many training stages it runs at once.
        benchmark: whether it may measure latency.
        usable: whether its code and libraries are the engine's, so that its results are.
        memory_bytes: of its machine; 0 where Dask does not say.
    """

    address: str
    slots: int
    benchmark: bool
    usable: bool
    memory_bytes: int = 0


class Cluster:
    """A connection to a scheduler and what was started for it."""

    def __init__(self, where: str, client: Client, owned: tuple[Any, ...] = ()) -> None:
        self.where, self.client, self._owned = where, client, owned
        self._closed = False

    async def begin(self, listen: Callable[[Event], None]) -> list[WorkerFacts]:
        """Put the stages' plugin on the workers and listen to their stages.

        Args:
            listen: told of each event, with the time it was sent, on the event loop.

        Returns:
            The workers that are connected.

        Raises:
            StageError: the scheduler was lost just after it was joined; the cluster is closed.
        """
        try:
            await self.client.register_plugin(StagePlugin())
            self.client.subscribe_topic(TOPIC, listen)
            return await self.workers()
        except (OSError, TimeoutError, RuntimeError) as error:
            await self.close()
            raise _silent(self.where, error) from None

    async def workers(self) -> list[WorkerFacts]:
        """The workers that are connected.

        Raises:
            OSError: the scheduler does not answer.
        """
        scheduler = self.client.scheduler
        if scheduler is None:
            raise OSError("the scheduler is gone")
        try:
            identity = await scheduler.identity(n_workers=-1)
        except RuntimeError as error:  # Dask's word for a connection that was closed meanwhile
            raise OSError(f"the scheduler is gone: {error}") from None
        return [_facts(address, known) for address, known in sorted(identity["workers"].items())]

    @property
    def connected(self) -> bool:
        """Whether the scheduler is there, as far as is known.

        A client that reconnects while it is being closed says "running" for ever.
        """
        return not self._closed and bool(self.client.status == "running")

    async def close(self) -> None:
        """Close the connection, and what was started for it; running stages are killed."""
        self._closed = True
        with suppress(OSError, TimeoutError, RuntimeError):
            await self.client.close()
        for part in self._owned:
            await part.close()


async def open_cluster(settings: Settings, room: Capacity, folder: Path) -> Cluster:
    """Start or join the cluster that the settings say; :meth:`Cluster.begin` makes it ready.

    Args:
        settings: where.
        room: what this machine gives, when stages run here.
        folder: where Dask may keep temporary files.

    Raises:
        InputError: the certificates cannot be read.
        StageError: the scheduler does not answer.
    """
    dask.config.set(CONFIG)
    logging.getLogger("distributed").setLevel("ERROR")  # it sets "info" when imported
    return await (_join(settings) if settings.scheduler else _start(room, folder))


async def _start(room: Capacity, folder: Path) -> Cluster:
    security = Security.temporary()
    loopback: Mapping[str, Any] = {
        "protocol": "tls",
        "host": "127.0.0.1",
        "dashboard_address": "127.0.0.1:0",
        "security": security,
    }
    scheduler = await Scheduler(dashboard=False, **loopback)
    worker = await Worker(
        scheduler.address,
        nthreads=room.slots + 2,
        resources=worker_resources(room, benchmark=True),
        memory_limit=0,
        local_directory=str(folder),
        **loopback,
    )
    client = await Client(
        scheduler.address, asynchronous=True, security=security, set_as_default=False
    )
    return Cluster("this machine", client, (worker, scheduler))


async def _join(settings: Settings) -> Cluster:
    address = str(settings.scheduler)
    try:
        client = await Client(
            address,
            asynchronous=True,
            security=security_from(settings.tls) if address.startswith("tls") else None,
            set_as_default=False,
            timeout=_CONNECT_SECONDS,
        )
    except (OSError, TimeoutError, ValueError) as error:
        raise _silent(address, error) from None
    return Cluster(address, client)


def _silent(address: str, error: Exception) -> StageError:
    return StageError(
        f"The Dask scheduler {address} does not answer. Check that it runs, that this machine "
        "reaches it, and that both have the same certificates; or run stages on this machine "
        "again (Settings, or without FEATHERWEIGHT_SCHEDULER).",
        log=repr(error),
    )


def security_from(folder: str | None) -> Security:
    """Mutual TLS with the certificates of a folder; see :mod:`optimizer.engine.certificates`.

    Raises:
        InputError: one of the files is missing, or the key can be read by others.
    """
    if folder is None:
        raise InputError(
            "A tls:// scheduler needs certificates: give the folder that holds ca.pem, cert.pem "
            "and key.pem (FEATHERWEIGHT_TLS, or Settings)."
        )
    paths = {role: Path(folder).expanduser() / name for role, name in TLS_FILES.items()}
    for path in paths.values():
        if not path.is_file():
            raise InputError(
                f"There is no {path.name} in the certificates' folder {folder}. Make the folder "
                "with python -m optimizer.engine.certificates, and copy it to every machine."
            )
    key = paths["key"]
    if key.stat().st_mode & 0o077:
        raise InputError(
            f"Others on this machine can read the private key {key}, with which they could run "
            f"code on the cluster. Say: chmod 600 {key}"
        )
    own = {
        f"tls_{role}_{kind}": str(paths[kind])
        for role in ("client", "scheduler", "worker")
        for kind in ("cert", "key")
    }
    return Security(require_encryption=True, tls_ca_file=str(paths["ca"]), **own)


def _facts(address: str, known: Mapping[str, Any]) -> WorkerFacts:
    offered = known.get("resources") or {}
    return WorkerFacts(
        address,
        int(offered.get("slot", 0)),
        BENCHMARK in offered,
        same_build() in offered,
        int(offered.get("memory", 0)),
    )
