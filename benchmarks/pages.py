"""Script runs of the pages, and how soon a browser has drawn them, by the number of variants."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.crowd import crowd
from benchmarks.findings import row
from benchmarks.server import CHROMIUM, server
from optimizer.bundled import ensure_sample_study
from optimizer.store import Store
from optimizer.store.records import Study

ROOT = Path(__file__).resolve().parents[1]
_COUNTS = (10, 100, 1000)
_MANY = ("compare", "explore")
_PAGES = (
    *("compare", "explore", "variant", "inspect", "deploy", "report"),
    *("advisor", "optimize", "sensitivity", "search", "runs", "model", "data"),
)
_VISITS = 3


def pages() -> None:
    """Every page with 1,000 variants; those that show all of them with fewer, too."""
    with tempfile.TemporaryDirectory(prefix="featherweight-bench-") as folder:
        store = Store.open(Path(folder))
        ensure_sample_study(store)
        (study,) = store.list_studies()
        environment = {
            **os.environ,
            "FEATHERWEIGHT_HOME": folder,
            "FEATHERWEIGHT_NO_ENGINE": "1",
        }
        for count in _COUNTS:
            crowd(store, study, count)
            for page in _MANY:
                found = _script(page, study, environment)
                asked = "p95 at most 200 ms" if count == max(_COUNTS) else ""
                figure = f"median {found['median_ms']:.0f} ms, p95 {found['p95_ms']:.0f} ms"
                row(f"{page} with {count} variants: script run", figure, asked)
                if count == 100:
                    row(f"{page}: the app's process", f"{found['memory_mb']:.0f} MB", "400 MB")
                    assert not found["tensorflow"]
            for page, seconds in _painted(study, environment).items():
                row(f"{page} with {count} variants: browser, address to chart", f"{seconds:.2f} s")
        for page in (page for page in _PAGES if page not in _MANY):
            found = _script(page, study, environment)
            figure = f"median {found['median_ms']:.0f} ms, p95 {found['p95_ms']:.0f} ms"
            row(f"{page} with {max(_COUNTS)} variants: script run", figure)
        store.close()


def _script(page: str, study: Study, environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.page", page, study.id],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _painted(study: Study, environment: dict[str, str]) -> dict[str, float]:
    """Page → median seconds from asking for its address to its chart being drawn."""
    from playwright.sync_api import sync_playwright

    found = {}
    with server(environment) as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM
        )
        for page in _MANY:
            seconds = []
            for _ in range(_VISITS):
                tab = browser.new_page(viewport={"width": 1440, "height": 1000})
                started = time.perf_counter()
                tab.goto(f"{address}/{page}?study={study.id}")
                tab.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=60_000)
                seconds.append(time.perf_counter() - started)
                tab.close()
            found[page] = median(seconds)
        browser.close()
    return found
