"""A class on one server: 30 sessions beside a sweep; and a study of 10,000 variants."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import psutil

from benchmarks.client import Session, Visit
from benchmarks.crowd import crowd
from benchmarks.findings import row
from benchmarks.footprint import Footprint, footprint
from benchmarks.live import bundled_study, engine, home_at, quiet
from benchmarks.server import CHROMIUM, server
from benchmarks.sweep import recipes
from optimizer.bundled import ensure_sample_study
from optimizer.recipe import Recipe
from optimizer.session import run_recipes
from optimizer.store import Store
from optimizer.store.records import FINISHED, Study

SESSIONS, MINUTES, MANY = 30, 2.0, 10_000
STUDY_PAGES = (
    *("compare", "explore", "variant", "inspect", "deploy", "report"),
    *("advisor", "optimize", "sensitivity", "search", "runs", "model", "data"),
)
PAGES = (*STUDY_PAGES, "studies", "storage", "settings", "new", "learn")
_THINKING_SECONDS = (5.0, 15.0)
_REPEATS = 3
_FORGOTTEN_SECONDS = 2.5


@dataclass
class Seen:
    """What a crowd of sessions saw.

    Attributes:
        visits: every page that was opened.
        fragments: seconds of each renewal of a live part of a page.
        late: renewals that were due while the one before was not done.
        lost: connections that ended by themselves; the visitor came again.
    """

    visits: list[Visit] = field(default_factory=list)
    fragments: list[float] = field(default_factory=list)
    late: int = 0
    lost: int = 0

    def errors(self) -> list[str]:
        """What pages showed as errors."""
        return [f"{visit.page}: {error}" for visit in self.visits for error in visit.errors]


async def crowd_of_sessions(
    address: str,
    query: str,
    count: int,
    *,
    pages: Sequence[str] = PAGES,
    seconds: float = 0.0,
    thinking: tuple[float, float] = _THINKING_SECONDS,
) -> Seen:
    """Let sessions walk the pages, each with pauses for looking at them.

    Args:
        address: of the server.
        query: of every address that is opened.
        count: how many sessions.
        pages: to walk; each session begins at another one.
        seconds: how long; each session opens every page once when this is 0.
        thinking: shortest and longest pause after a page, in seconds.
    """
    seen, ends = Seen(), time.monotonic() + seconds

    async def visitor(number: int) -> None:
        chance, turn = random.Random(number), number  # noqa: S311 - pauses, not secrets

        def more() -> bool:
            return time.monotonic() < ends if seconds else turn < number + len(pages)

        while more():
            async with Session(address) as session:
                try:
                    while more():
                        seen.visits.append(await session.open(pages[turn % len(pages)], query))
                        turn += 1
                        await asyncio.sleep(chance.uniform(*thinking))
                except ConnectionError:
                    seen.lost += 1
            seen.fragments += session.fragments
            seen.late += session.late

    await asyncio.gather(*(visitor(number) for number in range(count)))
    return seen


def load() -> None:
    """Rows about many sessions, then about many variants."""
    with tempfile.TemporaryDirectory(prefix="featherweight-load-") as folder, home_at(folder):
        store = Store.open(Path(folder))
        with engine(store):
            _sessions(store)
        store.close()
    with tempfile.TemporaryDirectory(prefix="featherweight-load-") as folder, home_at(folder):
        store = Store.open(Path(folder))
        ensure_sample_study(store)
        with engine(store):
            _variants(store)
        store.close()


def _sessions(store: Store) -> None:
    """30 sessions on a study whose sweep runs."""
    study = bundled_study(store, "digits_cnn")
    run_recipes(store, study, [], quiet)
    wanted = [
        Recipe.parse(parts)
        for parts in recipes((None, 0.3, 0.5, 0.7, 0.9), (None, 8, 16, 32), (4, 5))
    ]
    ids = [variant.id for variant in store.add_variants(study.id, wanted)]
    run = store.queue_run("variants", f"{len(ids)} variants", study_id=study.id, variant_ids=ids)
    query = f"study={study.id}"
    with server(os.environ, "--server.disconnectedSessionTTL", "1") as (address, pid):
        asyncio.run(crowd_of_sessions(address, query, 1, thinking=(0.0, 0.0)))
        at_first = footprint(pid)
        alone = asyncio.run(crowd_of_sessions(address, query, 1, thinking=(0.5, 1.0)))
        _times("one session while a sweep runs", alone)
        rounds, before = [], sum(psutil.Process(pid).cpu_times()[:2])
        for _ in range(2):
            seen, most = asyncio.run(_with_peak(address, query, pid))
            rounds.append((seen, most, settled(address, query, pid)))
        seen, most, after = rounds[0]
        seconds = sum(psutil.Process(pid).cpu_times()[:2]) - before
        row(
            "processor time of the app, per second of these sessions",
            f"{seconds / (2 * 60 * MINUTES):.2f} s",
        )
        _times(f"{SESSIONS} sessions while a sweep runs", seen)
        row(
            "memory of the app: before, with 30 sessions, after they left",
            f"{at_first.memory_mb:.0f}, {most:.0f}, {after.memory_mb:.0f} MB: "
            f"{(most - at_first.memory_mb) / SESSIONS:.1f} MB a session",
        )
        again = rounds[1][2]
        row(
            "the same 30 once more: memory with them, after they left",
            f"{rounds[1][1]:.0f}, {again.memory_mb:.0f} MB",
            "no more than before",
        )
        row(
            "handles, threads, child processes of the app: before / after both",
            f"{at_first.handles}, {at_first.threads}, {at_first.children} / "
            f"{again.handles}, {again.threads}, {again.children}",
            "no growth",
        )
        assert store.get_run(run.id).state not in FINISHED, "the sweep was too short"
        done = store.count_variants(run.id)
        row("variants that the sweep measured meanwhile", f"{done.measured} of {done.variants}")
        for page, seconds in _painted(address, study).items():
            row(f"{page}: two Chromium tabs beside the sweep, address to chart", f"{seconds:.2f} s")
    store.request_cancel(run.id)
    while store.get_run(run.id).state not in FINISHED:
        time.sleep(0.1)


async def _with_peak(address: str, query: str, pid: int) -> tuple[Seen, float]:
    """The sessions, and the most memory that the app had meanwhile, in MB."""
    most = 0.0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, footprint(pid).memory_mb)
            await asyncio.sleep(1.0)

    watching = asyncio.create_task(watch())
    seen = await crowd_of_sessions(address, query, SESSIONS, seconds=60 * MINUTES)
    watching.cancel()
    return seen, most


def settled(address: str, query: str, pid: int) -> Footprint:
    """What the app holds when its sessions have gone and are forgotten.

    A session that left is kept for a moment, in case it comes back; it is looked for when another
    one comes.
    """
    time.sleep(_FORGOTTEN_SECONDS)
    asyncio.run(crowd_of_sessions(address, query, 1, pages=("runs",), thinking=(0.0, 0.0)))
    time.sleep(_FORGOTTEN_SECONDS)
    return footprint(pid)


def _times(what: str, seen: Seen) -> None:
    seconds = [visit.seconds for visit in seen.visits]
    row(
        f"{what}: a page, from asking to its last message",
        f"median {median(seconds):.2f} s, p95 {np.percentile(seconds, 95):.2f} s, slowest "
        f"{max(seconds):.2f} s; {len(seconds)} visits, {len(seen.errors())} errors, {seen.lost} "
        "connections lost",
        "p95 at most 1 s, no error",
    )
    slowest = max(PAGES, key=lambda page: _p95(seen, page))
    row(f"{what}: the slowest page is {slowest}", f"p95 {_p95(seen, slowest):.2f} s")
    if seen.fragments:
        row(
            f"{what}: renewing a live part of a page",
            f"median {1000 * median(seen.fragments):.0f} ms, p95 "
            f"{1000 * np.percentile(seen.fragments, 95):.0f} ms, {len(seen.fragments)} times",
        )


def _p95(seen: Seen, page: str) -> float:
    seconds = [visit.seconds for visit in seen.visits if visit.page == page]
    return float(np.percentile(seconds, 95)) if seconds else 0.0


def _variants(store: Store) -> None:
    """A study of 10,000 variants."""
    (study,) = store.list_studies()
    started = time.monotonic()
    crowd(store, study, MANY)
    row(f"{MANY:,} variants put into a store", f"{time.monotonic() - started:.1f} s")
    query = f"study={study.id}"
    with server(os.environ) as (address, pid):
        asyncio.run(crowd_of_sessions(address, query, 1, pages=("studies",), thinking=(0.0, 0.0)))
        for page in PAGES:
            seen = asyncio.run(_repeated(address, query, page))
            first, *later = [visit.seconds for visit in seen.visits]
            row(
                f"{page} with {MANY:,} variants: first visit, later ones",
                f"{first:.2f} s, {median(later):.2f} s; "
                f"{seen.visits[-1].size_bytes / 1e6:.1f} MB"
                + ("" if not seen.errors() else f"; {seen.errors()[0]}"),
                "at most 1 s",
            )
        row("memory of the app afterwards", f"{footprint(pid).memory_mb:.0f} MB")
        for page, seconds in _painted(address, study).items():
            row(f"{page} with {MANY:,} variants: Chromium, address to chart", f"{seconds:.2f} s")
    _engine_with_many(store, study)


async def _repeated(address: str, query: str, page: str) -> Seen:
    pages = (page,) * (1 + _REPEATS)
    return await crowd_of_sessions(address, query, 1, pages=pages, thinking=(0.0, 0.0))


def _engine_with_many(store: Store, study: Study) -> None:
    """How long the engine takes for one more variant, of which the first run reads the files."""
    for seed in (1, 2):
        recipe = Recipe.parse({"quantize": {"mode": "int8"}, "seed": seed})
        started = time.monotonic()
        run_recipes(store, study, [recipe], quiet)
        seconds = time.monotonic() - started
    row(f"one more int8 variant beside {MANY:,}: queued to measured", f"{seconds:.1f} s")


def _painted(address: str, study: Study) -> dict[str, float]:
    """Page → seconds until its chart is drawn, the slower of two tabs."""
    from playwright.sync_api import sync_playwright

    found: dict[str, float] = {}
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        for page in ("compare", "explore"):
            tabs = [browser.new_page(viewport={"width": 1440, "height": 1000}) for _ in range(2)]
            for tab in tabs:
                started = time.perf_counter()
                tab.goto(f"{address}/{page}?study={study.id}")
                tab.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=120_000)
                found[page] = max(found.get(page, 0.0), time.perf_counter() - started)
            for tab in tabs:
                tab.close()
        browser.close()
    return found
