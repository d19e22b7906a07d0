"""``make bench``: measures the workbench itself and prints a table.

Absolute times depend on the machine; ratios are between two things measured in this one run.
At the end every recipe runs on every model (:mod:`benchmarks.matrix`).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import matrix
from benchmarks.crowd import crowd
from benchmarks.live import bundled_study, engine, quiet, row
from benchmarks.narrowing import narrowing
from benchmarks.scripts import scripts
from optimizer.recipe import Recipe
from optimizer.session import run_recipes
from optimizer.store import Store
from optimizer.store.records import FINISHED, Study

ROOT = Path(__file__).resolve().parents[1]
_MANY_ON = ("compare", "explore")
"""The pages that show every variant."""
_PAGES = (*_MANY_ON, "optimize", "variant", "model", "data", "runs")


def main() -> int:
    """Run every measurement."""
    with tempfile.TemporaryDirectory(prefix="featherweight-bench-") as folder:
        os.environ["FEATHERWEIGHT_HOME"] = folder
        store = Store.open(Path(folder))
        with engine(store) as warm_up:
            row("engine: start to ready", f"{warm_up:.1f} s")
            study = baseline(store)
            quantization(store, study)
            sharing(store, study)
            narrowing(store)
            scripts(store)
        pages(store, study)
        store.close()
    return matrix.main([])


def baseline(store: Store) -> Study:
    """The sample study with its baseline measured."""
    study = bundled_study(store, "digits_cnn")
    run_recipes(store, study, [], quiet)
    return study


def quantization(store: Store, study: Study) -> None:
    """Post-training quantization on a warm engine, as a click on Run asks for it."""
    first, whole = [], []
    for samples_count in (200, 201, 202):
        recipe = Recipe.parse({"quantize": {"mode": "int8", "calibration_samples": samples_count}})
        variant = store.add_variant(study.id, recipe)
        started = time.monotonic()
        run = store.queue_run("variants", "bench", study_id=study.id, variant_ids=[variant.id])
        seen = None
        while store.get_run(run.id).state not in FINISHED:
            if seen is None and any(s.state == "running" for s in store.list_stages(run.id)):
                seen = time.monotonic() - started
            time.sleep(0.01)
        whole.append(time.monotonic() - started)
        first.append(seen or whole[-1])
    row("int8 on a warm engine: queued to first progress", f"{statistics.median(first):.2f} s")
    row("int8 on a warm engine: queued to measured", f"{statistics.median(whole):.2f} s")


def sharing(store: Store, study: Study) -> None:
    """Four recipes that share one pruning, against the first of them alone."""
    tune = {"fine_tune": {"epochs": 2}, "prune": {}}
    modes = ("none", "float16", "dynamic", "int8")
    recipes = [Recipe.parse({**tune, "quantize": {"mode": mode}}) for mode in modes]
    times = []
    for part in (recipes[:1], recipes[1:], recipes):
        started = time.monotonic()
        run_recipes(store, study, part, quiet)
        times.append(time.monotonic() - started)
    row("three more modes on a pruned model / the first", f"{times[1] / (3 * times[0]):.2f} each")
    row("all four again, from the cache / made", f"{times[2] / (times[0] + times[1]):.3f}")


def pages(store: Store, study: Study) -> None:
    """Script runs of the pages with many variants, and what the app's process holds."""
    for count in (10, 100, 1000):
        crowd(store, study, count)
        for page in _PAGES if count == 1000 else _MANY_ON:
            _page(page, study, count)


def _page(page: str, study: Study, count: int) -> None:
    output = subprocess.run(
        [sys.executable, "-m", "benchmarks.page", page, study.id],
        cwd=ROOT,
        env={**os.environ, "FEATHERWEIGHT_NO_ENGINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    median, p95, megabytes, tensorflow = output.stdout.split()[-4:]
    row(
        f"page {page}, {count:,} variants: script run, median (p95)",
        f"{median} ms ({p95} ms), process {megabytes} MB, TensorFlow imported: {tensorflow}",
    )


if __name__ == "__main__":
    raise SystemExit(main())
