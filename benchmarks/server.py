"""The app as a process of its own on a free port."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@contextmanager
def server(
    environment: Mapping[str, str], *options: str, log: Path | None = None
) -> Iterator[tuple[str, int]]:
    """The app; yields its address and its process id.

    Args:
        environment: its environment variables.
        options: more of Streamlit's, such as ``--server.disconnectedSessionTTL``.
        log: where what it says goes; by default nowhere.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with open(log or "/dev/null", "ab") as said:
        process = subprocess.Popen(
            [*command, *options], cwd=ROOT, env=dict(environment), stdout=said, stderr=said
        )
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health").close()  # noqa: S310
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, log and log.read_text()
                time.sleep(0.1)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(20)
