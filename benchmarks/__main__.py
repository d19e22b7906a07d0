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
from benchmarks.live import bundled_study, engine, quiet, row
from benchmarks.narrowing import narrowing
from benchmarks.scripts import scripts
from optimizer.recipe import Recipe
from optimizer.session import run_recipes
from optimizer.store import Store
from optimizer.store.records import FINISHED, Study

ROOT = Path(__file__).resolve().parents[1]
_PAGES = ("compare", "explore", "optimize", "variant", "model", "data", "runs")


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
    """Script runs of the pages with 200 variants, and what the app's process holds."""
    done = next(v for v in store.list_variants(study.id) if v.results and not v.is_baseline)
    fractions = [count / 1000 for count in range(1, 200 - len(store.list_variants(study.id)) + 1)]
    recipes = [
        Recipe.parse({"prune": {"schedule": {"kind": "constant", "target_sparsity": fraction}}})
        for fraction in fractions
    ]
    for variant in store.add_variants(study.id, recipes):
        store.update_variant(variant.id, state="done", results=done.results, stages=done.stages)
    count = len(store.list_variants(study.id))
    row("variants in the study for the pages below", str(count))
    for page in _PAGES:
        output = subprocess.run(
            [sys.executable, "-m", "benchmarks.page", page, study.id],
            cwd=ROOT,
            env={**os.environ, "FEATHERWEIGHT_NO_ENGINE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        milliseconds, megabytes, tensorflow = output.stdout.split()[-3:]
        row(
            f"page {page}: script run, median of 5",
            f"{milliseconds} ms, process {megabytes} MB, TensorFlow imported: {tensorflow}",
        )


if __name__ == "__main__":
    raise SystemExit(main())
