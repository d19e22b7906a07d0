"""Takes the README's screenshots from the real app, with the sample study open.

Usage, from the project's root: ``make screenshots``. It needs Debian's chromium.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from optimizer.engine.client import stop_engine  # noqa: E402
from optimizer.store import Store  # noqa: E402

FOLDER = ROOT / "docs" / "screenshots"
SHOTS = (
    ("compare", "light", 1000),
    ("compare", "dark", 1000),
    ("optimize", "light", 1150),
    ("variant", "light", 1150),
    ("explore", "light", 1150),
    ("inspect", "light", 1150),
    ("advisor", "light", 1150),
    ("learn", "light", 900),
)
_WITHOUT_CHARTS = ("advisor", "learn", "variant")
_SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"


def main() -> int:
    """Take them all."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Install Debian's chromium first: apt-get install chromium", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        served(Path(home)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for name, scheme, height in SHOTS:
            context = browser.new_context(
                viewport={"width": 1440, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            take(context.new_page(), f"{address}/{name}", FOLDER / f"{name}-{scheme}.png")
            context.close()
    return 0


def take(page: Page, url: str, target: Path) -> None:
    """Open a page, wait until its charts are drawn, and save what it looks like."""
    page.goto(url)
    page.wait_for_selector(_SETTLED)
    if "optimize" in url:
        page.get_by_text("Smallest download", exact=True).click()
    if not url.endswith(_WITHOUT_CHARTS):
        page.wait_for_selector(".js-plotly-plot .main-svg")
    page.get_by_text("Engine ready").first.wait_for(timeout=90_000)
    page.wait_for_timeout(1500)  # Plotly's and Streamlit's animations
    page.screenshot(path=target)
    print(target.relative_to(ROOT))


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The app on a free port, with a store and an engine of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "FEATHERWEIGHT_HOME": str(home)}
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health").close()  # noqa: S310
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(10)
        stop_engine(Store.open(home))


if __name__ == "__main__":
    raise SystemExit(main())
