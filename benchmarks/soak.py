"""A day of work in minutes: what is left of it in app, engine and on disk.

An hour of the day is some runs, of which one is cancelled in the middle and one fails, an upload
that comes and goes, and visitors who open pages and leave. Now and then the engine is stopped, or
killed with SIGKILL in the middle of a run, and another resumes what it left. Stages compute
nothing (:mod:`benchmarks.quick_engine`); scheduler, processes, store and app are the real ones.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.client import Session
from benchmarks.findings import row
from benchmarks.footprint import Footprint, files_below, footprint, processes_of
from benchmarks.live import bundled_study, engine, home_at, quiet
from benchmarks.quick_engine import FAILING, FAILURE, SLOW
from benchmarks.server import ROOT, server
from optimizer.bundled import ensure_sample_study
from optimizer.engine.client import stop_engine
from optimizer.recipe import Recipe
from optimizer.session import run_recipes
from optimizer.store import Store
from optimizer.store.records import FINISHED, Run, Study

HOURS = 24
_PAGES = ("compare", "explore", "runs", "optimize", "storage", "variant")
_WAIT_SECONDS = 120.0


@dataclass
class Day:
    """What was seen during a soak.

    Attributes:
        engine, app: what they held after each hour, at rest.
        left: names of temporary files that were there at the end.
        processes: what still ran of the store after everything was told to end.
        runs: how many runs there were, by the state in which they ended.
        visits: pages that were opened.
        errors: what pages showed as errors.
    """

    engine: list[Footprint] = field(default_factory=list)
    app: list[Footprint] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)
    runs: dict[str, int] = field(default_factory=dict)
    visits: int = 0
    errors: list[str] = field(default_factory=list)


class Work:
    """The work of a day on one store.

    Args:
        home: the store's folder.
        temporary: where app and engine put their temporary files.
    """

    def __init__(self, home: Path, temporary: Path) -> None:
        self.store = Store.open(home)
        ensure_sample_study(self.store)
        self.study: Study = self.store.list_studies()[0]
        self.environment = {
            **os.environ,
            "FEATHERWEIGHT_HOME": str(home),
            "FEATHERWEIGHT_NO_ENGINE": "1",  # the app would start the real one
            "TMPDIR": str(temporary),
        }
        self._seed = 0
        self._engine: subprocess.Popen[bytes] | None = None

    def start_engine(self) -> int:
        """Start a quick engine and wait until it is ready; its process id."""
        with (self.store.home / "engine.log").open("ab") as log:
            self._engine = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.quick_engine"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        pid = self._engine.pid

        def ready() -> bool:
            state = self.store.engine_state()
            return state is not None and (state.pid, state.status) == (pid, "ready")

        self.wait(ready)
        return pid

    def end_engine(self, *, kill: bool) -> None:
        """Stop the engine, or kill it."""
        assert self._engine is not None
        self._engine.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        self._engine.wait(_WAIT_SECONDS)

    def queue(self, count: int, digit: int = 0) -> Run:
        """A run of that many variants whose recipes were not there before."""
        recipes = []
        for _ in range(count):
            self._seed += 10
            seed = self._seed + digit
            recipes.append(Recipe.parse({"prune": {}, "quantize": {"mode": "int8"}, "seed": seed}))
        ids = [variant.id for variant in self.store.add_variants(self.study.id, recipes)]
        title = f"{count} variants"
        return self.store.queue_run("variants", title, study_id=self.study.id, variant_ids=ids)

    def under_way(self, run: Run) -> None:
        """Wait until a stage of a run is running."""
        self.wait(lambda: any(stage.state == "running" for stage in self.store.list_stages(run.id)))

    def finish(self, *runs: Run) -> None:
        """Wait until runs have ended, in whatever state."""
        self.wait(lambda: all(self.store.get_run(run.id).state in FINISHED for run in runs))

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while not condition():
            assert self._engine is None or self._engine.poll() is None, self._log()
            assert time.monotonic() < deadline, self._log()
            time.sleep(0.02)

    def _log(self) -> str:
        return (self.store.home / "engine.log").read_text()[-3000:]

    def tidy(self, keep: int) -> None:
        """Delete the study's newest variants but some, so that the store does not grow."""
        made = [v for v in self.store.list_variants(self.study.id) if v.recipe.seed]
        for variant in made[:-keep] if keep else made:
            self.store.delete_variant(variant.id)
        self.store.free_cache(0.0)


def live_through(
    hours: int, *, variants: int = 4, visitors: int = 2, restart_every: int = 3
) -> Day:
    """A day, or some hours of it; see the module.

    Args:
        hours: how many.
        variants: of each run.
        visitors: sessions of each hour.
        restart_every: hours between the ends of engines, by turns stopped and killed.
    """
    day = Day()
    with ExitStack() as stack:
        home, temporary = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"featherweight-{name}-")))
            for name in ("soak", "soak-tmp")
        )
        work = Work(home, temporary)
        pid = work.start_engine()
        try:
            with server(
                work.environment, "--server.disconnectedSessionTTL", "1", log=home / "app.log"
            ) as (address, app_pid):
                for hour in range(1, hours + 1):
                    _hour(work, variants)
                    asyncio.run(_visit(day, address, work.study, visitors))
                    if hour % restart_every == 0:
                        pid = _restart(work, kill=hour % (2 * restart_every) == 0)
                    day.engine.append(_at_rest(work, pid))
                    day.app.append(footprint(app_pid))
        finally:
            work.end_engine(kill=False)
        day.processes = _still_there(home)
        day.left = [path.name for folder in (temporary, home / "tmp") for path in _left(folder)]
        for run in work.store.list_runs(limit=None):
            day.runs[run.state] = day.runs.get(run.state, 0) + 1
        work.store.close()
    return day


def _still_there(home: Path) -> list[str]:
    """Processes of a store that do not end by themselves within a minute of being told to."""
    deadline = time.monotonic() + 60
    while (found := processes_of(home)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [str(process.pid) for process in found]


def _left(folder: Path) -> list[Path]:
    """What lies in a folder for temporary files; Dask's own folder may stay, empty."""
    dask = folder / "dask-scratch-space"
    inside = [path for path in files_below(dask) if path.is_dir()]
    return [*(path for path in files_below(folder) if path != dask), *inside]


def _hour(work: Work, variants: int) -> None:
    sound, failing = work.queue(variants), work.queue(1, FAILING)
    upload = work.store.add_model(f"upload-{time.monotonic_ns()}.keras", os.urandom(100_000))
    reading = work.store.queue_run("import_model", "Read", model_id=upload.id)
    work.finish(sound, failing, reading)
    work.store.delete_model(upload.id)
    slow = work.queue(2, SLOW)
    work.under_way(slow)
    work.store.request_cancel(slow.id)
    work.finish(slow)
    work.tidy(keep=3 * variants)


def _restart(work: Work, *, kill: bool) -> int:
    """End the engine in the middle of a run; the next one resumes it, and it is cancelled."""
    run = work.queue(2, SLOW)
    work.under_way(run)
    work.end_engine(kill=kill)
    pid = work.start_engine()
    work.under_way(run)
    work.store.request_cancel(run.id)
    work.finish(run)
    return pid


async def _visit(day: Day, address: str, study: Study, visitors: int) -> None:
    for visitor in range(visitors):
        async with Session(address) as session:
            for page in (_PAGES[day.visits % len(_PAGES)], _PAGES[(visitor + 1) % len(_PAGES)]):
                visit = await session.open(page, f"study={study.id}")
                day.visits += 1
                unexpected = (error for error in visit.errors if FAILURE not in error)
                day.errors += [f"{visit.page}: {error}" for error in unexpected]


def _at_rest(work: Work, pid: int) -> Footprint:
    """What the engine holds once the stages that were cancelled have gone."""
    seen: list[Footprint] = []

    def settled() -> bool:
        seen.append(footprint(pid))
        last = seen[-10:]
        return len(last) == 10 and len({item.children for item in last}) == 1

    work.wait(settled)
    return seen[-1]


def soak() -> None:
    """Rows about a day with quick stages, and about some real runs on a real engine."""
    started = time.monotonic()
    day = live_through(HOURS, variants=8, visitors=4)
    ended = ", ".join(f"{count} {state}" for state, count in sorted(day.runs.items()))
    row(
        f"{HOURS} hours of work in {(time.monotonic() - started) / 60:.1f} minutes",
        f"{ended}; {day.visits} pages opened, {len(day.errors)} errors",
        "no error on a page",
    )
    _compare("app", day.app[1:])
    _compare("engine, each since its start", _of_one_life(day.engine))
    row("processes left when all was told to end", str(len(day.processes)), "0")
    row("temporary files left", str(len(day.left)), "0")
    _real()


def _compare(who: str, seen: Sequence[Footprint]) -> None:
    first, last = seen[0], seen[-1]
    row(
        f"{who}: memory after the first hour / at the end",
        f"{first.memory_mb:.0f} / {last.memory_mb:.0f} MB",
    )
    row(
        f"{who}: handles, threads, processes after the first hour / at the end",
        f"{first.handles}, {first.threads}, {first.children} / "
        f"{last.handles}, {last.threads}, {last.children}",
        "no growth",
    )


def _of_one_life(seen: Sequence[Footprint], restart_every: int = 3) -> list[Footprint]:
    """The first and the last hour of the engine that lived last."""
    last = seen[-restart_every - 1 :]
    return [last[0], last[-2]] if len(last) > 2 else list(seen)


def _real() -> None:
    """A few real runs on a real engine: what it holds afterwards, and what it leaves."""
    with tempfile.TemporaryDirectory(prefix="featherweight-soak-") as folder, home_at(folder):
        store = Store.open(Path(folder))
        with engine(store):
            study = bundled_study(store, "cancer_mlp")
            state = store.engine_state()
            assert state is not None
            seen = []
            for seed in range(1, 9):
                recipes = [
                    Recipe.parse({"prune": {}, "quantize": {"mode": mode}, "seed": seed})
                    for mode in ("none", "dynamic", "int8")
                ]
                run_recipes(store, study, recipes, quiet)
                seen.append(footprint(state.pid))
        _compare("engine with real stages, 8 runs of 3 variants", seen)
        row("processes left of it", str(len(processes_of(Path(folder)))), "0")
        store.close()
        stop_engine(store)
