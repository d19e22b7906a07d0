"""The app as a real server of its own, started as a person would."""

import http.client
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 90
OWN = {"FEATHERWEIGHT_NO_ENGINE": "1"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(home, **more):
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STREAMLIT_", "FEATHERWEIGHT_"))
    }
    return {**kept, **OWN, "FEATHERWEIGHT_HOME": str(home), **more}


def streamlit(*arguments):
    return [sys.executable, "-m", "streamlit", "run", "app.py", *arguments]


class RunningApp:
    """A server that answers on loopback; ``log`` is all that it wrote."""

    def __init__(self, home, *arguments, command=None, port=None, **more):
        self.home, self.port = home, port or free_port()
        self.log = home / "server.log"
        home.mkdir(parents=True, exist_ok=True)
        command = command or streamlit("--server.port", str(self.port), *arguments)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment(home, **more), stdout=log, stderr=log
            )
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.get("/_stcore/health").status in (200, 403):
                    return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise AssertionError(self.log.read_text())

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def get(self, path, host="127.0.0.1", method="GET", body=None, **headers):
        """One request; the response carries its body as ``text``."""
        connection = http.client.HTTPConnection(host, self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=named)
        response = connection.getresponse()
        response.text = response.read().decode(errors="replace")
        connection.close()
        return response

    def socket_status(self, **headers):
        """The status that the handshake of a web socket is answered with; 101 lets it in."""
        return self.get(
            "/_stcore/stream",
            Connection="Upgrade",
            Upgrade="websocket",
            Sec_WebSocket_Version="13",
            Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
            **headers,
        ).status

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def ended(home, command, **more):
    """Exit code and output of a server that does not start."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(home, **more),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
