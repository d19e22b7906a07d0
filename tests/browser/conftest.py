"""A real server, a real engine and a real Chromium, shared by all journeys."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from optimizer.engine.client import stop_engine
from optimizer.store import Store

ROOT = Path(__file__).parents[2]
expect.set_options(timeout=40_000)  # a page waits its turn while the engine imports TensorFlow
CSP = "forbidden by the content security policy"
REPORT_VIOLATIONS = f"""
addEventListener("securitypolicyviolation", (event) =>
  console.error("{CSP}:", event.violatedDirective, event.blockedURI))
"""
"""A script that tells the console when a page does what its policy forbids.

The console itself does not say it when a library catches the error and goes on without.
"""
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/browser" in item.nodeid:
            item.add_marker(pytest.mark.browser)


class Server:
    """The app on a free port; it can be stopped and started again on the same store."""

    def __init__(self, home):
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        command = [sys.executable, "-m", "streamlit", "run", "app.py"]
        with (self.home / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--server.port", str(self.port)],
                cwd=ROOT,
                env={**os.environ, "FEATHERWEIGHT_HOME": str(self.home)},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health").close()
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        raise AssertionError((self.home / "server.log").read_text())

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("browser")
    running = Server(home)
    yield running
    running.stop()
    stop_engine(Store.open(home))


@pytest.fixture(scope="session")
def store(server):
    return Store.open(server.home)


@pytest.fixture(scope="module")
def browser():
    """Stopped with its module: Playwright keeps an event loop running in this thread."""
    chromium = shutil.which("chromium")
    assert chromium, "the browser tests need Debian's chromium: make chromium"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield launched
        launched.close()


@pytest.fixture
def page(browser):
    """A tab of a new visitor."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    context.set_default_timeout(40_000)
    opened, refused = context.new_page(), []
    opened.add_init_script(REPORT_VIOLATIONS)
    opened.on("console", lambda said: CSP in said.text and refused.append(said.text))
    yield opened
    context.close()
    assert refused == []
