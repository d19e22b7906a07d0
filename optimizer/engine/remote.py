"""A Dask cluster for stages on several machines: certificates, scheduler, workers.

``python -m optimizer.engine.remote certificates|scheduler|worker …``; the README has the
commands for two machines. Stage processes import this module by name, so it imports nothing
heavy at its top.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from optimizer.access.addresses import is_loopback
from optimizer.errors import FeatherweightError, InputError
from optimizer.settings import TLS_FILES, Settings, capacity, check_address

_CONNECT_SECONDS = 10


def make_certificates(folder: Path) -> None:
    """Write a key and a certificate that signs itself, for every machine of one cluster.

    Who has the folder can run code on the cluster. Valid for 365 days.

    Raises:
        InputError: the folder holds certificates already, or cannot be written.
    """
    from distributed.security import Security

    made = Security.temporary()
    contents = {
        "ca": made.tls_ca_file,
        "cert": made.tls_worker_cert,
        "key": made.tls_worker_key,
    }
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for role, name in TLS_FILES.items():
            descriptor = os.open(folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with open(descriptor, "w") as file:
                file.write(str(contents[role]))
    except FileExistsError as error:
        raise InputError(
            f"{error.filename} is there already. Remove the folder, or name another one."
        ) from None
    except OSError as error:
        raise InputError(f"Cannot write into {folder}: {error.strerror}.") from None


def worker_host(address: str, host: str | None) -> str | None:
    """Where a worker listens: with TLS where it was told, without on this machine only.

    Raises:
        InputError: it would listen to others without TLS.
    """
    if address.startswith("tls://"):
        return host
    if host is not None and not is_loopback(host):
        raise InputError(
            "Whoever reaches a worker without TLS runs code on it, so beside a tcp:// scheduler it "
            f"listens on 127.0.0.1 only; received --host {host!r:.120}. Use TLS, or leave it out."
        )
    return host or "127.0.0.1"


async def run_scheduler(host: str, port: int, tls: str) -> None:
    """Serve a scheduler until this task is cancelled; TLS only, no web pages."""
    import dask
    from distributed import Scheduler

    from optimizer.engine.cluster import CONFIG, security_from

    dask.config.set(CONFIG)
    scheduler = await Scheduler(
        protocol="tls",
        host=host,
        port=port,
        dashboard=False,
        dashboard_address="127.0.0.1:0",
        security=security_from(tls),
    )
    print(f"Scheduler at {scheduler.address}", flush=True)
    await scheduler.finished()


async def run_worker(
    address: str, tls: str | None, slots: int | None, *, benchmark: bool, host: str | None
) -> None:
    """Serve as a worker until the scheduler is gone for good or this task is cancelled.

    Args:
        address: of the scheduler.
        tls: folder of certificates, for a ``tls://`` scheduler.
        slots: training stages at once; ``None`` as many as this machine has room for.
        benchmark: whether latency may be measured here.
        host: this machine's own address, where it has several.
    """
    import asyncio

    import dask
    from distributed import Worker
    from distributed.comm.core import connect
    from distributed.security import Security

    from optimizer.engine.cluster import CONFIG, security_from
    from optimizer.engine.process import preload
    from optimizer.engine.tasks import worker_resources

    dask.config.set(CONFIG)
    host = worker_host(address, host)
    security = security_from(tls) if address.startswith("tls") else Security()
    room = capacity(Settings(slots=slots))
    # A worker that is not let in would try for ever, without a word.
    arguments = security.get_connection_args("worker")
    await (await connect(address, timeout=_CONNECT_SECONDS, **arguments)).close()
    await asyncio.to_thread(preload)
    own: dict[str, Any] = {"host": host} if host else {}
    worker = await Worker(
        address,
        nthreads=room.slots + 2,
        resources=worker_resources(room, benchmark=benchmark),
        memory_limit=0,
        dashboard_address="127.0.0.1:0",
        security=security,
        **own,
    )
    measures = ", measures latency" if benchmark else ""
    print(f"Worker at {worker.address}: {room.slots} slots{measures}", flush=True)
    await worker.finished()


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit code is 0, or 2 for bad input."""
    import asyncio
    import logging

    options = _parser().parse_args(arguments)
    try:
        if options.command == "certificates":
            make_certificates(options.folder)
            print(f"Certificates in {options.folder}. Copy the folder to every machine.")
            return 0
        work: Any
        if options.command == "scheduler":
            work = run_scheduler(options.host, options.port, options.tls)
        else:
            check_address(options.address)
            work = run_worker(
                options.address,
                options.tls,
                options.slots,
                benchmark=options.benchmark,
                host=options.host,
            )
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level="INFO")
        asyncio.run(work)
    except FeatherweightError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"Cannot connect or listen: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m optimizer.engine.remote", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    certificates = commands.add_parser("certificates", help="make the certificates of a cluster")
    certificates.add_argument("folder", type=Path, help="where; it must not hold any yet")
    scheduler = commands.add_parser("scheduler", help="run the scheduler of a cluster")
    scheduler.add_argument("--tls", required=True, help="folder of certificates")
    scheduler.add_argument("--host", required=True, help="this machine's address to listen on")
    scheduler.add_argument("--port", type=int, default=8786)
    worker = commands.add_parser("worker", help="run stages on this machine; one worker a machine")
    worker.add_argument("address", help="of the scheduler, tls://10.0.0.5:8786")
    worker.add_argument("--tls", help="folder of certificates")
    worker.add_argument("--host", help="this machine's own address, where it has several")
    worker.add_argument(
        "--slots",
        type=int,
        help="training stages at once; by default as many as cores and memory allow",
    )
    worker.add_argument("--benchmark", action="store_true", help="measure latency here, alone")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
