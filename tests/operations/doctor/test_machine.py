"""The machine: each thing that can be wrong is found, and a remedy is named."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

from optimizer.operations.doctor import examine, machine
from tests.operations.doctor.building import GIB, says

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_memory():
    assert machine.check_memory(16 * GIB, None, 4).level == "ok"
    assert machine.check_memory(16 * GIB, 16 * GIB, 4).level == "ok"
    assert says(machine.check_memory(2 * GIB, None, 1), "at least 3 GiB", "Give the machine")
    assert says(machine.check_memory(64 * GIB, 2 * GIB, 1), "at least 3 GiB")
    limited = machine.check_memory(64 * GIB, 8 * GIB, 32)
    assert says(limited, "container's limit", "FEATHERWEIGHT_SLOTS=4")
    assert machine.check_memory(64 * GIB, 8 * GIB, 4).level == "ok"


def test_cores_and_disk():
    assert machine.check_cores(4).level == "ok"
    assert machine.check_cores(1).level == "note"
    assert machine.check_disk(10**10, "/x").level == "ok"
    assert says(machine.check_disk(10**9, "/x"), "1.0 GB free at /x", "FEATHERWEIGHT_HOME")


def test_clock():
    assert machine.check_clock(NOW, NOW - timedelta(days=1), 0.5).level == "ok"
    assert machine.check_clock(NOW, None, 0).level == "ok"
    behind = machine.check_clock(NOW, NOW + timedelta(hours=2), 0)
    assert says(behind, "entries of 2026-11-26 14:00", "timedatectl")
    assert says(machine.check_clock(datetime(1970, 1, 1, tzinfo=UTC), None, 0), "1970-01-01")
    assert says(machine.check_clock(NOW, None, -600), "600 s off", "local disk")


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok" if self.path == "/_stcore/health" else b"no")

    def log_message(self, *_):
        pass


def test_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        def close_at_once():
            taken.accept()[0].close()

        closer = threading.Thread(target=close_at_once, daemon=True)
        closer.start()
        found = machine.check_port(port, examine.port_state(port))
        assert says(found, f"{port} is taken", f"make run PORT={port + 100}")
        closer.join()
    assert machine.check_port(port, examine.port_state(port)).level == "ok"
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert examine.port_state(server.server_port) == "ours"
        assert machine.check_port(server.server_port, "ours").level == "ok"
        server.shutdown()
